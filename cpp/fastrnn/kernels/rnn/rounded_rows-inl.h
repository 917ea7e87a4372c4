// Products of the way back in bfloat16: rows of gradients, rounded once, by transposed weights.
//
// Rows lie one after the other, as tiles take them. Where calls are in float64 nothing of it is
// compiled.
#pragma once

#include "fastrnn/kernels/rnn/dots.h"
#include "fastrnn/kernels/rnn/narrow-inl.h"
#include "fastrnn/kernels/rnn/pack-inl.h"
#include "fastrnn/kernels/rnn/ranges-inl.h"
#include "fastrnn/memory/carver.h"
#include "fastrnn/simd/dot-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// Whether a layer's products by w_ih and w_hh are in bfloat16.
template <class T>
FASTRNN_INLINE bool in_bfloat16(const Layer<T>& layer) {
  return kMayBeNarrow<T> && layer.precision == Precision::bfloat16;
}

// p where only `columns` elements of a row of out exist: what does not fit goes by way of rows that
// have room.
template <class T>
FASTRNN_NOINLINE void multiply_columns(const NarrowProduct& p, index_t columns, Dots dots) {
  constexpr index_t L = kLanes<T>, kRows = 32;
  if (columns >= p.vectors * L) return multiply_bfloat16(p, dots);
  alignas(64) T spare[kRows][kMostVectors * L];
  T* out[kRows];
  for (index_t r = 0; r < kRows; ++r) out[r] = spare[r];
  for (index_t row = 0; row < p.rows; row += kRows) {
    NarrowProduct some = p;
    some.rows = least(kRows, p.rows - row);
    some.a += row;
    some.out = out;
    some.offset = 0;
    const auto copy = [&](auto&& f) {
      for (index_t r = 0; r < some.rows; ++r)
        for (index_t v = 0; v < p.vectors; ++v)
          f(out[r] + v * L, p.out[row + r] + p.offset + v * L, columns - v * L);
    };
    if (p.init == nullptr) copy([](T* to, T* from, index_t n) { store(to, load(from, n)); });
    multiply_bfloat16(some, dots);
    copy([](T* from, T* to, index_t n) { store(to, load(from), n); });
  }
}

template <class T>
class RoundedRows {
 public:
  RoundedRows(Carver&, index_t, index_t) {}
};

template <>
class RoundedRows<float> {
  static constexpr int L = kLanes<float>;
  static constexpr index_t kApart = 64;  // bytes, by which rows miss each other's cache lines

 public:
  // So many rows of `width` elements.
  RoundedRows(Carver& carver, index_t rows, index_t width)
      : apart_(2 * width + kApart), rows_(rows) {
    words_ = carver.take<unsigned char>(rows, apart_);
    list_ = carver.take<const unsigned char*>(rows);
  }

#ifdef FASTRNN_INT8_TILES
  ~RoundedRows() { release_tiles(); }
#endif
  RoundedRows(const RoundedRows&) = delete;
  RoundedRows& operator=(const RoundedRows&) = delete;

  // By one thread, before anything else.
  void start() const {
    for (index_t r = 0; r < rows_; ++r) list_[r] = words_ + r * apart_;
  }

  // Row r: the vectors `slots` of these panels of a line, which has S of them in a panel.
  FASTRNN_NOINLINE void round(index_t r, const float* line, int S, Slots slots,
                              Range panels) const {
    for (index_t j = panels.begin; j < panels.end; ++j)
      for (int s = 0; s < slots.count; ++s)
        store_bfloat16(words_ + r * apart_ + 2 * (j * slots.count + s) * L,
                       load(line + (j * S + slots.slot + s) * L));
  }

  // Some rows by `width` panels of columns, from panel j on, of weights that pack_back_words() has
  // packed; K of them in a column. init and columns as in Product.
  FASTRNN_NOINLINE void multiply(Range rows, index_t K, const float* weights, index_t j,
                                 index_t width, const float* init, float* const* to, Dots dots,
                                 index_t columns = kAllColumns) const {
    NarrowProduct p{rows.end - rows.begin, width, list_ + rows.begin, K / 2};
    p.w = reinterpret_cast<const unsigned char*>(weights + j * K / 2 * L);
    p.init = init;
    p.out = to;
    p.offset = j * L;
    multiply_columns<float>(p, columns, dots);
  }

 private:
  index_t apart_, rows_;
  unsigned char* words_;
  const unsigned char** list_;
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
