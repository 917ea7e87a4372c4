// NarrowLinear: a linear layer by weights of fewer bits than float32, as one ISA offers it.
#pragma once

#include "fastrnn/nn/table.h"
#include "fastrnn/rnn/narrow.h"
#include "fastrnn/rnn/table.h"
#include "fastrnn/view.h"

namespace fastrnn {

// w (O, I) in the caller's layout, any strides: float32, which is rounded to bfloat16; or q, whole
// numbers -127 .. 127, times the scale of their row.
struct NarrowMatrix {
  View<const float, 2> w;
  View<const std::int8_t, 2> q;
  View<const float, 1> scale;  // (O,)
};

// y = x·wᵀ + b
struct NarrowLinearArgs {
  View<const float, 2> x;  // (M, I), row stride any
  View<const float, 1> b;  // (O,); absent: zeros
  View<float, 2> y;        // out (M, O)
  const unsigned char* packed = nullptr;
  Dots dots = Dots::none;
};

// Of one type of weights.
struct NarrowLinear {
  const KernelTable<float>* row;  // of the same ISA and weights
  std::size_t (*packed_bytes)(index_t O, index_t I);
  void (*pack)(const NarrowMatrix&, unsigned char* block, Team&);
  NnKernel<NarrowLinearArgs> multiply;
};

#define FASTRNN_DECLARE_LINEAR(target)              \
  namespace target {                                \
  extern const NarrowLinear narrow_linear_int8;     \
  extern const NarrowLinear narrow_linear_bfloat16; \
  }
FASTRNN_FOR_EACH_ISA(FASTRNN_DECLARE_LINEAR)
#undef FASTRNN_DECLARE_LINEAR

}  // namespace fastrnn
