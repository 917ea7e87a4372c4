// Fills the KernelTable of float64, in a file of its own: cpp/CMakeLists asks for smaller code here
// than for float32.
#pragma once

#include "fastrnn/kernels/rnn/make_table-inl.h"

namespace fastrnn::FASTRNN_TARGET {

FASTRNN_TABLE(f64, double, double)

}  // namespace fastrnn::FASTRNN_TARGET
