// Fills the KernelTable of int8 weights. Nothing in it is fused, so that with sums of bytes, which
// are exact, every instruction set gives the same bits.
#pragma once

#define FASTRNN_UNFUSED 1

#include "fastrnn/kernels/rnn/int8-inl.h"
#include "fastrnn/kernels/rnn/make_table-inl.h"
#include "fastrnn/kernels/rnn/operands-inl.h"

namespace fastrnn::FASTRNN_TARGET {

FASTRNN_TABLE(int8, float, std::int8_t)

}  // namespace fastrnn::FASTRNN_TARGET
