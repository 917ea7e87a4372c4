// Weight gradients of one chunk of steps, as large products by the whole team.
//
// dw[unit, k] is a sum over the rows of the chunk. The vector side of the tile is a few columns of
// the operand, the broadcast side the gradients of a strip of panels; both are packed, because rows
// of the workspace lie a power of two apart and would fight for the same cache lines. Sums build up
// in the caller's arrays, in one chain over falling steps: neither the chunks nor the number of
// threads, between which outputs are divided, show in the result.
#pragma once

#include "fastrnn/kernels/pack-inl.h"
#include "fastrnn/kernels/ranges-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// The rows of a chunk, steps falling.
template <class T>
struct ChunkRows {
  index_t count;
  const T** grads;  // workspace lines
  const T** h;      // of the step before
  const T** x;
  T** dx;
  const T** c;  // c and c_before: peepholes only
  const T** c_before;
};

// The vector side of a weight gradient: row i of the chunk, vector v of it. Either each row's
// vector...
template <class T>
struct RowOperand {
  const T* const* list;
  index_t columns;
  FASTRNN_INLINE Vec<T> at(index_t i, index_t v) const {
    return load(list[i] + v * kLanes<T>, columns - v * kLanes<T>);
  }
};
// ... or one slot of its workspace line.
template <class T, int S, int Slot>
struct SlotOperand {
  const T* const* list;
  FASTRNN_INLINE Vec<T> at(index_t i, index_t v) const {
    return load(list[i] + (v * S + Slot) * kLanes<T>);
  }
};

template <class C, class T>
class WeightGradients {
  static constexpr int L = kLanes<T>, S = C::slots, XP = C::x_products;
  // Packed: 128 kB of columns beside at most 512 kB of gradients, which share an L2 (half of it
  // with 256 rows at once). Every column is packed once a strip: with one group to a strip that was
  // 6 to 8 % of backward.
  static constexpr int kGroupVectors = 4;     // of gradients in a group, at most
  static constexpr index_t kStripGroups = 4;  // of groups in a strip, at most

 public:
  WeightGradients(const BackwardTask<T>& task, Carver& carver)
      : task_(task), J_(panels_of<T>(task.dims.H)), at_once_(task.plan.gradient_rows) {
    const index_t threads = task.plan.threads, padded = J_ * L;
    strip_units_ = least(ceil_div(J_, kGroup<C>), kStripGroups) * kGroupVectors * L;
    packed_units_ = carver.take<T>(threads, strip_units_ * at_once_);
    packed_columns_ = carver.take<T>(threads, at_once_ * kMostVectors * L);
    for (Matrix& matrix : matrices_) {
      matrix.unit_rows = carver.take<const T*>(threads, strip_units_);
      matrix.dw_rows = carver.take<T*>(threads, strip_units_);
    }
    db_ = carver.take<T>(padded * S);
    if (C::peephole) dp_ = carver.take<T>(padded * 3);
  }

  void start(const Team& team) {
    packed_units_ += team.rank() * strip_units_ * at_once_;
    packed_columns_ += team.rank() * at_once_ * kMostVectors * L;
    for (Matrix& matrix : matrices_) {
      matrix.unit_rows += team.rank() * strip_units_;
      matrix.dw_rows += team.rank() * strip_units_;
    }
    choose_matrices(team.size());
    // The last strip and the last block may be narrow: at H = 100 one of two threads had 1.8 times
    // the work of the other, and backward of ragged rows (N = 32) took 10 % longer.
    own_items_ = share_costs(strips() * blocks_, team.rank(), team.size(),
                             [&](index_t item) { return products_in(item); });
    own_panels_ = share(J_, team.rank(), team.size(), 1);
    for (index_t j = own_panels_.begin; j < own_panels_.end; ++j) {
      for (int s = 0; s < S; ++s) store(db_ + (j * S + s) * L, Vec<T>{});
      for (int s = 0; s < 3 * C::peephole; ++s) store(dp_ + (j * 3 + s) * L, Vec<T>{});
    }
    if (task_.steps.first_row(task_.steps.count) > 0 || team.rank() != 0) return;
    clear(task_.args.dw_ih);
    clear(task_.args.dw_hh);
  }

  // dw += sum over rows of gradients x operand; the thread with a strip's first block sums db too.
  void add(const ChunkRows<T>& rows, Team& team) {
    rows_ = rows;
    for (index_t item = own_items_.begin; item < own_items_.end;) {
      const index_t strip = item / blocks_, first = item % blocks_;
      const index_t last = least(first + own_items_.end - item, blocks_);
      for (Matrix& m : matrices_) list_units(strip, m);
      for (index_t row = 0; row < rows.count; row += at_once_) {
        team.check();
        const index_t count = least(at_once_, rows.count - row);
        pack_units(strip, row, count, first == 0);
        with_operand<0>(row, count, first, last, team);
      }
      item += last - first;
    }
    first_ = first_ && rows.count == 0;
  }

