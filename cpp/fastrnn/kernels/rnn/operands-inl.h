// The rows that products by narrow weights multiply: h, what a stage leaves for the next, and x,
// each converted once and read by every tile. Rows with scales of their own are converted when all
// of them is known, by each thread that multiplies them: that takes less than to meet once more.
#pragma once

#include "fastrnn/kernels/rnn/dots.h"
#include "fastrnn/kernels/rnn/narrow-inl.h"
#include "fastrnn/kernels/rnn/ranges-inl.h"
#include "fastrnn/memory/carver.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// Of one thread: rows to be multiplied, and what their products are multiplied by.
struct NarrowRows {
  const unsigned char** list;
  float* factors;
  unsigned char* own;  // where they are converted to
};

// Narrow weights in panel order: K columns, `count` vectors of a panel.
template <class W>
struct NarrowPanels {
  const W* w;
  const Scales<float>& of;
  index_t K;
  int count;
};

// Of one thread; h and aux are those of all threads, which own rows of them or panels.
template <class W>
class Operands<W, true> {
  using As = Narrow<W>;

 public:
  // N rows of `padded` units; chunks have up to `chunk` rows of I columns of x.
  Operands(Carver& carver, index_t N, index_t padded, index_t chunk, index_t I, int rank,
           int threads, OwnRows own = {})
      : row_(padded * As::bytes), x_row_(ceil_div(I * As::bytes, kApart) * kApart), I_(I) {
    const auto take = [&](index_t rows, index_t row) -> NarrowRows {
      return {carver.take<const unsigned char*>(threads, rows) + rank * rows,
              carver.take<float>(threads, rows) + rank * rows,
              carver.take<unsigned char>(threads, rows, row) + rank * rows * row};
    };
    for (unsigned char*& rows : rows_) rows = carver.take<unsigned char>(own.h ? 0 : N, row_);
    h_ = take(N, own.h ? row_ : 0);
    c_ = take(own.c ? N : 0, row_);
    x_ = take(chunk, x_row_);
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
  FASTRNN_NOINLINE void put_x(index_t i, const float* x) const {
    unsigned char* const to = x_.own + i * x_row_;
    x_.list[i] = to;
    x_.factors[i] = As::store_x(to, x, I_);
  }
  // Some rows of h, of what a stage leaves, of what is projected; or of c.
  FASTRNN_NOINLINE void convert(const NarrowRows& to, const float* const* from, index_t rows,
                                index_t count) const {
    for (index_t i = 0; i < rows; ++i) {
      to.list[i] = to.own + i * row_;
      to.factors[i] = As::store_row(to.own + i * row_, from[i], count);
    }
  }
  // Before these rows of one of them are multiplied.
  void ready(int which, Range rows) const {
    for (index_t i = 0; i < rows.end - rows.begin; ++i) {
      h_.list[i] = rows_[which] + (rows.begin + i) * row_;
      if constexpr (As::scaled) h_.factors[i] = As::factor(h_.list[i], row_);
    }
  }

  // Those that were made ready or converted.
  const NarrowRows& h() const { return h_; }
  const NarrowRows& c() const { return c_; }
  const NarrowRows& x() const { return x_; }

  // The product of some of them by `width` panels of weights, from panel j on.
  static FASTRNN_INLINE void multiply_here(Dots dots, Range rows, const NarrowRows& a,
                                           const NarrowPanels<W>& by, index_t j, index_t width,
                                           const float* init, float* const* to, index_t offset) {
    const index_t first = j * by.count * kLanes<float>, steps = words_of<W>(by.K);
    NarrowProduct p{rows.end - rows.begin,
                    width * by.count,
                    a.list + rows.begin,
                    steps,
                    nullptr,
                    nullptr,
                    nullptr,
                    init,
                    a.factors + rows.begin,
                    to,
                    offset};
    p.w = reinterpret_cast<const unsigned char*>(by.w + first * steps * As::together);
    if constexpr (As::scaled) p.start = by.of.start + first, p.scale = by.of.scale + first;
    As::multiply(p, dots);
  }
  // The same in one place for all cells: a fifth of their code, and w_hh alone is multiplied by so
  // often that it counts.
  static FASTRNN_NOINLINE void multiply(Dots dots, Range rows, const NarrowRows& a,
                                        const NarrowPanels<W>& by, index_t j, index_t width,
                                        const float* init, float* const* to, index_t offset) {
    multiply_here(dots, rows, a, by, j, width, init, to, offset);
  }

 private:
  static constexpr index_t kApart = 64;
  index_t row_, x_row_, I_;
  unsigned char* rows_[3];
  NarrowRows h_, c_, x_;
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
