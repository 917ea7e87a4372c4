// Weight gradients and dx of one chunk of steps, as large products by the whole team.
//
// dw[unit, k] is a sum over the rows of the chunk: the vector side of the tile is a panel of
// gradients, packed row by row (its column sums are db), the broadcast side the row's operand.
// Outputs are divided between the threads, so nothing is reduced across them and the rounding does
// not depend on their number.
#pragma once

#include "fastrnn/kernels/pack-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// The broadcast side of a weight gradient: row i of the chunk, element k. Either each row's
// vector...
template <class T>
struct RowOperand {
  const T* const* list;
  index_t column;
  FASTRNN_INLINE const T* at(index_t i, index_t k) const { return list[i] + column + k; }
  RowOperand from(index_t row, index_t k) const { return {list + row, column + k}; }
};
// ... or one slot of its workspace line.
template <class T, int S, int Slot>
struct SlotOperand {
  const T* const* list;
  index_t column;
  FASTRNN_INLINE const T* at(index_t i, index_t k) const {
    constexpr index_t L = kLanes<T>;
    const index_t unit = column + k;
    return list[i] + (unit / L * S + Slot) * L + unit % L;
  }
  SlotOperand from(index_t row, index_t k) const { return {list + row, column + k}; }
};

template <class C, class T>
class Gradients {
  static constexpr int L = kLanes<T>, S = C::slots, XP = C::x_products;
  static constexpr index_t kPackedRows = 256;  // of gradients at a time: 64 kB, from the L2
  static constexpr int kMaxVectors = 4;

 public:
  Gradients(const BackwardTask<T>& task, Carver& carver)
      : task_(task), J_(panels_of<T>(task.dims.H)), projected_(!task.weights.w_ih) {
    const Dims& d = task.dims;
    const index_t N = d.N, padded = J_ * L;
    const index_t chunk_rows = least(task.plan.backward_rows, task.steps.count * N) + N;
    grads_ = carver.take<const T*>(chunk_rows);
    h_rows_ = carver.take<const T*>(chunk_rows);
    x_rows_ = carver.take<const T*>(chunk_rows);
    dx_rows_ = carver.take<T*>(chunk_rows);
    c_rows_ = carver.take<const T*>(chunk_rows);
    packed_ = carver.take<T>(task.plan.threads, kPackedRows * kMaxVectors * L);
    sums_begin_ = carver.bytes();
    dw_x_ = carver.take<T>(padded * XP, inputs());
    db_x_ = carver.take<T>(padded * XP);
    for (int s = 0; s < C::stages; ++s) {
      dw_h_[s] = carver.take<T>(padded * C::stage[s].products, d.H);
      db_h_[s] = carver.take<T>(padded * C::stage[s].products);
    }
    if (C::peephole) dp_ = carver.take<T>(padded * 3);
    sums_end_ = carver.bytes();
    if (wants_dx()) transposed_ = carver.take<T>(padded * XP, panels_of<T>(d.I) * L);
  }

  void start(const Team& team) {
    const Range bytes =
        share(static_cast<index_t>(sums_end_ - sums_begin_), team.rank(), team.size(), 64);
    __builtin_memset(task_.scratch + sums_begin_ + bytes.begin, 0,
                     static_cast<std::size_t>(bytes.end - bytes.begin));
    if (wants_dx())
      pack_transposed<C, T, 0, XP>(
          task_.weights.w_ih, task_.dims.H, task_.dims.I,
          share(ceil_div(panels_of<T>(task_.dims.I), kBackGroup), team.rank(), team.size(), 1),
          transposed_);
    zero_padding(team);
  }

  // Steps q0 .. q1, whose gradients are complete. h0 and c0 are the padded initial states.
  void chunk(index_t q0, index_t q1, const T* h0, const T* c0, Team& team) {
    list_rows(q0, q1, h0, c0, team);
    team.barrier();
    rows_ = task_.steps.first_row(q1) - task_.steps.first_row(q0);
    accumulate<0, XP, false>(inputs(), RowOperand<T>{x_rows_, 0}, dw_x_, db_x_, team);
    for_stages<C>([&](auto s) {
      constexpr int stage = decltype(s)::value;
      constexpr int slot = C::stage[stage].slot, P = C::stage[stage].products;
      const auto sum = [&](auto operand) {
        accumulate<slot, P, true>(task_.dims.H, operand, dw_h_[stage], db_h_[stage], team);
      };
      if constexpr (stage == 0)
        sum(RowOperand<T>{h_rows_, 0});
      else
        sum(SlotOperand<T, S, C::aux_slot>{grads_, 0});
    });
    if (task_.args.dx) input_gradient(team);
  }

