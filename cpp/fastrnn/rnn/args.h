// The arguments of the core's operations: THE place where every array's shape is documented.
#pragma once

#include "fastrnn/rnn/layer.h"

namespace fastrnn {

template <class T>
class Tape;  // tape.h: what forward leaves for backward

template <class T>
struct RnnForwardArgs {
  Layer<T> layer;
  Inputs<T> in;
  bool reverse = false;            // every row starts at its own last step; y stays in input order
  int num_threads = 0;             // 0: the process-wide setting
  View<const index_t, 1> lengths;  // (N,), each 0..T; absent: all T

  View<T, 3> y;    // out (T, N, P); row strides any but zero; zeros from a row's length on
  View<T, 2> h_n;  // out (N, P): the state after each row's last step; h0 for length 0
  View<T, 2> c_n;  // out (N, H), LSTM only

  // Filled for backward when given; it keeps the views of the layer, of the inputs and of y, whose
  // memory must outlive it. layer.packed must be null.
  Tape<T>* tape = nullptr;
};

template <class T>
struct RnnBackwardArgs {
  Tape<T>* tape = nullptr;  // consumed: a tape serves one backward
  int num_threads = 0;

  View<const T, 3> dy;    // (T, N, P); absent: zeros; row strides any; padding is not read
  View<const T, 2> dh_n;  // (N, P); absent: zeros
  View<const T, 2> dc_n;  // (N, H), LSTM only; absent: zeros

  index_t truncate = 0;  // no gradient flows from a row's steps k, 2k, … into the state that they
                         // start from, where k is this; 0: all of it flows
  T clip_step = T(__builtin_inf());  // each step's gradients by the pre-activations stay within
                                     // +- this

  // Outputs, C-contiguous and disjoint from everything else; absent: not wanted.
  View<T, 3> dx;                // shape of x; of a table, the sums for each of its rows
  bool add_dx = false;          // to what dx holds; not for an input that came projected
  View<T, 2> dw_ih;             // (G·H, I)
  View<T, 2> dw_hh;             // (G·H, P)
  View<T, 1> db_ih, db_hh;      // (G·H,)
  View<T, 2> dh0, dc0;          // (N, P), (N, H)
  View<T, 2> dw_peephole;       // (3, H)
  View<T, 2> dw_peephole_full;  // (3·H, H)
  View<T, 2> dw_hr;             // (P, H)
  View<T, 2> dw_norm;           // shape of w_norm
};

}  // namespace fastrnn
