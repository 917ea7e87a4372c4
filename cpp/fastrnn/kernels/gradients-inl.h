// Weight gradients and dx of one chunk of steps, as large products by the whole team.
//
// dw[unit, k] is a sum over the rows of the chunk. The vector side of the tile is a few columns of
// the operand, the broadcast side the gradients of a group of panels; both are packed, because rows
// of the workspace lie a power of two apart and would fight for the same cache lines. Sums build up
// in the caller's arrays, in one chain over falling steps: neither the chunks nor the number of
// threads, between which outputs are divided, show in the result.
#pragma once

#include "fastrnn/kernels/pack-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

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
class Gradients {
  static constexpr int L = kLanes<T>, S = C::slots, XP = C::x_products;
  static constexpr index_t kRowsAtOnce = 256;  // packed: 64 kB of either side
  static constexpr int kGroupVectors = 4;      // of gradients in a group, at most

 public:
  Gradients(const BackwardTask<T>& task, Carver& carver)
      : task_(task), J_(panels_of<T>(task.dims.H)), projected_(!task.weights.w_ih) {
    const index_t threads = task.plan.threads, padded = J_ * L;
    const index_t chunk_rows =
        least(task.plan.backward_rows, task.steps.count * task.dims.N) + task.dims.N;
    grads_ = carver.take<const T*>(chunk_rows);
    h_rows_ = carver.take<const T*>(chunk_rows);
    x_rows_ = carver.take<const T*>(chunk_rows);
    dx_rows_ = carver.take<T*>(chunk_rows);
    c_rows_ = carver.take<const T*>(chunk_rows);
    c_before_rows_ = carver.take<const T*>(chunk_rows);
    packed_units_ = carver.take<T>(threads, kRowsAtOnce * kGroupVectors * L);
    packed_columns_ = carver.take<T>(threads, kRowsAtOnce * kMostVectors * L);
    unit_rows_ = carver.take<const T*>(threads, kGroupVectors * L);
    dw_rows_ = carver.take<T*>(threads, kGroupVectors * L);
    db_ = carver.take<T>(padded * S);
    if (C::peephole) dp_ = carver.take<T>(padded * 3);
    if (wants_dx()) transposed_ = carver.take<T>(padded * XP, panels_of<T>(task.dims.I) * L);
  }

  void start(Team& team) {
    packed_units_ += team.rank() * kRowsAtOnce * kGroupVectors * L;
    packed_columns_ += team.rank() * kRowsAtOnce * kMostVectors * L;
    unit_rows_ += team.rank() * kGroupVectors * L;
    dw_rows_ += team.rank() * kGroupVectors * L;
    own_panels_ = share(J_, team.rank(), team.size(), 1);
    for (index_t j = own_panels_.begin; j < own_panels_.end; ++j) {
      for (int s = 0; s < S; ++s) store(db_ + (j * S + s) * L, Vec<T>{});
      for (int s = 0; s < 3 * C::peephole; ++s) store(dp_ + (j * 3 + s) * L, Vec<T>{});
    }
    if (wants_dx()) {
      const index_t groups = ceil_div(panels_of<T>(task_.dims.I), kBackGroup);
      const Range mine = share(groups, team.rank(), team.size(), 1);
      for (index_t g = mine.begin; g < mine.end; ++g) {
        team.check();
        pack_back_group(task_.weights.w_ih, task_.dims.H, task_.dims.I, products<C>(0, XP), g,
                        transposed_);
      }
    }
    zero_padding(team);
    if (task_.steps.first_row(task_.steps.count) > 0 || team.rank() != 0) return;
    clear(task_.args.dw_ih);
    clear(task_.args.dw_hh);
  }

  // Steps q0 .. q1, whose gradients are complete. h0 and c0 are the padded initial states.
  void chunk(index_t q0, index_t q1, const T* h0, const T* c0, Team& team) {
    list_rows(q0, q1, h0, c0, team);
    team.barrier();
    rows_ = task_.steps.first_row(q1) - task_.steps.first_row(q0);
    sum_columns();
    if (!projected_)
      accumulate(0, XP, task_.dims.I, RowOperand<T>{x_rows_, task_.dims.I}, task_.args.dw_ih, team);
    for_stages<C>([&](auto s) {
      constexpr Stage stage = C::stage[decltype(s)::value];
      const auto sum = [&](auto operand) {
        accumulate(stage.slot, stage.products, task_.dims.H, operand, task_.args.dw_hh, team);
      };
      if constexpr (s.value == 0)
        sum(RowOperand<T>{h_rows_, task_.dims.H});
      else
        sum(SlotOperand<T, S, C::aux_slot>{grads_});
    });
    if (task_.args.dx) input_gradient(team);
    first_ = first_ && rows_ == 0;
  }