  void finish(Team& team) {
    team.barrier();
    const Range groups = share(ceil_div(J_, kGroup<C>), team.rank(), team.size(), 1);
    const RnnBackwardArgs<T>& out = task_.args;
    if (out.dw_ih)
      unpack_products<C, T, 0, XP>(dw_x_, task_.dims.H, task_.dims.I, groups, out.dw_ih);
    for_stages<C>([&](auto s) {
      constexpr Stage stage = C::stage[decltype(s)::value];
      if (out.dw_hh)
        unpack_products<C, T, stage.slot, stage.products>(dw_h_[s.value], task_.dims.H,
                                                          task_.dims.H, groups, out.dw_hh);
    });
    if (team.rank() != 0) return;
    if (out.db_ih) unpack_bias(db_x_, 0, XP, out.db_ih);
    for (int s = 0; s < C::stages; ++s)
      if (out.db_hh) unpack_bias(db_h_[s], C::stage[s].slot, C::stage[s].products, out.db_hh);
    if (C::peephole && out.dw_peephole)
      for (index_t unit = 0; unit < task_.dims.H; ++unit)
        for (int row = 0; row < 3; ++row)
          *out.dw_peephole.at(row, unit) = dp_[(unit / L * 3 + row) * L + unit % L];
  }

 private:
  index_t inputs() const { return projected_ ? 0 : task_.dims.I; }
  bool wants_dx() const { return task_.args.dx && !projected_; }

  void zero_padding(const Team& team) {
    const View<T, 3>& dx = task_.args.dx;
    const Range rows = share(task_.dims.N, team.rank(), team.size(), 1);
    for (index_t r = rows.begin; dx && r < rows.end; ++r)
      for (index_t t = task_.steps.row_length(r); t < task_.dims.T; ++t)
        __builtin_memset(dx.at(t, task_.steps.caller_row(r)), 0,
                         static_cast<std::size_t>(dx.shape[2]) * sizeof(T));
  }

  void list_rows(index_t q0, index_t q1, const T* h0, const T* c0, const Team& team) {
    const Steps& steps = task_.steps;
    const Range mine = share(q1 - q0, team.rank(), team.size(), 1);
    for (index_t q = q0 + mine.begin; q < q0 + mine.end; ++q) {
      const index_t t = steps.time(q), first = steps.first_row(q);
      for (index_t r = 0; r < steps.rows(q); ++r) {
        const index_t at = first - steps.first_row(q0) + r, n = steps.caller_row(r);
        const bool before = r < steps.rows(q - 1);
        grads_[at] = task_.gates + (first + r) * J_ * S * L;
        h_rows_[at] = before ? task_.y.at(steps.time(q - 1), n) : h0 + r * J_ * L;
        if (C::cell_state)
          c_rows_[at] =
              before ? task_.cells + (steps.first_row(q - 1) + r) * J_ * L : c0 + r * J_ * L;
        x_rows_[at] = task_.x.at(t, n);
        if (task_.args.dx) dx_rows_[at] = task_.args.dx.at(t, n);
      }
    }
    first_row_ = steps.first_row(q0);
  }

