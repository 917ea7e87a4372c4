// The last line of defence: every rule of args.h about shapes and presence, checked in O(1) and
// O(N) for lengths.
#pragma once

#include "fastrnn/args.h"

namespace fastrnn {

// I, H and P, once all weights agree on them; I of an x that comes projected is G·H.
template <class T>
Dims check_weights(Cell cell, const RnnWeights<T>& weights);

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
