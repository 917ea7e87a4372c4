// What a cell sees of the sweep: its stages, and the vectors of one row and one panel of units.
#pragma once

#include "fastrnn/simd/vec.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// A recurrent product into slots slot .. slot + products. The operand is h of the step before for
// stage 0, and `aux` of the same step for stage 1.
struct Stage {
  int slot, products;
  constexpr bool fills(int s) const { return s >= slot && s < slot + products; }
};

template <class T>
struct UnitChoices;  // activation-inl.h

template <class T>
struct ForwardUnit {
  Vec<T> h_before;
  Vec<T> c;                       // in: of the step before; out: of this one
  Vec<T> h;                       // out, last stage
  Vec<T> seen;                    // c as the output sees it, where a step is in two halves
  Vec<T> aux;                     // out, stage 0 of a two-stage cell
  const T* peephole;              // p_i p_f p_o of this panel
  const UnitChoices<T>* choices;  // general cells
};

template <class T>
struct BackwardUnit {
  Vec<T> dh;     // in
  Vec<T> dc;     // in: by c of this step; out: by c of the step before
  Vec<T> carry;  // out: what reaches h of the step before other than through a product
  Vec<T> daux;   // in, second phase of a two-stage cell
  Vec<T> h_before, c_before, c;
  Vec<T> seen, dseen;  // c as the output saw it; in and out: the gradient by it
  const T* peephole;
  const UnitChoices<T>* choices;
  const T* limit;  // of the gradients by the pre-activations; null: none

  // Every such gradient goes through this before anything is derived from it. NaN comes through.
  FASTRNN_INLINE Vec<T> clipped(Vec<T> d) const {
    return limit == nullptr ? d : max(min(d, set1(*limit)), set1(-*limit));
  }
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
