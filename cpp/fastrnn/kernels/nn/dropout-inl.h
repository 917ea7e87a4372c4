// dropout: element i is dropped or not by a hash of its number and the call's key.
//
// There is no state: threads, float types and backward compute the same mask from (key, i) alone.
#pragma once

#include "fastrnn/kernels/nn/rows-inl.h"
#include "fastrnn/kernels/random-inl.h"
#include "fastrnn/nn/table.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class T>
struct Dropout : WithoutScratch<DropoutArgs<T>> {
  static void run(const DropoutArgs<T>& a, unsigned char*, Team& team) {
    constexpr int kPairs = 128;
    const bool all = a.p >= 1;
    const auto threshold = static_cast<std::uint32_t>(all ? 0 : a.p * 0x1p32);
    const T scale = all ? T(0) : T(1 / (1 - a.p));
    for_own_elements<T>(a.y.shape[0], team, [&](index_t first, index_t last) {
      std::uint32_t numbers[2 * kPairs];
      for (index_t i = first; i < last; i += 2 * kPairs) {
        T* const y = a.y.data + i;
        const index_t count = least(2 * kPairs, last - i);
        if (all) {
          __builtin_memset(y, 0, static_cast<std::size_t>(count) * sizeof(T));
          continue;
        }
        random_numbers<kPairs>(a.key, i, numbers);
        // Compilers make vectors of a loop whose length they know, also where code is to be small.
        if (count == 2 * kPairs)
          keep(a.x.data + i, numbers, threshold, scale, 2 * kPairs, y);
        else
          keep(a.x.data + i, numbers, threshold, scale, count, y);
      }
    });
  }

 private:
  // The product is taken in any case: an operation under a condition would make no vectors.
  static FASTRNN_INLINE void keep(const T* __restrict x, const std::uint32_t* __restrict numbers,
                                  std::uint32_t threshold, T scale, index_t count,
                                  T* __restrict y) {
    for (index_t k = 0; k < count; ++k) {
      const T scaled = x[k] * scale;
      y[k] = numbers[k] >= threshold ? scaled : T(0);
    }
  }
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