  // Every thread writes what it summed itself.
  void finish() {
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
  bool wants_dx() const { return task_.args.dx && !projected_; }

  void zero_padding(const Team& team) {
    const View<T, 3>& dx = task_.args.dx;
    const Range rows = share(task_.dims.N, team.rank(), team.size(), 1);
    for (index_t r = rows.begin; dx && r < rows.end; ++r)
      for (index_t t = task_.steps.row_length(r); t < task_.dims.T; ++t)
        __builtin_memset(dx.at(t, task_.steps.caller_row(r)), 0,
                         static_cast<std::size_t>(dx.shape[2]) * sizeof(T));
  }

  // For a call without a single step.
  static void clear(const View<T, 2>& dw) {
    if (dw)
      __builtin_memset(dw.data, 0, static_cast<std::size_t>(dw.shape[0] * dw.shape[1]) * sizeof(T));
  }

  // Steps fall, so that the order of the rows does not depend on where the chunk begins.
  void list_rows(index_t q0, index_t q1, const T* h0, const T* c0, const Team& team) {
    const Steps& steps = task_.steps;
    const Range mine = share(q1 - q0, team.rank(), team.size(), 1);
    for (index_t q = q0 + mine.begin; q < q0 + mine.end; ++q) {
      const index_t t = steps.time(q), first = steps.first_row(q);
      for (index_t r = 0; r < steps.rows(q); ++r) {
        const index_t at = steps.first_row(q1) - steps.first_row(q + 1) + r;
        const index_t n = steps.caller_row(r);
        const bool before = r < steps.rows(q - 1);
        grads_[at] = task_.gates + (first + r) * J_ * S * L;
        h_rows_[at] = before ? task_.y.at(steps.time(q - 1), n) : h0 + r * J_ * L;
        if (C::peephole) {
          c_rows_[at] = task_.cells + (first + r) * J_ * L;
          c_before_rows_[at] =
              before ? task_.cells + (steps.first_row(q - 1) + r) * J_ * L : c0 + r * J_ * L;
        }
        x_rows_[at] = task_.x.at(t, n);
        if (task_.args.dx) dx_rows_[at] = task_.args.dx.at(t, n);
      }
    }
  }

  // db, and dw_peephole: p_i and p_f saw c of the step before, p_o that of the step itself.
  void sum_columns() {
    for (index_t j = own_panels_.begin; j < own_panels_.end; ++j) {
      Vec<T> sum[S], peep[3];
      FASTRNN_UNROLL
      for (int s = 0; s < S; ++s) sum[s] = load(db_ + (j * S + s) * L);
      for (int s = 0; s < 3 * C::peephole; ++s) peep[s] = load(dp_ + (j * 3 + s) * L);
      for (index_t i = 0; i < rows_; ++i) {
        const T* grads = grads_[i] + j * S * L;
        FASTRNN_UNROLL
        for (int s = 0; s < S; ++s) sum[s] += load(grads + s * L);
        if constexpr (C::peephole) {
          const Vec<T> before = load(c_before_rows_[i] + j * L), c = load(c_rows_[i] + j * L);
          peep[0] = fma(load(grads), before, peep[0]);
          peep[1] = fma(load(grads + L), before, peep[1]);
          peep[2] = fma(load(grads + 3 * L), c, peep[2]);
        }
      }
      FASTRNN_UNROLL
      for (int s = 0; s < S; ++s) store(db_ + (j * S + s) * L, sum[s]);
      for (int s = 0; s < 3 * C::peephole; ++s) store(dp_ + (j * 3 + s) * L, peep[s]);
    }
  }

  // dw += sum over rows of gradients(slots) x operand(row).
  template <class Operand>
  void accumulate(int slot, int P, index_t K, const Operand& operand, const View<T, 2>& dw,
                  Team& team) {
    if (!dw || K == 0) return;
    const index_t groups = ceil_div(J_, kGroup<C>);
    index_t vectors = kMostVectors;  // of columns: the unit of sharing out
    while (vectors > 1 && groups * ceil_div(K, vectors * L) < 4 * team.size() && team.size() > 1)
      vectors /= 2;
    const index_t width = vectors * L, blocks = ceil_div(K, width);
    const Range mine = share(groups * blocks, team.rank(), team.size(), 1);
    for (index_t item = mine.begin; item < mine.end;) {
      const index_t group = item / blocks, first = item % blocks;
      const index_t last = least(first + mine.end - item, blocks);
      const index_t units = list_units(group, slot, P, dw);
      for (index_t row = 0; row < rows_; row += kRowsAtOnce) {
        team.check();
        const index_t count = least(kRowsAtOnce, rows_ - row);
        const index_t stride = pack_units(group, slot, P, row, count);
        for (index_t b = first; b < last; ++b) {
          const index_t n = least(vectors, panels_of<T>(K) - b * vectors);
          pack_columns(operand, row, count, b * vectors, n);
          multiply<T>(units, n, {unit_rows_, 0}, {1, count, 0, stride}, packed_columns_,
                      first_ && row == 0 ? kZeros<T> : nullptr, {dw_rows_, b * width},
                      K - b * width);
        }
      }
      item += last - first;
    }
  }

  // The units of a group that exist: where their packed gradients begin, and their rows of dw.
  index_t list_units(index_t group, int slot, int P, const View<T, 2>& dw) {
    const index_t H = task_.dims.H, first = group * kGroup<C>;
    index_t count = 0;
    for (index_t v = 0; v < group_width(group, kGroup<C>, J_) * P; ++v) {
      const index_t unit = (first + v / P) * L;
      for (index_t lane = 0; lane < least(L, H - unit); ++lane, ++count) {
        unit_rows_[count] = packed_units_ + v * L + lane;
        dw_rows_[count] = dw.at(C::gate[slot + v % P] * H + unit + lane);
      }
    }
    return count;
  }

  // Panels of a group lie side by side where each has one slot only; returns the row's length.
  index_t pack_units(index_t group, int slot, int P, index_t row, index_t count) {
    const index_t vectors = group_width(group, kGroup<C>, J_) * P;
    const index_t offset = (group * kGroup<C> * S + slot) * L;
    T* to = packed_units_;
    with_int<kGroupVectors>(vectors, [&](auto n) {
      for (index_t i = row; i < row + count; ++i, to += n.value * L) {
        FASTRNN_UNROLL
        for (int v = 0; v < n.value; ++v) store(to + v * L, load(grads_[i] + offset + v * L));
      }
    });
    return vectors * L;
  }

  template <class Operand>
  void pack_columns(const Operand& operand, index_t row, index_t count, index_t first, index_t n) {
    T* to = packed_columns_;
    for (index_t i = row; i < row + count; ++i)
      for (index_t v = 0; v < n; ++v, to += L) store(to, operand.at(i, first + v));
  }

  void input_gradient(Team& team) {
    const Range rows = share(rows_, team.rank(), team.size(), 1);
    if (projected_) return copy_gradient(rows);
    const index_t I = task_.dims.I, panels = panels_of<T>(I);
    for (index_t j = 0; j < panels; j += kBackGroup) {
      team.check();
      multiply<T>(rows.end - rows.begin, least(kBackGroup, panels - j), {grads_ + rows.begin, 0},
                  {J_, XP * L, S * L}, transposed_ + j * J_ * XP * L * L, kZeros<T>,
                  {dx_rows_ + rows.begin, j * L}, I - j * L);
    }
  }

  // x came projected: its gradient is that of the pre-activations, in the caller's gate order.
  void copy_gradient(Range rows) const {
    const index_t H = task_.dims.H;
    for (index_t row = rows.begin; row < rows.end; ++row)
      for (index_t j = 0; j < J_; ++j)
        for (int s = 0; s < XP; ++s)
          store(dx_rows_[row] + C::gate[s] * H + j * L, load(grads_[row] + (j * S + s) * L),
                H - j * L);
  }

  const BackwardTask<T>& task_;
  index_t J_, rows_ = 0;
  bool projected_, first_ = true;
  const T** grads_;
  const T** h_rows_;
  const T** x_rows_;
  T** dx_rows_;
  const T** c_rows_;
  const T** c_before_rows_;
  T* packed_units_;      // [row][vector of the group][lane], this thread's
  T* packed_columns_;    // [row][vector][lane], this thread's
  const T** unit_rows_;  // this thread's
  T** dw_rows_;          // this thread's
  T* db_;                // [panel][slot][lane]
  T* dp_ = nullptr;      // [panel][i f o][lane]
  T* transposed_ = nullptr;
  Range own_panels_{};
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
