// Shared by the decoder's kernels: whole packed matrices, a thread's rows, lists of row pointers.
#pragma once

#include "fastrnn/kernels/nn/product-inl.h"
#include "fastrnn/kernels/nn/rows-inl.h"
#include "fastrnn/nn/decoder_args.h"
#include "fastrnn/nn/narrow_linear.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// A matrix that every step multiplies by: packed once for all threads. Of float32 it may have fewer
// bits; what multiplies it is then converted row by row.
template <class T>
class Whole {
 public:
  void take(Carver& carver, index_t K, index_t columns, const NarrowDecoder& narrow) {
    K_ = K;
    columns_ = columns;
    linear_ = narrow.linear;
    dots_ = narrow.dots;
    if (linear_)
      block_ = carver.take<unsigned char>(static_cast<index_t>(linear_->packed_bytes(columns, K)));
    else
      packed_ = carver.take<T>(column_groups<T>(columns), group_size());
    bias_ = carver.take<T>(column_groups<T>(columns), kGroupColumns<T>);
  }

  // right = w (K, columns), or wᵀ; this thread's part of the packing.
  void fill(const View<const T, 2>& w, bool transposed, const View<const T, 1>& b, Team& team) {
    const Range mine = share(column_groups<T>(columns_), team.rank(), team.size(), 1);
    for (index_t g = mine.begin; g < mine.end; ++g) {
      const index_t column = g * kGroupColumns<T>;
      pack_right(w, transposed, 0, K_, column, packed_ + g * group_size(), team);
      load_bias(b, column, kGroupColumns<T>, bias_ + column);
    }
  }

  // right = wᵀ with fewer bits, by one thread.
  void fill(const NarrowMatrix& w, const View<const T, 1>& b, Team& team) {
    linear_->pack(w, block_, team);
    for (index_t g = 0; g < column_groups<T>(columns_); ++g)
      load_bias(b, g * kGroupColumns<T>, kGroupColumns<T>, bias_ + g * kGroupColumns<T>);
  }

  // Scratch for up to so many rows.
  index_t bytes(index_t rows) const {
    if (!linear_) return 0;
    return static_cast<index_t>(linear_->rows_bytes(rows, columns_, K_));
  }

  // to[row] = bias + from[row]·right, or, adding, += from[row]·right.
  void times(index_t rows, const T* const* from, bool add, T* const* to, unsigned char* scratch,
             Team& team) const {
    if constexpr (kMayBeNarrow<T>) {
      if (linear_ && rows > 0)
        return linear_->multiply_rows(
            {rows, columns_, K_, from, add ? nullptr : bias_, to, block_, dots_}, scratch, team);
    }
    for (index_t g = 0; rows > 0 && g < column_groups<T>(columns_); ++g) {
      team.check();
      const index_t column = g * kGroupColumns<T>, left = columns_ - column;
      multiply<T>({rows,
                   least(kMostVectors, panels_of<T>(left)),
                   {from, 0},
                   {1, K_, 0},
                   packed_ + g * group_size(),
                   add ? nullptr : bias_ + column,
                   {to, column},
                   left});
    }
  }

 private:
  index_t group_size() const { return panels_of<T>(K_) * kLanes<T> * kGroupColumns<T>; }
  index_t K_ = 0, columns_ = 0;
  const NarrowLinear* linear_ = nullptr;
  Dots dots_ = Dots::none;
  unsigned char* block_ = nullptr;  // of linear_
  T *packed_ = nullptr, *bias_ = nullptr;
};

// Some rows and columns of a matrix.
template <class T>
FASTRNN_INLINE View<const T, 2> block_of(const View<const T, 2>& w, index_t row, index_t rows,
                                         index_t column, index_t columns) {
  return {w.at(row, column), {rows, columns}, {w.stride[0], w.stride[1]}};
}

