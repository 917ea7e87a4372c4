// attention: one query a row over the keys of its row, by dot products.
#pragma once

#include "fastrnn/kernels/nn/attend-inl.h"
#include "fastrnn/nn/table.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// The keys of one row that exist.
template <class T>
FASTRNN_INLINE Lines<T> keys_of(const View<const T, 3>& keys, index_t row, index_t steps) {
  return {keys.data + row * keys.stride[1], keys.stride[0], steps, keys.shape[2]};
}

template <class T>
FASTRNN_INLINE index_t steps_of(const View<const index_t, 1>& lengths, index_t row, index_t S) {
  return lengths ? *lengths.at(row) : S;
}

template <class T>
struct AttentionForward : WithoutScratch<AttentionForwardArgs<T>> {
  static void run(const AttentionForwardArgs<T>& a, unsigned char*, Team& team) {
    const index_t S = a.keys.shape[0];
    for_own_rows(a.query.shape[0], team, [&](index_t n) {
      const index_t steps = steps_of<T>(a.lengths, n, S);
      T* const attn = a.attn.at(n);
      __builtin_memset(attn + steps, 0, static_cast<std::size_t>(S - steps) * sizeof(T));
      const Lines<T> keys = keys_of(a.keys, n, steps);
      dot_lines(keys, a.query.at(n), attn);
      softmax_in_place(attn, steps);
      sum_lines(keys, attn, false, a.context.at(n));
    });
  }
};

// dscores[s] = attn[s]·(dattn[s] - sum of attn·dattn), dattn that by the weights on both roads
template <class T>
struct AttentionBackward {
  using Args = AttentionBackwardArgs<T>;
  static constexpr index_t L = kLanes<T>;

  static std::size_t bytes(const Args& a, int threads) {
    Carver sizes(nullptr);
    sizes.take<T>(threads, size(a));
    return sizes.bytes();
  }

  static void run(const Args& a, unsigned char* scratch, Team& team) {
    T* const dscores = Carver(scratch).take<T>(team.size(), size(a)) + team.rank() * size(a);
    const index_t S = a.keys.shape[0];
    for_own_rows(a.query.shape[0], team, [&](index_t n) {
      const index_t steps = steps_of<T>(a.lengths, n, S);
      const T* const attn = a.attn.at(n);
      const Lines<T> keys = keys_of(a.keys, n, steps);
      __builtin_memset(dscores, 0, static_cast<std::size_t>(steps) * sizeof(T));
      if (a.dcontext) dot_lines(keys, a.dcontext.at(n), dscores);
      for (index_t s = 0; a.dattn && s < steps; ++s) dscores[s] += a.dattn.at(n)[s];
      softmax_slope(attn, dscores, steps);
      if (a.dquery) sum_lines(keys, dscores, false, a.dquery.at(n));
      for (index_t s = 0; a.dkeys && s < S; ++s) key_gradient(a, n, s, s < steps, attn, dscores);
    });
  }

 private:
  // Whole cache lines for each thread.
  static index_t size(const Args& a) { return ceil_div(a.keys.shape[0], 16) * 16; }

  static void key_gradient(const Args& a, index_t n, index_t s, bool exists, const T* attn,
                           const T* dscores) {
    const index_t H = a.keys.shape[2];
    T* const dk = a.dkeys.at(s, n);
    if (!exists) {
      __builtin_memset(dk, 0, static_cast<std::size_t>(H) * sizeof(T));
      return;
    }
    for (index_t h = 0; h < H; h += L) {
      Vec<T> d = set1(dscores[s]) * load(a.query.at(n) + h, H - h);
      if (a.dcontext) d = fma(set1(attn[s]), load(a.dcontext.at(n) + h, H - h), d);
      store(dk + h, d, H - h);
    }
  }
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
