// Products by narrow weights on a CPU that multiplies whole tiles: see narrow_tile-inl.h.
//
// Tiles take k by 16 words; the words behind are added by dot products of words. The order of a
// row's sums is the same for every number of rows.
#pragma once

#include "fastrnn/kernels/rnn/narrow_tile-inl.h"
#include "fastrnn/simd/matrix_dot-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// The sums of one row and one vector, finished and written.
template <class Dot>
FASTRNN_INLINE void finish_sum(const NarrowProduct& p, index_t row, index_t v,
                               const std::int32_t* sums) {
  constexpr int L = kLanes<float>;
  const index_t done = p.steps / kTileRows * kTileRows, width = p.vectors * FASTRNN_VEC_BYTES;
  typename Dot::Sum sum = reinterpret_cast<typename Dot::Sum>(load_words(sums));
  for (index_t k = done; k < p.steps; ++k)
    Dot::add(sum, Dot::operand(p.a[row] + 4 * k),
             Dot::weights(p.w + k * width + v * FASTRNN_VEC_BYTES));
  float* const to = p.out[row] + p.offset + v * L;
  const Vec<float> init = load(p.init != nullptr ? p.init + v * L : to);
  if constexpr (Dot::exact) {
    const Vec<float> by = load(p.scale + v * L) * set1(p.factor[row]);
    const Ints all = sum + load_words(p.start + v * L);
    store(to, init + __builtin_convertvector(all, Vec<float>) * by);
  } else {
    store(to, init + sum);
  }
}

// Rows row .. row + rows of the product by `vectors` vectors from v on.
template <class Dot>
FASTRNN_NOINLINE void matrix_block(const NarrowProduct& p, index_t row, index_t rows, index_t v,
                                   index_t vectors) {
  alignas(64) std::int32_t sums[MatrixDot::kSums];
  const index_t apart = rows > 1 ? p.a[row + 1] - p.a[row] : 0;
  MatrixDot(rows, vectors)
      .run(p.a[row], apart, p.w + v * FASTRNN_VEC_BYTES, p.vectors * FASTRNN_VEC_BYTES,
           p.steps / kTileRows, sums);
  for (index_t i = 0; i < vectors; ++i)
    for (index_t r = 0; r < rows; ++r)
      finish_sum<Dot>(p, row + r, v + i, sums + i * MatrixDot::kVector + r * kLanes<float>);
}

template <class Dot>
FASTRNN_INLINE void matrix_product(const NarrowProduct& p) {
  const index_t blocks = ceil_div(p.rows, 2 * kTileRows);
  for (index_t b = 0; b < blocks; ++b) {
    const index_t row = p.rows * b / blocks, rows = p.rows * (b + 1) / blocks - row;
    const index_t abreast = rows > kTileRows ? 2 : 4;
    for (index_t v = 0; v < p.vectors; v += abreast)
      matrix_block<Dot>(p, row, rows, v, least(abreast, p.vectors - v));
  }
}

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
