// Fills the KernelTable and the NarrowLinear of bfloat16 weights.
#pragma once

#define FASTRNN_SMALL_CODE 1

#include "fastrnn/kernels/rnn/bfloat16-inl.h"
#include "fastrnn/kernels/rnn/make_table-inl.h"
#include "fastrnn/kernels/rnn/narrow_linear-inl.h"
#include "fastrnn/kernels/rnn/operands-inl.h"

namespace fastrnn::FASTRNN_TARGET {

FASTRNN_TABLE(bfloat16, float, BFloat16)

constexpr NarrowLinear narrow_linear_bfloat16 = narrow_linear_of<BFloat16>(table_bfloat16);

void multiply_bfloat16(const NarrowProduct& p, Dots dots) { Narrow<BFloat16>::multiply(p, dots); }

}  // namespace fastrnn::FASTRNN_TARGET
