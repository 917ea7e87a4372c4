// Every rule of args.h about shapes and presence, checked before anything is computed: in O(1), and
// O(N) for lengths.
#pragma once

#include "fastrnn/rnn/args.h"

namespace fastrnn {

// The sizes and the options of a call, once all arguments agree on them.
struct Call {
  Dims dims{};
  Options on;
};
template <class T>
Call check_forward(const RnnForwardArgs<T>& args);

template <class T>
void check_backward(const RnnBackwardArgs<T>& args);

}  // namespace fastrnn
