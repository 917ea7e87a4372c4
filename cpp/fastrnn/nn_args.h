// The arguments of the operations beside the recurrent ones: where their arrays' shapes stand.
#pragma once

#include "fastrnn/view.h"

namespace fastrnn {

// As in args.h: "row stride any" means any sign, zero included, and the last axis has stride 1;
// weights may have any strides; a View with data == nullptr is an absent argument; outputs are
// C-contiguous and disjoint from everything else. Sizes: M rows, I in, O out.
// num_threads, 0: the process-wide setting.

// y = x·wᵀ + b
template <class T>
struct LinearForwardArgs {
  int num_threads = 0;
  View<const T, 2> x;  // (M, I), row stride any
  View<const T, 2> w;  // (O, I)
  View<const T, 1> b;  // (O,); absent: zeros
  View<T, 2> y;        // out (M, O)
};

template <class T>
struct LinearBackwardArgs {
  int num_threads = 0;
  View<const T, 2> dy;  // (M, O), row stride any
  View<const T, 2> x;   // (M, I), row stride any
  View<const T, 2> w;   // (O, I)
  View<T, 2> dx;        // out (M, I) = dy·w; absent: not wanted, as the others
  View<T, 2> dw;        // out (O, I) = dyᵀ·x
  View<T, 1> db;        // out (O,) = sum of the rows of dy
};

}  // namespace fastrnn
