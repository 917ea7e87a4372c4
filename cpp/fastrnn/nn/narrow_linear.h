// NarrowLinear: a linear layer by weights of fewer bits than float32, as one ISA offers it.
#pragma once

#include "fastrnn/nn/narrow_matrix.h"
#include "fastrnn/nn/table.h"
#include "fastrnn/rnn/narrow.h"
#include "fastrnn/rnn/table.h"
#include "fastrnn/view.h"

namespace fastrnn {

// y = x·wᵀ + b
struct NarrowLinearArgs {
  View<const float, 2> x;  // (M, I), row stride any
  View<const float, 1> b;  // (O,); absent: zeros
  View<float, 2> y;        // out (M, O)
  const unsigned char* packed = nullptr;
  Dots dots = Dots::none;
};

// to[r] = b + from[r]·wᵀ for rows that lie anywhere; b null: what to[r] holds + from[r]·wᵀ.
struct NarrowRowsArgs {
  index_t rows, O, I;
  const float* const* from;  // [rows] of I
  const float* b;            // (O,)
  float* const* to;          // [rows] of O
  const unsigned char* packed;
  Dots dots;
};

// Of one type of weights.
struct NarrowLinear {
  const KernelTable<float>* row;  // of the same ISA and weights
  std::size_t (*packed_bytes)(index_t O, index_t I);
  void (*pack)(const NarrowMatrix&, unsigned char* block, Team&);
  NnKernel<NarrowLinearArgs> multiply;
  // Within a thread's part of another kernel: bytes of scratch for so many rows, and the product.
  std::size_t (*rows_bytes)(index_t rows, index_t O, index_t I);
  void (*multiply_rows)(const NarrowRowsArgs&, unsigned char* scratch, Team&);
};

#define FASTRNN_DECLARE_LINEAR(target)              \
  namespace target {                                \
  extern const NarrowLinear narrow_linear_int8;     \
  extern const NarrowLinear narrow_linear_bfloat16; \
  }
FASTRNN_FOR_EACH_ISA(FASTRNN_DECLARE_LINEAR)
#undef FASTRNN_DECLARE_LINEAR

}  // namespace fastrnn