  // dw += sum over rows of gradients(slots) x operand(row); db += their column sums.
  template <int Slot, int P, bool Peepholes, class Operand>
  void accumulate(index_t K, const Operand& operand, T* dw, T* db, Team& team) {
    constexpr index_t block = 24;  // columns of the operand: the unit of sharing out
    const index_t groups = ceil_div(J_, kGroup<C>), blocks = most(1, ceil_div(K, block));
    const Range mine = share(groups * blocks, team.rank(), team.size(), 1);
    T* packed = packed_ + team.rank() * kPackedRows * kMaxVectors * L;
    for (index_t g = mine.begin / blocks; g * blocks < mine.end; ++g) {
      const index_t b0 = most(mine.begin - g * blocks, 0),
                    b1 = least(mine.end - g * blocks, blocks);
      const index_t first = b0 * block, last = least(b1 * block, K), panel = g * kGroup<C>;
      const index_t vectors = group_width(g, kGroup<C>, J_) * P;
      for (index_t row = 0; row < rows_; row += kPackedRows) {
        team.check();
        const index_t count = least(kPackedRows, rows_ - row);
        with_int<kMaxVectors>(vectors, [&](auto nv) {
          constexpr int NV = decltype(nv)::value;
          pack_rows<NV>(row, count, (panel * S + Slot) * L, packed);
          if (b0 == 0) sum_rows<NV>(packed, count, db + panel * P * L);
          if constexpr (Peepholes && C::peephole)
            if (b0 == 0) sum_peepholes(packed, row, count, panel);
          outer_vectors<T, NV>(last - first, count, operand.from(row, first), packed,
                               dw + (panel * K * P + first * vectors) * L);
        });
      }
    }
  }

  template <int NV>
  void pack_rows(index_t row, index_t count, index_t offset, T* packed) const {
    for (index_t i = 0; i < count; ++i, packed += NV * L) {
      FASTRNN_UNROLL
      for (int v = 0; v < NV; ++v) store(packed + v * L, load(grads_[row + i] + offset + v * L));
    }
  }

  template <int NV>
  static void sum_rows(const T* packed, index_t count, T* sums) {
    Vec<T> acc[NV];
    FASTRNN_UNROLL
    for (int v = 0; v < NV; ++v) acc[v] = load(sums + v * L);
    for (index_t i = 0; i < count; ++i) {
      FASTRNN_UNROLL
      for (int v = 0; v < NV; ++v) acc[v] += load(packed + (i * NV + v) * L);
    }
    FASTRNN_UNROLL
    for (int v = 0; v < NV; ++v) store(sums + v * L, acc[v]);
  }

  // p_i and p_f saw c of the step before, p_o that of the step itself.
  void sum_peepholes(const T* packed, index_t row, index_t count, index_t panel) {
    for (index_t i = 0; i < count; ++i) {
      const Vec<T> before = load(c_rows_[row + i] + panel * L);
      const Vec<T> after = load(task_.cells + ((first_row_ + row + i) * J_ + panel) * L);
      const T* grads = packed + i * 4 * L;  // i f g o
      const auto add = [&](int which, int gate, Vec<T> c) {
        T* to = dp_ + (panel * 3 + which) * L;
        store(to, fma(load(grads + gate * L), c, load(to)));
      };
      add(0, 0, before);
      add(1, 1, before);
      add(2, 3, after);
    }
  }

  void input_gradient(Team& team) {
    const Range rows = share(rows_, team.rank(), team.size(), 1);
    if (projected_) return copy_gradient(rows);
    alignas(64) static constexpr T zeros[kBackGroup * L] = {};
    const index_t I = task_.dims.I, panels = panels_of<T>(I);
    for (index_t j = 0; j < panels; j += kBackGroup) {
      team.check();
      multiply<T>(rows.end - rows.begin, least(kBackGroup, panels - j), {grads_ + rows.begin, 0},
                  {J_, XP * L, S * L}, transposed_ + j * J_ * XP * L * L, zeros,
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

  void unpack_bias(const T* sums, int slot, int products, const View<T, 1>& db) const {
    const index_t H = task_.dims.H;
    for (index_t unit = 0; unit < H; ++unit)
      for (int p = 0; p < products; ++p)
        *db.at(C::gate[slot + p] * H + unit) = sums[(unit / L * products + p) * L + unit % L];
  }

  const BackwardTask<T>& task_;
  index_t J_, rows_ = 0, first_row_ = 0;
  bool projected_;
  const T** grads_;
  const T** h_rows_;
  const T** x_rows_;
  T** dx_rows_;
  const T** c_rows_;
  T* packed_;
  std::size_t sums_begin_, sums_end_;
  T* dw_x_;
  T* db_x_;
  T* dw_h_[C::stages];
  T* db_h_[C::stages];
  T* dp_ = nullptr;
  T* transposed_ = nullptr;
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
