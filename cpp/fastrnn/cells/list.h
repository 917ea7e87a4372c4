// THE LIST of recurrent cells: the enum, the dispatch tables, bindings, tests and benches follow
// from it. X(name, shape, general): the shape is one of cells/shapes.h; a general cell takes
// choices at run time (CellChoices) and all the options of Options.
#pragma once

#define FASTRNN_FOR_EACH_CELL(X)              \
  X(rnn_tanh, kRnnShape, false)               \
  X(rnn_relu, kRnnShape, false)               \
  X(rnn_sigmoid, kRnnShape, false)            \
  X(rnn_linear, kRnnShape, false)             \
  X(lstm, kLstmShape, false)                  \
  X(lstm_peephole, kLstmPeepholeShape, false) \
  X(gru_after, kGruAfterShape, false)         \
  X(gru_before, kGruBeforeShape, false)       \
  X(rnn_general, kRnnShape, true)             \
  X(lstm_general, kLstmPeepholeShape, true)   \
  X(gru_after_general, kGruAfterShape, true)  \
  X(gru_before_general, kGruBeforeShape, true)
