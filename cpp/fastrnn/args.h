// The arguments of the core's operations: THE place where every array's shape is documented.
#pragma once

#include "fastrnn/view.h"

namespace fastrnn {

// Sizes: T steps, N batch, I input, H hidden, P columns of h (H without w_hr), G gates
// (CellTraits::gates).
// "Row stride any" means any sign, zero included; the last axis has stride 1 throughout, except
// w_* and b_*, whose strides are free on every axis (weights are packed before use).
// A View with data == nullptr is an absent argument.

// The weights of one layer and direction, in the caller's layout. Gate order: LSTM i f g o,
// GRU r z n, RNN one gate.
template <class T>
struct RnnWeights {
  View<const T, 2> w_ih;        // (G·H, I); absent: x is already projected, (T, N, G·H)
  View<const T, 2> w_hh;        // (G·H, P)
  View<const T, 1> b_ih, b_hh;  // (G·H,) each; absent: zeros
  View<const T, 2> w_peephole;  // (3, H), rows i f o; lstm_peephole: present; lstm_general: may be
  // lstm_general only, absent: none.
  View<const T, 2> w_peephole_full;  // (3·H, H), matrices i f o, in the place of w_peephole
  View<const T, 2> w_hr;             // (P, H), 1 <= P <= H: h is w_hr times the cell's output
  // General cells, absent: nothing is normalised. (2·G, H), LSTM (2·G + 2, H):
  // the gains of W·x gate by gate, those of U·h, then gain and shift of c for the output.
  View<const T, 2> w_norm;
};

// What chance did to one call, or what to expect of it; general cells only.
template <class T>
struct RnnMasks {
  View<const T, 2> h_mask;  // (N, P): multiplies h on its way into the recurrent product
  View<const T, 3> h_keep;  // (T, N, P): the part of the old h that stays, 0 .. 1
  View<const T, 3> c_keep;  // (T, N, H): the same of c, LSTM only; none with peepholes
  explicit operator bool() const { return h_mask || h_keep || c_keep; }
};

template <class T>
class PackedWeights;  // packed.h: the same weights in panel order, for one ISA
template <class T>
class Tape;  // tape.h: what forward leaves for backward

template <class T>
struct RnnForwardArgs {
  Cell cell;
  CellChoices choices;   // general cells only
  bool reverse = false;  // every row starts at its own last step; y stays in input order
  int num_threads = 0;   // 0: the process-wide setting

  View<const T, 3> x;  // (T, N, I), or (T, N, G·H) when w_ih is absent; row strides any
  // (T, N), each 0..V-1: x is a table (1, V, G·H) then, of which this row stands at (t, n). It
  // takes w_ih and packed to be absent.
  View<const index_t, 2> ids;
  RnnWeights<T> weights;  // ignored when packed is given
  const PackedWeights<T>* packed = nullptr;
  RnnMasks<T> masks;               // row strides any
  View<const T, 2> h0;             // (N, P); absent: zeros; row stride any
  View<const T, 2> c0;             // (N, H), LSTM only; absent: zeros
  View<const index_t, 1> lengths;  // (N,), each 0..T; absent: all T

  View<T, 3> y;    // out (T, N, P); row strides any but zero; zeros from a row's length on
  View<T, 2> h_n;  // out (N, P): the state after each row's last step; h0 for length 0
  View<T, 2> c_n;  // out (N, H), LSTM only

  Tape<T>* tape =
      nullptr;  // filled for backward when given; it keeps the views x, y, h0, c0, the
                // masks and the weights, whose memory must outlive it. packed must be null.
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
