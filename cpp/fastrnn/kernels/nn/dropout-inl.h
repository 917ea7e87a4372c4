// dropout: element i is dropped or not by a hash of its number and the call's key.
//
// There is no state: threads, float types and backward compute the same mask from (key, i) alone.
#pragma once

#include "fastrnn/kernels/nn/rows-inl.h"
#include "fastrnn/nn/table.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// 64 random bits for a counter: the output function of SplitMix64 (Steele, Lea and Flood, "Fast
// Splittable Pseudorandom Number Generators", 2014, figure 17), one step of it for each counter.
FASTRNN_INLINE std::uint64_t random_bits(std::uint64_t key, std::uint64_t counter) {
  std::uint64_t z = key + (counter + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

template <class T>
struct Dropout : WithoutScratch<DropoutArgs<T>> {
  // Elements 2j and 2j + 1 are decided by the lower and the upper half of the bits of j. The loops
  // are plain, so that the compiler makes vectors of each ISA's width of them.
  static void run(const DropoutArgs<T>& a, unsigned char*, Team& team) {
    constexpr index_t kPairs = 128;
    const bool all = a.p >= 1;
    const auto threshold = static_cast<std::uint32_t>(all ? 0 : a.p * 0x1p32);
    const T scale = all ? T(0) : T(1 / (1 - a.p));
    for_own_elements<T>(a.y.shape[0], team, [&](index_t first, index_t last) {
      std::uint64_t bits[kPairs];
      std::uint32_t halves[2 * kPairs];
      for (index_t i = first; i < last; i += 2 * kPairs) {
        T* const y = a.y.data + i;
        const index_t count = least(2 * kPairs, last - i);
        if (all) {
          __builtin_memset(y, 0, static_cast<std::size_t>(count) * sizeof(T));
          continue;
        }
        for (index_t j = 0; j < kPairs; ++j)
          bits[j] = random_bits(a.key, static_cast<std::uint64_t>(i / 2 + j));
        for (index_t j = 0; j < kPairs; ++j) {
          halves[2 * j] = static_cast<std::uint32_t>(bits[j]);
          halves[2 * j + 1] = static_cast<std::uint32_t>(bits[j] >> 32);
        }
        keep(a.x.data + i, halves, threshold, scale, count, y);
      }
    });
  }

 private:
  // The product is taken in any case: an operation under a condition would make no vectors.
  static void keep(const T* __restrict x, const std::uint32_t* __restrict bits,
                   std::uint32_t threshold, T scale, index_t count, T* __restrict y) {
    for (index_t k = 0; k < count; ++k) {
      const T scaled = x[k] * scale;
      y[k] = bits[k] >= threshold ? scaled : T(0);
    }
  }
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
