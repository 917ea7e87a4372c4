// Fills the KernelTable of bfloat16 weights.
#pragma once

#include "fastrnn/kernels/rnn/bfloat16-inl.h"
#include "fastrnn/kernels/rnn/make_table-inl.h"
#include "fastrnn/kernels/rnn/operands-inl.h"

namespace fastrnn::FASTRNN_TARGET {

FASTRNN_TABLE(bfloat16, float, BFloat16)

}  // namespace fastrnn::FASTRNN_TARGET
