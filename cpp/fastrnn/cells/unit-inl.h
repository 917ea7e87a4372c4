// The arguments of a cell's text: the vectors of one row and one panel of units.
#pragma once

#include "fastrnn/cells/shapes.h"
#include "fastrnn/simd/vec.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class T>
struct UnitChoices;  // activation-inl.h

template <class T>
struct ForwardUnit {
  Vec<T> h_before;
  Vec<T> c;           // in: of the step before; out of the first stage: of this one
  Vec<T> h;           // out, last stage
  Vec<T> seen;        // in, where the second stage runs by itself: c as the output sees it
  Vec<T> aux;         // out, first stage: for the product of the second
  const T* peephole;  // p_i p_f p_o of this panel
  const UnitChoices<T>* choices;  // general cells
};

template <class T>
struct BackwardUnit {
  Vec<T> dh;     // in
  Vec<T> dc;     // in: by c of this step; out of the first stage: by c of the step before
  Vec<T> carry;  // out: what reaches h of the step before other than through a product
  Vec<T> daux;   // in, first stage
  Vec<T> h_before, c_before, c;
  Vec<T> output;       // out, last stage of an LSTM: what forward gave as h
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