  void finish(Team& team) {
    team.barrier();
    const RnnBackwardArgs<T>& out = task_.args;
    for (index_t unit = own_panels_.begin * L; unit < least(own_panels_.end * L, task_.dims.H);
         ++unit) {
      for (int s = 0; s < S; ++s) {
        const T sum = db_[(unit / L * S + s) * L + unit % L];
        const index_t row = C::gate[s] * task_.dims.H + unit;
        if (out.db_ih && s < XP) *out.db_ih.at(row) = sum;
        if (out.db_hh && is_recurrent<C>(s)) *out.db_hh.at(row) = sum;
      }
      for (int row = 0; C::peephole && out.dw_peephole && row < 3; ++row)
        *out.dw_peephole.at(row, unit) = dp_[(unit / L * 3 + row) * L + unit % L];
    }
  }

 private:
  // One weight matrix: the slots whose gradients make it, and its operand.
  struct Matrix {
    int slot, products;
    index_t K = 0, blocks = 0;  // columns; in blocks that are shared out. 0: not wanted
    View<T, 2> dw;
    const T** unit_rows;  // of a strip, this thread's: where the units' packed gradients begin
    T** dw_rows;          // and their rows of dw
    index_t units;        // how many of a strip exist
  };

  void choose_matrices(int threads) {
    const auto choose = [&](Matrix& m, int slot, int products, const View<T, 2>& dw) {
      m.slot = slot;
      m.products = products;
      m.dw = dw;
      m.K = dw ? dw.shape[1] : 0;
    };
    choose(matrices_[0], 0, XP, task_.args.dw_ih);
    for (int s = 0; s < C::stages; ++s)
      choose(matrices_[s + 1], C::stage[s].slot, C::stage[s].products, task_.args.dw_hh);
    // Wide strips save packing and wide blocks make the best tiles, but there must be enough items
    // for everybody.
    for (strip_groups_ = kStripGroups, vectors_ = kMostVectors;;) {
      blocks_ = 0;
      for (Matrix& m : matrices_) blocks_ += m.blocks = ceil_div(m.K, vectors_ * L);
      if (threads == 1 || strips() * blocks_ >= 4 * threads) break;
      if (strip_groups_ == 1 && vectors_ == 1) break;
      (strip_groups_ > 1 ? strip_groups_ : vectors_) /= 2;
    }
    blocks_ = most(1, blocks_);  // one item for a strip's sums, at least
  }

  // Products in an item, a strip by a block, for each row of a chunk.
  index_t products_in(index_t item) const {
    const Range panels = panels_of_strip(item / blocks_);
    const index_t lanes = least(panels.end * L, task_.dims.H) - panels.begin * L;
    index_t block = item % blocks_;
    for (const Matrix& m : matrices_) {
      const index_t vectors = panels_of<T>(m.K) - block * vectors_;
      if (block < m.blocks) return lanes * m.products * least(vectors_, vectors);
      block -= m.blocks;
    }
    return lanes;
  }

  // Blocks first .. last, counted through all matrices from this one on.
  template <int Which>
  void with_operand(index_t row, index_t count, index_t first, index_t last, Team& team) {
    const Matrix& m = matrices_[Which];
    const auto add = [&](const auto& operand) {
      for (index_t b = most(first, 0); b < least(last, m.blocks); ++b) {
        team.check();
        const index_t n = least(vectors_, panels_of<T>(m.K) - b * vectors_);
        pack_columns(operand, row, count, b * vectors_, n);
        multiply<T>({m.units,
                     n,
                     {m.unit_rows, 0},
                     {1, count, 0, L},
                     packed_columns_,
                     first_ && row == 0 ? kZeros<T> : nullptr,
                     {m.dw_rows, b * vectors_ * L},
                     m.K - b * vectors_ * L});
      }
    };
    if constexpr (Which == 0) add(RowOperand<T>{rows_.x, m.K});
    if constexpr (Which == 1) add(RowOperand<T>{rows_.h, m.K});
    if constexpr (Which == 2) add(SlotOperand<T, S, C::aux_slot>{rows_.grads});
    if constexpr (Which < C::stages)
      with_operand<Which + 1>(row, count, first - m.blocks, last - m.blocks, team);
  }

  index_t strips() const { return ceil_div(J_, kGroup<C> * strip_groups_); }
  Range panels_of_strip(index_t strip) const {
    const index_t width = kGroup<C> * strip_groups_;
    return {strip * width, least((strip + 1) * width, J_)};
  }

