// The checks of attention_decoder: sizes are read from some arrays, and all others have to agree.
#pragma once

#include <string>

#include "fastrnn/check_shape.h"
#include "fastrnn/nn/decoder_args.h"

namespace fastrnn {

// The sizes of a call; T and N are those of x.
struct Sizes {
  index_t T, N, S, M, E, C, H, G, A, F, O;
};

template <class T>
Sizes sizes_of(const DecoderInputs<T>& a) {
  Sizes s{};
  s.S = a.memory.shape[0];
  s.M = a.memory.shape[1];
  s.C = a.memory.shape[2];
  s.H = a.w_hh.shape[1];
  s.G = a.lstm ? 4 : 3;
  s.A = a.score == Score::dot ? s.H : a.score == Score::general ? s.C : a.w_query.shape[0];
  s.F = a.F;
  s.T = a.x.shape[0];
  s.N = a.x.shape[1];
  s.E = a.x ? a.x.shape[2] : a.w_ih.shape[1] - s.F;
  s.O = a.w_output ? a.w_output.shape[0] : s.H;
  return s;
}

inline void check_counts(const char* name, const View<const index_t, 1>& counts, index_t most) {
  for (index_t n = 0; counts && n < counts.shape[0]; ++n)
    FASTRNN_CHECK(*counts.at(n) >= 0 && *counts.at(n) <= most,
                  std::string(name) + " must lie in 0.." + std::to_string(most) + ", got " +
                      std::to_string(*counts.at(n)));
}

template <class T>
void check_weights(const DecoderInputs<T>& a, const Sizes& s) {
  FASTRNN_CHECK(s.H >= 1, "w_hh must have at least one column");
  FASTRNN_CHECK(s.E >= 0, "w_ih must have at least F columns");
  FASTRNN_CHECK(s.F == 0 || s.F == (a.current && a.w_output ? s.O : s.C),
                "F must be the width of what feeds");
  check_shape("w_hh", a.w_hh, "(G*H, H)", {s.G * s.H, s.H});
  check_shape("w_ih", a.w_ih, "(G*H, E + F)", {s.G * s.H, s.E + s.F});
  check_optional("b_ih", a.b_ih, "(G*H,)", {s.G * s.H});
  check_optional("b_hh", a.b_hh, "(G*H,)", {s.G * s.H});
  const bool additive = a.score == Score::additive;
  FASTRNN_CHECK(bool(a.w_query) == (a.score != Score::dot) && bool(a.w_key) == additive &&
                    bool(a.vector) == additive && (additive || !a.b_key),
                "w_query, w_key, b_key and vector must be those of the score");
  if (a.w_query) check_shape("w_query", a.w_query, "(A, H)", {s.A, s.H});
  check_optional("w_key", a.w_key, "(A, C)", {s.A, s.C});
  check_optional("b_key", a.b_key, "(A,)", {s.A});
  check_optional("vector", a.vector, "(A,)", {s.A});
  check_optional("w_output", a.w_output, "(O, H + C)", {s.O, s.H + s.C});
  check_optional("b_output", a.b_output, "(O,)", {s.O});
  FASTRNN_CHECK(a.w_output || !a.b_output, "b_output must be absent without w_output");
  FASTRNN_CHECK(a.score != Score::dot || s.C == s.H,
                "memory must have H columns for the dot score");
}

template <class T>
void check_rows(const DecoderInputs<T>& a, const Sizes& s) {
  check_optional("lengths", a.lengths, "(N,)", {s.N});
  check_optional("memory_lengths", a.memory_lengths, "(M,)", {s.M});
  check_optional("memory_rows", a.memory_rows, "(N,)", {s.N});
  check_counts("lengths", a.lengths, s.T);
  check_counts("memory_lengths", a.memory_lengths, s.S);
  check_counts("memory_rows", a.memory_rows, s.M - 1);
  FASTRNN_CHECK(a.memory_rows || s.M == s.N, "memory must have N rows without memory_rows");
}

// The arrays that forward writes and backward reads.
template <class Args>
void check_kept(const Args& a, const Sizes& s) {
  check_shape("outputs", a.outputs, "(T, N, O)", {s.T, s.N, s.O});
  check_shape("contexts", a.contexts, "(T, N, C)", {s.T, s.N, s.C});
  check_shape("attn", a.attn, "(T, N, S)", {s.T, s.N, s.S});
  check_shape("gates", a.gates, "(T, N, 4*H)", {s.T, s.N, 4 * s.H});
  check_shape("states", a.states, "(T + 1, N, H)", {s.T + 1, s.N, s.H});
  FASTRNN_CHECK(bool(a.cells) == a.lstm && bool(a.fed) == (a.current && s.F > 0) &&
                    bool(a.keys) == bool(a.w_key) && bool(a.queries) == bool(a.w_query),
                "cells, fed, keys and queries must be there exactly where they are used");
  check_optional("cells", a.cells, "(T + 1, N, H)", {s.T + 1, s.N, s.H});
  check_optional("fed", a.fed, "(T + 1, N, F)", {s.T + 1, s.N, s.F});
  check_optional("keys", a.keys, "(S, M, A)", {s.S, s.M, s.A});
  check_optional("queries", a.queries, "(T, N, A)", {s.T, s.N, s.A});
}

// The arrays that may have been made before the call.
template <class T>
void check_ready(const DecoderForwardArgs<T>& a, const Sizes& s) {
  FASTRNN_CHECK(bool(a.x) != bool(a.table) && bool(a.table) == bool(a.tokens),
                "x, or table and tokens, must be there");
  FASTRNN_CHECK(bool(a.projected) == bool(a.projected_rows),
                "projected and projected_rows must be there together");
  check_optional("table", a.table, "(V, G*H)", {a.table.shape[0], s.G * s.H});
  check_optional("tokens", a.tokens, "(T*N,)", {s.T * s.N});
  check_counts("tokens", a.tokens, a.table.shape[0] - 1);
  const index_t fed = a.current || s.F == 0 ? 0 : s.G * s.H, positions = a.projected.shape[0];
  check_optional("projected", a.projected, "(S', M', P)",
                 {positions, a.projected.shape[1], fed + (a.w_output ? s.O : 0)});
  check_optional("projected_rows", a.projected_rows, "(M,)", {s.M});
  for (index_t m = 0; a.projected && m < s.M; ++m) {
    const index_t row = *a.projected_rows.at(m);
    FASTRNN_CHECK(row >= -1 && row < a.projected.shape[1] &&
                      (row < 0 || positions >= (a.memory_lengths ? *a.memory_lengths.at(m) : s.S)),
                  "projected_rows must lie in -1..M'-1, and projected must have all positions");
  }
  FASTRNN_CHECK(!a.weights || a.weights->fits(a), "weights must be those that were packed");
}

}  // namespace fastrnn
