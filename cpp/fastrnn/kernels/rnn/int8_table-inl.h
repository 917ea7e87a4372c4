// Fills the KernelTable and the NarrowLinear of int8 weights. Sums of bytes are exact and fma()
// rounds once on every instruction set, so that all of them give the same bits.
#pragma once

#define FASTRNN_ALWAYS_FUSED 1
#define FASTRNN_SMALL_CODE 1

#include "fastrnn/kernels/rnn/int8-inl.h"
#include "fastrnn/kernels/rnn/make_table-inl.h"
#include "fastrnn/kernels/rnn/narrow_linear-inl.h"
#include "fastrnn/kernels/rnn/operands-inl.h"

namespace fastrnn::FASTRNN_TARGET {

FASTRNN_TABLE(int8, float, std::int8_t)

constexpr NarrowLinear narrow_linear_int8 = narrow_linear_of<std::int8_t>(table_int8);

}  // namespace fastrnn::FASTRNN_TARGET
