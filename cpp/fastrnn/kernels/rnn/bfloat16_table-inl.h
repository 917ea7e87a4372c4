// Fills the KernelTable of bfloat16 weights.
#pragma once

#define FASTRNN_SMALL_CODE 1

#include "fastrnn/kernels/rnn/bfloat16-inl.h"
#include "fastrnn/kernels/rnn/make_table-inl.h"
#include "fastrnn/kernels/rnn/operands-inl.h"

namespace fastrnn::FASTRNN_TARGET {

FASTRNN_TABLE(bfloat16, float, BFloat16)

void multiply_bfloat16(const NarrowProduct& p, Dots dots) { Narrow<BFloat16>::multiply(p, dots); }

}  // namespace fastrnn::FASTRNN_TARGET
