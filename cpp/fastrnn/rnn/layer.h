// A layer of one direction as the core sees it: its cell and weights, the inputs of a call, and
// which options are on.
//
// Sizes: T steps, N batch, I input, H hidden, P columns of h (H without w_hr), G gates
// (CellTraits::gates). "Row stride any" means any sign, zero included; the last axis has stride 1
// throughout, except w_* and b_*, whose strides are free on every axis (weights are packed before
// use). A View with data == nullptr is an absent argument.
#pragma once

#include "fastrnn/rnn/narrow.h"
#include "fastrnn/view.h"

namespace fastrnn {

// The weights, in the caller's layout. Gate order: LSTM i f g o, GRU r z n, RNN one gate.
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
  // In the place of w_ih, w_hh, w_peephole_full and w_hr: whole numbers, -127 .. 127, times the
  // scale of their row.
  View<const std::int8_t, 2> q_ih, q_hh, q_peephole, q_hr;
  View<const T, 1> scale_ih, scale_hh, scale_peephole, scale_hr;
};

// Which units zoneout keeps, drawn where they are used: each with probability p, by the bits that
// the key, the row, the step and the unit give (kernels/rnn/zoneout-inl.h).
struct Draws {
  double p = 0;
  std::uint64_t key = 0;
  FASTRNN_INLINE bool on() const { return p > 0; }
};

// Dropout of h and zoneout in one call, or the expectation of both; general cells only.
template <class T>
struct RnnMasks {
  View<const T, 2> h_mask;  // (N, P): multiplies h on its way into the recurrent product
  View<const T, 3> h_keep;  // (T, N, P): the part of the old h that stays, 0 .. 1
  View<const T, 3> c_keep;  // (T, N, H): the same of c, LSTM only; none with peepholes
  Draws h_draws, c_draws;   // in the place of h_keep and c_keep
};

template <class T>
class PackedWeights;  // packed.h: the same weights in panel order, for one ISA

template <class T>
struct Layer {
  Cell cell = Cell::lstm;
  CellChoices choices;    // general cells only
  RnnWeights<T> weights;  // ignored when packed is given
  const PackedWeights<T>* packed = nullptr;
  // bfloat16: w_ih and w_hh, what they multiply and its gradients are rounded to it on their way
  // into products. Packed weights say it themselves.
  Precision precision = Precision::plain;
};

// The inputs of a call beside the weights.
template <class T>
struct Inputs {
  View<const T, 3> x;  // (T, N, I), or (T, N, G·H) when w_ih is absent; row strides any
  // (T, N), each 0..V-1: x is a table (1, V, G·H) then, of which this row stands at (t, n). It
  // takes w_ih and packed to be absent.
  View<const index_t, 2> ids;
  View<const T, 2> h0;  // (N, P); absent: zeros; row stride any
  View<const T, 2> c0;  // (N, H), LSTM only; absent: zeros
  RnnMasks<T> masks;    // row strides any
};

// Which options a call has on.
struct Options {
  bool w_ih = false;  // x is still to be multiplied
  bool peephole = false, full_peephole = false, projection = false, norm = false;
  bool h_mask = false, h_keep = false, c_keep = false;
  bool by_row = false;  // of int8 weights: h can leave -1 .. 1, so each of its rows has a scale
};

template <class T>
FASTRNN_INLINE Options options_of(const RnnWeights<T>& w) {
  Options on;
  on.w_ih = w.w_ih || w.q_ih;
  on.peephole = bool(w.w_peephole);
  on.full_peephole = w.w_peephole_full || w.q_peephole;
  on.projection = w.w_hr || w.q_hr;
  on.norm = bool(w.w_norm);
  return on;
}
template <class T>
FASTRNN_INLINE Options with_masks(Options on, const RnnMasks<T>& masks) {
  on.h_mask = bool(masks.h_mask);
  on.h_keep = masks.h_keep || masks.h_draws.on();
  on.c_keep = masks.c_keep || masks.c_draws.on();
  return on;
}

// The tape's copy of every step; rows are (step, sorted row). Backward turns gates into gradients
// in place, but for those that are halves. Null where the cell or the call has no such thing; all
// are null without a tape.
template <class T>
struct Kept {
  T* gates = nullptr;  // [row][panel][slot][lane]
  T* cells = nullptr;  // [row][panel][lane], LSTM
  // In the place of these two, and of outputs: in bfloat16 without layer normalisation.
  Half* half_gates = nullptr;
  Half* half_cells = nullptr;
  T* outputs = nullptr;  // [row][panel][lane]: what w_hr multiplies
  T* normed = nullptr;   // [row][normed_row]: what layer normalisation has made
};

}  // namespace fastrnn
