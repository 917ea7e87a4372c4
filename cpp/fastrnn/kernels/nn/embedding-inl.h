// embedding: rows of a table by number, and their gradients added up in the table's shape.
#pragma once

#include "fastrnn/kernels/nn/rows-inl.h"
#include "fastrnn/nn/table.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class T>
struct EmbeddingForward : WithoutScratch<EmbeddingForwardArgs<T>> {
  static void run(const EmbeddingForwardArgs<T>& a, unsigned char*, Team& team) {
    const auto bytes = static_cast<std::size_t>(a.w.shape[1]) * sizeof(T);
    for_own_rows(a.ids.shape[0], team,
                 [&](index_t m) { __builtin_memcpy(a.y.at(m), a.w.at(*a.ids.at(m)), bytes); });
  }
};

// Threads share the columns: each adds up all words in its own, in the order in which they come, so
// that nobody sorts, nobody waits, and a word that comes often keeps nobody else busy.
template <class T>
struct EmbeddingBackward : WithoutScratch<EmbeddingBackwardArgs<T>> {
  static constexpr index_t L = kLanes<T>;

  static void run(const EmbeddingBackwardArgs<T>& a, unsigned char*, Team& team) {
    const Range columns = share(a.dw.shape[1], team.rank(), team.size(), 64 / sizeof(T));
    for (index_t m = 0; m < a.ids.shape[0]; ++m) {
      team.check();
      const index_t id = *a.ids.at(m);
      if (id == a.padding_idx) continue;
      const T* const dy = a.dy.at(m);
      T* const dw = a.dw.at(id);
      for (index_t e = columns.begin; e < columns.end; e += L) {
        const index_t left = columns.end - e;
        store(dw + e, load(dw + e, left) + load(dy + e, left), left);
      }
    }
  }
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
