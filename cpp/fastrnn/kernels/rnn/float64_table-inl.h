// Fills the KernelTable of float64, which is for checking: smaller code than that of float32.
#pragma once

#include "fastrnn/kernels/rnn/make_table-inl.h"

namespace fastrnn::FASTRNN_TARGET {

FASTRNN_TABLE(f64, double, double)

}  // namespace fastrnn::FASTRNN_TARGET