  void list_units(index_t strip, Matrix& m) {
    const index_t H = task_.dims.H;
    const Range panels = panels_of_strip(strip);
    m.units = 0;
    for (index_t j = panels.begin; m.K > 0 && j < panels.end; ++j)
      for (int s = m.slot; s < m.slot + m.products; ++s)
        for (index_t lane = 0; lane < least(L, H - j * L); ++lane, ++m.units) {
          m.unit_rows[m.units] = packed_vector((j - panels.begin) * S + s) + lane;
          m.dw_rows[m.units] = m.dw.at(C::gate[s] * H + j * L + lane);
        }
  }

  T* packed_vector(index_t v) const { return packed_units_ + v * at_once_ * L; }

  // The vectors of a strip, each a stretch of its own: a tile then reads whole cache lines of it.
  void pack_units(index_t strip, index_t row, index_t count, bool sum) {
    const Range panels = panels_of_strip(strip);
    for (index_t j = panels.begin; j < panels.end; j += kGroup<C>) {
      T* const to = packed_vector((j - panels.begin) * S);
      pack_group_units(j, least(kGroup<C>, panels.end - j) * S, row, count, sum, to);
      if (C::peephole && sum && task_.args.dw_peephole) sum_peepholes(j, row, count);
    }
  }

  void pack_group_units(index_t panel, index_t vectors, index_t row, index_t count, bool sum,
                        T* to) {
    with_int<kGroupVectors>(vectors, [&](auto n) {
      Vec<T> sums[n.value] = {};
      T* const db = db_ + panel * S * L;
      if (sum) {  // else they are another thread's, who may be writing them
        FASTRNN_UNROLL
        for (int v = 0; v < n.value; ++v) sums[v] = load(db + v * L);
      }
      for (index_t i = row; i < row + count; ++i, to += L) {
        FASTRNN_UNROLL
        for (int v = 0; v < n.value; ++v) {
          const Vec<T> line = load(rows_.grads[i] + (panel * S + v) * L);
          store(to + v * at_once_ * L, line);
          sums[v] += line;
        }
      }
      if (!sum) return;
      FASTRNN_UNROLL
      for (int v = 0; v < n.value; ++v) store(db + v * L, sums[v]);
    });
  }

  // p_i and p_f saw c of the step before, p_o that of the step itself.
  void sum_peepholes(index_t panel, index_t row, index_t count) {
    Vec<T> sums[3];
    T* const dp = dp_ + panel * 3 * L;
    for (int s = 0; s < 3; ++s) sums[s] = load(dp + s * L);
    for (index_t i = row; i < row + count; ++i) {
      const T* const grads = rows_.grads[i] + panel * S * L;  // i f g o
      const Vec<T> before = load(rows_.c_before[i] + panel * L), c = load(rows_.c[i] + panel * L);
      sums[0] = fma(load(grads), before, sums[0]);
      sums[1] = fma(load(grads + L), before, sums[1]);
      sums[2] = fma(load(grads + 3 * L), c, sums[2]);
    }
    for (int s = 0; s < 3; ++s) store(dp + s * L, sums[s]);
  }

  template <class Operand>
  void pack_columns(const Operand& operand, index_t row, index_t count, index_t first, index_t n) {
    T* to = packed_columns_;
    with_int<kMostVectors>(n, [&](auto width) {
      for (index_t i = row; i < row + count; ++i, to += width.value * L) {
        FASTRNN_UNROLL
        for (int v = 0; v < width.value; ++v) store(to + v * L, operand.at(i, first + v));
      }
    });
  }

  // For a call without a single step.
  static void clear(const View<T, 2>& dw) {
    if (dw)
      __builtin_memset(dw.data, 0, static_cast<std::size_t>(dw.shape[0] * dw.shape[1]) * sizeof(T));
  }

  const BackwardTask<T>& task_;
  index_t J_;
  index_t at_once_;      // rows that are packed
  index_t strip_units_;  // of one strip, at most
  bool first_ = true;
  ChunkRows<T> rows_{};
  T* packed_units_;                 // [vector of the strip][row][lane], this thread's
  T* packed_columns_;               // [row][vector][lane], this thread's
  Matrix matrices_[1 + C::stages];  // of x, of h, of aux
  index_t strip_groups_ = 1;
  index_t vectors_ = 0, blocks_ = 0;  // of columns in a block; blocks of a strip
  T* db_;                             // [panel][slot][lane]
  T* dp_ = nullptr;                   // [panel][i f o][lane]
  Range own_panels_{}, own_items_{};
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
