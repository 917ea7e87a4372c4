// The last line of defence: every rule of args.h about shapes and presence, checked in O(1) and
// O(N) for lengths.
#pragma once

#include "fastrnn/args.h"

namespace fastrnn {

template <class T>
void check_weights(Cell cell, const RnnWeights<T>& weights);

// The sizes, once all arguments agree on them.
template <class T>
Dims check_forward(const RnnForwardArgs<T>& args);

template <class T>
void check_backward(const RnnBackwardArgs<T>& args);

}  // namespace fastrnn
