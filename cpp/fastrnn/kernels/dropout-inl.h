// dropout: element i is dropped or not by a hash of its number and the call's key.
//
// There is no state: threads, float types and backward compute the same mask from (key, i) alone.
#pragma once

#include "fastrnn/kernels/rows-inl.h"
#include "fastrnn/nn_table.h"

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
    const auto threshold = static_cast<std::uint64_t>(a.p * 0x1p32);  // p = 1: beyond all bits
    const T scale = a.p < 1 ? T(1 / (1 - a.p)) : T(0);
    for_own_elements<T>(a.y.shape[0], team, [&](index_t first, index_t last) {
      std::uint64_t bits[kPairs];
      std::uint64_t halves[2 * kPairs];
      for (index_t i = first; i < last; i += 2 * kPairs) {
        for (index_t j = 0; j < kPairs; ++j)
          bits[j] = random_bits(a.key, static_cast<std::uint64_t>(i / 2 + j));
        for (index_t j = 0; j < kPairs; ++j) {
          halves[2 * j] = bits[j] & 0xFFFFFFFFu;
          halves[2 * j + 1] = bits[j] >> 32;
        }
        const T* const x = a.x.data + i;
        T* const y = a.y.data + i;
        const index_t count = least(2 * kPairs, last - i);
        for (index_t k = 0; k < count; ++k) y[k] = halves[k] >= threshold ? x[k] * scale : T(0);
      }
    });
  }
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
