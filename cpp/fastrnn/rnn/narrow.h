// Weights of fewer bits than float32: their types, and a product by them as its kernels take it.
#pragma once

#include <cstdint>

#include "fastrnn/types.h"

namespace fastrnn {

// The upper half of a float32.
struct BFloat16 {
  std::uint16_t bits;
};

// IEEE 754's binary16. Tapes of layers in bfloat16 keep gates and cell states in it: they lie
// between -1 and 1, or not far from it, where bfloat16 has an eighth of its steps.
struct Half {
  std::uint16_t bits;
};

// Of packed weights. Those of a call in float32 or float64 are plain; the narrow ones, all others,
// are for float32, and int8 is for inference.
enum class Precision : int { plain, int8, bfloat16 };

// What of the CPU makes products by narrow weights faster: instructions for the dot products of
// words, or for those of whole tiles.
enum class Dots : int { none, words, tiles };

// out[r] = init + scale·factor[r]·(start + sum over k of a[r][k]·w[k]) of bytes, in whole numbers
// up to the bracket; of bfloat16 out[r] = init + sum over k of a[r][k]·w[k].
struct NarrowProduct {
  index_t rows, vectors;          // vectors of float32 side by side
  const unsigned char* const* a;  // [rows] of `steps` words: four u8, or two bfloat16, of k
  index_t steps;
  const unsigned char* w;     // [step][vector][lane] of such words; of s8
  const std::int32_t* start;  // [vector][lane], as the next two
  const float *scale, *init;  // init null: what out holds
  const float* factor;        // [rows]
  float* const* out;          // [rows], written from `offset` on
  index_t offset;
};

}  // namespace fastrnn
