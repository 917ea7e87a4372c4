// Products by narrow weights on a CPU that multiplies whole tiles: see narrow_tile-inl.h.
//
// Tiles take k by 16 words; the words behind are added by dot products of words. The order of a
// row's sums is the same for every number of rows.
#pragma once

#include "fastrnn/kernels/rnn/dots.h"
#include "fastrnn/kernels/rnn/narrow_tile-inl.h"
#include "fastrnn/simd/matrix_dot-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// Adds the words that tiles leave over to the sums of some rows and one vector, and writes what
// they come to.
template <class Dot>
FASTRNN_INLINE void finish_sums(const NarrowProduct& p, index_t row, index_t rows, index_t v,
                                const std::int32_t* sums) {
  constexpr int L = kLanes<float>;
  const index_t first = p.steps / kTileRows * kTileRows, last = p.steps;
  const index_t width = p.vectors * FASTRNN_VEC_BYTES, column = p.offset + v * L;
  const unsigned char* const w = p.w + v * FASTRNN_VEC_BYTES;
  const unsigned char* const* const a = p.a + row;
  const float* const factor = Dot::exact ? p.factor + row : nullptr;
  float* const* const out = p.out + row;
  const bool fresh = p.init != nullptr;
  const Vec<float> init = fresh ? load(p.init + v * L) : Vec<float>{};
  const Vec<float> scale = Dot::exact ? load(p.scale + v * L) : Vec<float>{};
  const Ints start = Dot::exact ? load_words(p.start + v * L) : Ints{};
  for (index_t r = 0; r < rows; ++r) {
    typename Dot::Sum sum = reinterpret_cast<typename Dot::Sum>(load_words(sums + r * L));
    for (index_t k = first; k < last; ++k)
      Dot::add(sum, Dot::operand(a[r] + 4 * k), Dot::weights(w + k * width));
    float* const to = out[r] + column;
    const Vec<float> before = fresh ? init : load(to);
    if constexpr (Dot::exact)
      store(to, before + __builtin_convertvector(sum + start, Vec<float>) * (scale * factor[r]));
    else
      store(to, before + sum);
  }
}

// Rows row .. row + rows of the product by `vectors` vectors from v on.
template <class Dot>
FASTRNN_NOINLINE void matrix_block(const NarrowProduct& p, index_t row, index_t rows, index_t v,
                                   index_t vectors) {
  alignas(64) std::int32_t sums[MatrixDot::kSums];
  const index_t apart = rows > 1 ? p.a[row + 1] - p.a[row] : 0;
  MatrixDot(rows, vectors, tile_rows())
      .run(p.a[row], apart, p.w + v * FASTRNN_VEC_BYTES, p.vectors * FASTRNN_VEC_BYTES,
           p.steps / kTileRows, sums);
  for (index_t i = 0; i < vectors; ++i)
    finish_sums<Dot>(p, row, rows, v + i, sums + i * MatrixDot::kVector);
}

template <class Dot>
FASTRNN_INLINE void matrix_product(const NarrowProduct& p) {
  for (index_t row = 0; row < p.rows; row += 2 * kTileRows) {
    const index_t rows = least(2 * kTileRows, p.rows - row);
    const index_t abreast = rows > kTileRows ? 2 : 4;
    for (index_t v = 0; v < p.vectors; v += abreast)
      matrix_block<Dot>(p, row, rows, v, least(abreast, p.vectors - v));
  }
}

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