template <class T>
FASTRNN_INLINE void copy_row(const T* from, index_t n, T* to) {
  __builtin_memcpy(to, from, static_cast<std::size_t>(n) * sizeof(T));
}
template <class T>
FASTRNN_INLINE void clear_row(T* row, index_t n) {
  __builtin_memset(row, 0, static_cast<std::size_t>(n) * sizeof(T));
}
template <class T>
FASTRNN_INLINE void add_row(const T* from, index_t n, T* to) {
  constexpr index_t L = kLanes<T>;
  for (index_t i = 0; i < n; i += L)
    store(to + i, load(to + i, n - i) + load(from + i, n - i), n - i);
}

// Where the gate of a cell's slot lies in a row of gates: r z n hn, or i f g o.
template <class C>
FASTRNN_INLINE constexpr index_t column_of(int slot) {
  return slot < C::shape.x_products ? C::shape.gate[slot] : C::shape.x_products;
}

// A thread's rows, so many at a time that their gates and their memory stay near: a block of rows
// goes through all steps before the next one begins. Only those that have a step take part in it.
template <class T>
class DecoderRows {
 public:
  static constexpr index_t kAtOnce = 48;

  // bytes: of scratch, of a thread's products.
  void take(Carver& carver, int threads, index_t bytes = 0) {
    active_ = carver.take<index_t>(threads, kAtOnce);
    from_ = carver.take<const T*>(threads, kAtOnce);
    to_ = carver.take<T*>(threads, kAtOnce);
    bytes_ = bytes;
    scratch_ = carver.take<unsigned char>(threads, bytes);
  }

  void bind(const Team& team) {
    active_ += team.rank() * kAtOnce;
    from_ += team.rank() * kAtOnce;
    to_ += team.rank() * kAtOnce;
    scratch_ += team.rank() * bytes_;
  }

  // f() for each block of this thread's share of N rows.
  template <class F>
  void for_blocks(index_t N, const Team& team, F&& f) {
    const Range mine = share(N, team.rank(), team.size(), 1);
    const index_t count = mine.end - mine.begin, blocks = ceil_div(count, kAtOnce);
    for (index_t b = 0; b < blocks; ++b) {
      block_ = share(count, static_cast<int>(b), static_cast<int>(blocks), 1);
      block_.begin += mine.begin;
      block_.end += mine.begin;
      f();
    }
  }

  // Lists the rows with step t; idle(n) for the others.
  template <class Idle>
  void list(const View<const index_t, 1>& lengths, index_t t, Idle&& idle) {
    count_ = 0;
    for (index_t n = block_.begin; n < block_.end; ++n) {
      if (lengths && *lengths.at(n) <= t)
        idle(n);
      else
        active_[count_++] = n;
    }
  }

  // f(row) for all rows of the block.
  template <class F>
  FASTRNN_INLINE void for_block(F&& f) const {
    for (index_t n = block_.begin; n < block_.end; ++n) f(n);
  }

  template <class F>
  FASTRNN_INLINE void for_active(F&& f) const {
    for (index_t i = 0; i < count_; ++i) f(active_[i]);
  }

  // to(n) = bias + from(n)·right, or += from(n)·right, for the listed rows that are wanted.
  template <class From, class To, class Wanted>
  void product(const Whole<T>& right, bool add, From&& from, To&& to, Team& team,
               Wanted&& is_wanted) {
    index_t count = 0;
    for (index_t i = 0; i < count_; ++i) {
      if (!is_wanted(active_[i])) continue;
      from_[count] = from(active_[i]);
      to_[count++] = to(active_[i]);
    }
    right.times(count, from_, add, to_, scratch_, team);
  }
  template <class From, class To>
  void product(const Whole<T>& right, bool add, From&& from, To&& to, Team& team) {
    product(right, add, from, to, team, [](index_t) { return true; });
  }

 private:
  index_t* active_ = nullptr;
  const T** from_ = nullptr;
  T** to_ = nullptr;
  unsigned char* scratch_ = nullptr;
  index_t bytes_ = 0, count_ = 0;
  Range block_{};
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
