// Random bits without a state: a hash of a key and of a counter.
//
// Whoever asks for the same key and counter gets the same bits, so a mask need not be stored: each
// thread, each instruction set and the backward pass draw it again.
#pragma once

#include "fastrnn/simd/vec.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// The output function of SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
// Generators", 2014, figure 17), one step of it for each counter.
FASTRNN_INLINE std::uint64_t random_bits(std::uint64_t key, std::uint64_t counter) {
  std::uint64_t z = key + (counter + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

// Numbers first .. first + 2·Pairs of 32 bits, first even: the lower half of the bits of each
// counter, then the upper one. The loops are plain, so that the compiler makes vectors of them.
template <int Pairs>
FASTRNN_INLINE void random_numbers(std::uint64_t key, index_t first,
                                   std::uint32_t (&to)[2 * Pairs]) {
  std::uint64_t bits[Pairs];
  for (index_t j = 0; j < Pairs; ++j)
    bits[j] = random_bits(key, static_cast<std::uint64_t>(first / 2 + j));
  for (index_t j = 0; j < Pairs; ++j) {
    to[2 * j] = static_cast<std::uint32_t>(bits[j]);
    to[2 * j + 1] = static_cast<std::uint32_t>(bits[j] >> 32);
  }
}

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
