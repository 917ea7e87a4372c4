// The front door of the operations beside the recurrent ones: validate, plan a team, run the table.
#pragma once

#include "fastrnn/nn_args.h"

namespace fastrnn {

// All throw Error (an argument breaks a rule), std::bad_alloc, or Interrupted, as ops.h says.
template <class T>
void linear_forward(const LinearForwardArgs<T>& args);

template <class T>
void linear_backward(const LinearBackwardArgs<T>& args);

}  // namespace fastrnn
