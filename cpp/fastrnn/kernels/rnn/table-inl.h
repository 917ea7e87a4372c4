// Fills the KernelTables of plain weights; compiled after its isa/NAME.h, as the next ones are.
#pragma once

#include "fastrnn/kernels/rnn/make_table-inl.h"

namespace fastrnn::FASTRNN_TARGET {

FASTRNN_FOR_EACH_PLAIN_ROW(FASTRNN_TABLE)

}  // namespace fastrnn::FASTRNN_TARGET
