// The arguments of attention_decoder: where its arrays' shapes stand.
#pragma once

#include "fastrnn/nn/narrow_matrix.h"
#include "fastrnn/rnn/narrow.h"
#include "fastrnn/types.h"
#include "fastrnn/view.h"

namespace fastrnn {

struct NarrowLinear;

// As in nn/args.h. Sizes: T steps, N rows, S source positions, M rows of memory, E columns of x, C
// of memory, H hidden, G gates (GRU 3, LSTM 4), A columns of a query (dot: H; general: C), F of
// what feeds the cell beside x (0: nothing), O of outputs. All 3-dimensional arrays are
// C-contiguous.

enum class Score : int { additive, dot, general };

// The inputs of forward and of backward.
template <class T>
struct DecoderInputs {
  int num_threads = 0;
  bool lstm = false;     // else the GRU with reset after
  bool current = false;  // the score is of the state after the step, else of the one before
  Score score = Score::additive;
  index_t F = 0;  // previous: C or 0; current: O with w_output, else C, or 0

  View<const T, 3> x;                     // (T, N, E); absent: table and tokens stand for it
  View<const T, 3> memory;                // (S, M, C)
  View<const index_t, 1> lengths;         // (N,), each 0..T; absent: all T
  View<const index_t, 1> memory_lengths;  // (M,), each 0..S; absent: all S
  View<const index_t, 1> memory_rows;     // (N,), each 0..M-1; absent: n, and M is N

  View<const T, 2> w_ih;        // (G·H, E + F), rows r z n or i f g o
  View<const T, 2> w_hh;        // (G·H, H)
  View<const T, 1> b_ih, b_hh;  // (G·H,); absent: zeros
  View<const T, 2> w_query;     // (A, H) of the additive score, (C, H) of the general one
  View<const T, 2> w_key;       // (A, C), additive
  View<const T, 1> b_key;       // (A,), additive; absent: zeros
  View<const T, 1> vector;      // (A,), additive
  View<const T, 2> w_output;    // (O, H + C); absent: the output is h, and O is H
  View<const T, 1> b_output;    // (O,); absent: zeros
};

template <class T>
class DecoderWeights;

template <class T>
struct DecoderForwardArgs : DecoderInputs<T> {
  bool keys_ready = false;  // keys is an input

  // Made once by a caller of many short calls; all of it may be absent.
  const DecoderWeights<T>* weights = nullptr;  // the loop's matrices, packed
  View<const T, 2> table;         // (V, G·H): W_ih e + b_ih + b_hh of each symbol, hn without
  View<const index_t, 1> tokens;  // (T·N,), each 0..V-1, with table
  // Memory times what multiplies contexts, S' positions of M' rows: of W_ih (G·H columns, where the
  // context feeds the cell), then of w_output (O columns, where it is there).
  View<const T, 3> projected;             // (S', M', P)
  View<const index_t, 1> projected_rows;  // (M,), each -1..M'-1; -1: this row is not there

  View<T, 3> outputs;   // out (T, N, O); 0 where a row has no step, as the next two
  View<T, 3> contexts;  // out (T, N, C)
  View<T, 3> attn;      // out (T, N, S); 0 from the row's memory length on
  View<T, 3> keys;      // out (S, M, A), additive
  View<T, 3> queries;   // out (T, N, A), additive and general; 0 where a row has no step
  View<T, 3> gates;     // out (T, N, 4·H): i f g o, or r z n and W_hn·h + b_hn; anything there
  // The first is the caller's and stays; state t + 1 is that after step t.
  View<T, 3> states;  // in and out (T + 1, N, H)
  View<T, 3> cells;   // in and out (T + 1, N, H), LSTM
  View<T, 3> fed;     // in and out (T + 1, N, F), where the query is the current state
};

// Padding of x and memory must hold finite numbers; M is N.
template <class T>
struct DecoderBackwardArgs : DecoderInputs<T> {
  View<const T, 3> outputs, contexts, attn, keys, queries, states, cells, fed;  // forward's
  View<T, 3> gates;                                                             // used up
  View<const T, 3> doutputs, dcontexts, dattn;                                  // absent: zeros
  // In: by the state after the last step; out: by the initial one.
  View<T, 2> dh, dc;  // (N, H), dc LSTM
  View<T, 2> dfed;    // (N, F), where the query is the current state

  // As in RnnBackwardArgs: where the gradient by the state before a step is cut, and the limit of
  // the gradients by the gates' pre-activations. What flows into memory is not cut.
  index_t truncate = 0;
  T clip_step = T(__builtin_inf());

  // Outputs, each absent where it is not wanted.
  View<T, 3> dx;       // (T, N, E)
  View<T, 3> dmemory;  // (S, N, C); 0 from the row's memory length on
  View<T, 2> dw_ih, dw_hh, dw_query, dw_key, dw_output;
  View<T, 1> db_ih, db_hh, db_key, dvector, db_output;
};

// The matrices of the time loop with fewer bits than float32: how products by them are computed,
// and, of a call that packs, themselves.
struct NarrowDecoder {
  const NarrowLinear* linear = nullptr;  // absent: all are plain
  Dots dots = Dots::none;
  NarrowMatrix w_ih, w_hh, w_query, w_output;  // as those of DecoderInputs
};

// Written by the kernel for the products after it; all zeros where a row has no step.
template <class T>
struct DecoderWork {
  View<T, 3> dqueries;  // (T, N, A)
  View<T, 3> dcontext;  // (T, N, C): by the contexts, on all roads
  View<T, 3> dscores;   // (T, N, S)
  View<T, 3> doutput;   // (T, N, O): by what tanh saw, with w_output
  View<T, 3> dkeys;     // (S, N, A), additive
  View<T, 2> dvector;   // (N, A), additive
};

// The kernels' own arguments.
template <class T>
struct DecoderPackTask {
  const DecoderInputs<T>& args;
  NarrowDecoder narrow;
};
template <class T>
struct DecoderForwardTask {
  const DecoderForwardArgs<T>& args;
  unsigned char* packed;  // DecoderPanels, filled; nullptr: the kernel fills its own
  NarrowDecoder narrow;   // what `packed` holds
};
template <class T>
struct DecoderBackwardTask {
  const DecoderBackwardArgs<T>& args;
  DecoderWork<T> work;
};
template <class T>
struct DecoderMemoryTask {
  const DecoderBackwardArgs<T>& args;
  DecoderWork<T> work;
};

}  // namespace fastrnn
