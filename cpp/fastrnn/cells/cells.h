// THE LIST of recurrent cells: the enum, the dispatch tables, bindings, tests and benches follow
// from it.
//
// Read twice: everybody sees the names; a file compiled per ISA asks for the cells themselves as
// well, by FASTRNN_INCLUDE_CELLS. So there is no "pragma once".
#ifndef FASTRNN_FOR_EACH_CELL
#define FASTRNN_FOR_EACH_CELL(X) \
  X(rnn_tanh)                    \
  X(rnn_relu)                    \
  X(rnn_sigmoid)                 \
  X(rnn_linear)                  \
  X(lstm)                        \
  X(lstm_peephole)               \
  X(gru_after)                   \
  X(gru_before)                  \
  X(rnn_general)                 \
  X(lstm_general)                \
  X(gru_after_general)           \
  X(gru_before_general)
#endif

#ifdef FASTRNN_INCLUDE_CELLS
#undef FASTRNN_INCLUDE_CELLS
#include "fastrnn/cells/gru_after-inl.h"
#include "fastrnn/cells/gru_before-inl.h"
#include "fastrnn/cells/lstm-inl.h"
#include "fastrnn/cells/lstm_general-inl.h"
#include "fastrnn/cells/rnn-inl.h"
#endif
