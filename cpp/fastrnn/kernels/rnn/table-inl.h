// Fills the KernelTable of float32; compiled after its isa/NAME.h, as the next ones are.
#pragma once

#include "fastrnn/kernels/rnn/make_table-inl.h"

namespace fastrnn::FASTRNN_TARGET {

FASTRNN_TABLE(f32, float, float)

}  // namespace fastrnn::FASTRNN_TARGET
