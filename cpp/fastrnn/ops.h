// The front door of the core: validate, plan, take scratch, run the team, call the active table.
#pragma once

#include "fastrnn/args.h"

namespace fastrnn {

// Both throw Error (an argument breaks a rule), std::bad_alloc, or Interrupted; nothing of the
// caller's is half done then except that outputs may hold partial results.
template <class T>
void rnn_forward(const RnnForwardArgs<T>& args);

template <class T>
void rnn_backward(const RnnBackwardArgs<T>& args);

// The cell's constants.
CellTraits cell_traits(Cell cell);

}  // namespace fastrnn
