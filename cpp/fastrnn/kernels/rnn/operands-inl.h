// The rows that products by narrow weights multiply: h, what a stage leaves for the next, and x,
// each converted once and read by every tile.
#pragma once

#include "fastrnn/kernels/rnn/dots.h"
#include "fastrnn/kernels/rnn/narrow-inl.h"
#include "fastrnn/kernels/rnn/ranges-inl.h"
#include "fastrnn/memory/carver.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// Of one thread; h and aux are those of all threads, which own rows of them or panels.
template <class W>
class Operands<W, true> {
  using As = Narrow<W>;

 public:
  // N rows of `padded` units; chunks have up to `chunk` rows of I columns of x.
  Operands(Carver& carver, index_t N, index_t padded, index_t chunk, index_t I, int rank,
           int threads)
      : row_(padded * As::bytes), x_row_(ceil_div(I * As::bytes, kApart) * kApart), I_(I) {
    for (unsigned char*& rows : rows_) rows = carver.take<unsigned char>(N, row_);
    x_ = carver.take<unsigned char>(threads, chunk, x_row_) + rank * chunk * x_row_;
    list_ = carver.take<const unsigned char*>(threads, N) + rank * N;
    x_list_ = carver.take<const unsigned char*>(threads, chunk) + rank * chunk;
    factors_ = carver.take<float>(threads, N) + rank * N;
    x_factors_ = carver.take<float>(threads, chunk) + rank * chunk;
  }

#ifdef FASTRNN_INT8_TILES
  ~Operands() { release_tiles(); }
#endif
  Operands(const Operands&) = delete;
  Operands& operator=(const Operands&) = delete;

  // A vector of units of h of either parity, 0 and 1, or of what a stage leaves, 2.
  FASTRNN_INLINE void put(int which, index_t row, index_t unit, Vec<float> h) const {
    As::store_h(rows_[which] + row * row_ + unit * As::bytes, h);
  }
  // Row i of a chunk of x.
  void put_x(index_t i, const float* x) const {
    unsigned char* const to = x_ + i * x_row_;
    x_list_[i] = to;
    x_factors_[i] = As::store_x(to, x, I_);
  }
  // Before these rows of one of them are multiplied.
  void ready(int which, Range rows) const {
    for (index_t i = 0; i < rows.end - rows.begin; ++i) {
      list_[i] = rows_[which] + (rows.begin + i) * row_;
      if constexpr (As::scaled) factors_[i] = As::factor(list_[i], row_);
    }
  }

  // Those that were made ready, and those of x.
  const unsigned char* const* list() const { return list_; }
  const float* factors() const { return factors_; }
  const unsigned char* const* x_list() const { return x_list_; }
  const float* x_factors() const { return x_factors_; }

 private:
  static constexpr index_t kApart = 64;
  index_t row_, x_row_, I_;
  unsigned char *rows_[3], *x_;
  const unsigned char **list_, **x_list_;
  float *factors_, *x_factors_;
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
