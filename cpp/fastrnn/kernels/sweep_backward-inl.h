// The road back of any cell: dh, then the cell's gradients, step by step against the time.
//
// One in-place buffer: the kept gates become the gradients of the pre-activations. After each chunk
// of steps the weight gradients are taken as large products (gradients-inl.h).
#pragma once

#include "fastrnn/kernels/gradients-inl.h"
#include "fastrnn/kernels/sweep_forward-inl.h"
#include "fastrnn/kernels/truncation-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class C, class T>
class BackwardSweep {
  static constexpr int L = kLanes<T>, S = C::slots;
  static constexpr index_t kRowsAtOnce = 24;  // their gates of four panels stay in the L2

 public:
  BackwardSweep(const BackwardTask<T>& task, Carver& carver)
      : task_(task),
        J_(panels_of<T>(task.dims.H)),
        JP_(panels_of<T>(task.dims.P)),
        truncation_(task_.steps, task.args.truncate),
        gradients_(task, carver) {
    const index_t N = task.dims.N, padded = J_ * L;
    carry_ = carver.take<T>(N, padded);
    h0_ = carver.take<T>(N, padded);
    if (C::cell_state) dc_ = carver.take<T>(N, padded);
    if (C::cell_state) c0_ = carver.take<T>(N, padded);
    if (C::stages == 2) daux_ = carver.take<T>(N, padded);
    grad_rows_ = carver.take<const T*>(N, task.plan.threads);
    carry_rows_ = carver.take<T*>(N, task.plan.threads);
    daux_rows_ = carver.take<T*>(N, task.plan.threads);
    for (int s = 0; s < C::stages; ++s)
      transposed_[s] = carver.take<T>(padded * C::stage[s].products, padded);
    if (task.weights.w_peephole) peephole_ = carver.take<T>(padded * 3);
  }

  void run(Team& team) {
    bind(team);
    start(team);
    gradients_.start(team);
    team.barrier();
    for (index_t q1 = task_.steps.count; q1 > 0;) {
      const index_t q0 = task_.steps.chunk_begin(q1, task_.plan.backward_rows);
      for (index_t q = q1 - 1; q >= q0; --q) step(q, team);
      team.barrier();
      gradients_.chunk(q0, q1, h0_, c0_, team);
      q1 = q0;
    }
    step_out(-1, team);
    finish(team);
    gradients_.finish(team);
  }

 protected:  // for ExtendedBackward
  void bind(const Team& team) {
    if constexpr (C::general) choices_ = unit_choices<T>(task_.choices);
    limit_ = task_.args.clip_step < T(__builtin_inf()) ? &task_.args.clip_step : nullptr;
    const bool units = task_.plan.split == Split::units;
    own_rows_ = units ? Range{0, task_.dims.N} : share_rows(task_.steps, team.rank(), team.size());
    own_panels_ = units ? share(J_, team.rank(), team.size(), kBackGroup) : Range{0, J_};
    synchronise_ = units && team.size() > 1;
    const index_t N = task_.dims.N, mine = N * team.rank();
    grad_rows_ += mine, carry_rows_ += mine, daux_rows_ += mine;
    for (index_t r = 0; r < N; ++r) {
      carry_rows_[r] = carry_ + r * J_ * L;
      if (C::stages == 2) daux_rows_[r] = daux_ + r * J_ * L;
    }
  }

  index_t columns(index_t panel) const { return task_.dims.H - panel * L; }
  index_t h_columns(index_t panel) const { return most(0, task_.dims.P - panel * L); }
  T* grad_row(index_t q, index_t r) const {
    return task_.gates + (task_.steps.first_row(q) + r) * J_ * S * L;
  }
  void start(Team& team) {
    const Steps& steps = task_.steps;
    for (index_t r = own_rows_.begin; r < own_rows_.end; ++r)
      for (index_t j = own_panels_.begin; j < own_panels_.end; ++j) {
        team.check();
        const index_t n = steps.caller_row(r), at = (r * J_ + j) * L;
        const auto read = [&](const View<const T, 2>& v, index_t width) {
          return v && width > 0 ? load(v.at(n) + j * L, width) : Vec<T>{};
        };
        store(carry_ + at, read(task_.args.dh_n, h_columns(j)));
        store(h0_ + at, read(task_.h0, h_columns(j)));
        if constexpr (C::cell_state) store(dc_ + at, read(task_.args.dc_n, columns(j)));
        if constexpr (C::cell_state) store(c0_ + at, read(task_.c0, columns(j)));
      }
    const index_t H = task_.dims.H;
    const Range groups = share(ceil_div(JP_, kBackGroup), team.rank(), team.size(), 1);
    for (index_t g = groups.begin; g < groups.end; ++g)
      for (int s = 0; s < C::stages; ++s)
        pack_back_group(task_.weights.w_hh, H, task_.dims.P,
                        products<C>(C::stage[s].slot, C::stage[s].products), g, transposed_[s],
                        team);
    if constexpr (C::peephole)
      if (peephole_ != nullptr && team.rank() == 0)
        for (index_t j = 0; j < J_; ++j)
          pack_peephole(task_.weights.w_peephole, H, j, peephole_ + j * 3 * L);
  }

  // into[r] (panels j .. of it) = init + gradients of step q of a stage's products, times their
  // weights; init as for multiply().
  template <int Stage>
  void product(index_t q, Range rows, index_t j, const T* init, T* const* into) {
    for (index_t r = rows.begin; r < rows.end; ++r) grad_rows_[r] = grad_row(q, r);
    product_of_listed<Stage>(rows, j, init, into);
  }
  template <int Stage>
  void product_of_listed(Range rows, index_t j, const T* init, T* const* into) {
    constexpr auto stage = C::stage[Stage];
    const index_t K = J_ * stage.products * L;
    multiply<T>({rows.end - rows.begin,
                 least(kBackGroup, JP_ - j),
                 {grad_rows_ + rows.begin, stage.slot * L},
                 {J_, stage.products * L, S * L},
                 transposed_[Stage] + j * K * L,
                 init,
                 {into + rows.begin, j * L}});
  }

  // f(rows, panel), a few rows at a time.
  template <class F>
  void for_blocks(index_t q, Range rows, Range panels, Team& team, F&& f) const {
    for_groups<kBackGroup>(panels, q % 2 != 0, [&](index_t j) {
      index_t r = rows.begin;
      do {
        team.check();
        f(Range{r, least(r + kRowsAtOnce, most(r, rows.end))}, j);
      } while ((r += kRowsAtOnce) < rows.end);
    });
  }

  void step(index_t q, Team& team) {
    step_out(q, team);
    const index_t later = task_.steps.rows(q + 1);  // rows beyond have their last step here
    const Range rows{own_rows_.begin, least(own_rows_.end, task_.steps.rows(q))};
    for_blocks(q, rows, own_panels_, team, [&](Range block, index_t j) {
      const index_t end = least(j + kBackGroup, J_);
      fetch(q, block, j, end);
      for (index_t r = block.begin; r < block.end;) {
        const Range some = truncation_.alike(q + 1, {r, block.end});
        const bool cut = truncation_.cuts(q + 1, r);
        if (cut) forget(some, j, end);
        if (task_.args.dy) add_dy(q, some, j, end);
        if (!cut) product<0>(q + 1, {r, most(r, least(some.end, later))}, j, nullptr, carry_rows_);
        r = some.end;
      }
      cell<0>(q, block, j, end);
    });
    if (synchronise_) team.barrier();
    if constexpr (C::stages == 2) {
      for_blocks(q, rows, own_panels_, team, [&](Range block, index_t j) {
        product<C::stages - 1>(q, block, j, kZeros<T>, daux_rows_);
        cell<1>(q, block, j, least(j + kBackGroup, J_));
      });
      if (synchronise_) team.barrier();
    }
  }

  void forget(Range rows, index_t j, index_t end) {
    const std::size_t bytes = static_cast<std::size_t>((end - j) * L) * sizeof(T);
    for (index_t r = rows.begin; r < rows.end; ++r) {
      __builtin_memset(carry_rows_[r] + j * L, 0, bytes);
      if constexpr (C::cell_state) __builtin_memset(dc_ + (r * J_ + j) * L, 0, bytes);
    }
  }

  void add_dy(index_t q, Range rows, index_t j, index_t end) {
    for (index_t r = rows.begin; r < rows.end; ++r) {
      const T* dy = task_.args.dy.at(task_.steps.time(q), task_.steps.caller_row(r));
      for (index_t p = j; p < end; ++p) {
        T* to = carry_rows_[r] + p * L;
        store(to, load(to) + load(dy + p * L, h_columns(p)));
      }
    }
  }

  // Where the vectors of one row lie at one step; a panel is L further on.
  struct Lines {
    T* gates;
    T* carry;
    T* dc;
    T* daux;
    const T* h_before;
    index_t h_columns;  // how many elements of it exist
    const T* c;
    const T* c_before;
  };

  Lines lines(index_t q, index_t r) const {
    const Steps& steps = task_.steps;
    const index_t padded = J_ * L, at = r * padded;
    const bool before = r < steps.rows(q - 1);
    Lines line{};
    line.gates = grad_row(q, r);
    line.carry = carry_ + at;
    if constexpr (C::stages == 2) line.daux = daux_ + at;
    line.h_before = before ? task_.y.at(steps.time(q - 1), steps.caller_row(r)) : h0_ + at;
    line.h_columns = before ? task_.dims.H : padded;
    if constexpr (C::cell_state) {
      line.dc = dc_ + at;
      line.c = task_.cells + (steps.first_row(q) + r) * padded;
      line.c_before = before ? task_.cells + (steps.first_row(q - 1) + r) * padded : c0_ + at;
    }
    return line;
  }

  // Has what the units of a block will read fetched while its product is computed, for no processor
  // foresees it: 1 to 4 % of training at H = 128 on Zen 5. A smaller product would not cover it.
  void fetch(index_t q, Range rows, index_t j, index_t end) const {
    if (!C::cell_state || J_ * L < 64 || rows.end - rows.begin < 8) return;
    const index_t t = task_.steps.time(q);
    for (index_t r = rows.begin; r < rows.end; ++r) {
      const T* const c = lines(q, r).c_before;
      const T* const dy = task_.args.dy ? task_.args.dy.at(t, task_.steps.caller_row(r)) : c;
      for (index_t i = j * L; i < end * L; i += L)
        __builtin_prefetch(c + i), __builtin_prefetch(dy + i);
    }
  }

  template <int Phase>
  void cell(index_t q, Range rows, index_t j, index_t end) {
    for (index_t r = rows.begin; r < rows.end; ++r) {
      const Lines line = lines(q, r);
      for (index_t p = j; p < end; ++p) unit<Phase>(line, p);
    }
  }

  // One row, one panel: the cell's gradients in place. carry holds dh on the way in.
  template <int Phase>
  FASTRNN_INLINE void unit(const Lines& line, index_t j) {
    const index_t at = j * L;
    T* const gates = line.gates + at * S;
    Vec<T> slot[S];
    FASTRNN_UNROLL
    for (int s = 0; s < S; ++s) slot[s] = load(gates + s * L);
    BackwardUnit<T> u{};
    (Phase == 0 ? u.dh : u.carry) = load(line.carry + at);
    if constexpr (Phase == 1) u.daux = load(line.daux + at);
    if constexpr (C::carries_h) u.h_before = load(line.h_before + at, line.h_columns - at);
    if constexpr (C::cell_state) {
      u.dc = load(line.dc + at);
      u.c = load(line.c + at);
      u.c_before = load(line.c_before + at);
    }
    if (C::peephole && (!C::general || peephole_ != nullptr)) u.peephole = peephole_ + at * 3;
    if constexpr (C::general) u.choices = &choices_;
    u.limit = limit_;
    C::template backward<Phase>(slot, u);
    FASTRNN_UNROLL
    for (int s = 0; s < S; ++s)
      // In the second phase other threads still read the slots that the first one wrote.
      if (Phase == 0 || C::stage[0].fills(s)) store(gates + s * L, slot[s]);
    store(line.carry + at, u.carry);
    if constexpr (C::cell_state) store(line.dc + at, u.dc);
  }

  // Rows that exist at step q + 1 but not at q: what is left flows into h0, if anybody asks.
  void step_out(index_t q, Team& team) {
    const Range rows{most(own_rows_.begin, task_.steps.rows(q)),
                     least(own_rows_.end, task_.steps.rows(q + 1))};
    if (!task_.args.dh0 || rows.begin >= rows.end) return;
    for_blocks(q, rows, own_panels_, team,
               [&](Range block, index_t j) { product<0>(q + 1, block, j, nullptr, carry_rows_); });
  }

  void finish(Team& team) {
    for (index_t r = own_rows_.begin; r < own_rows_.end; ++r)
      for (index_t j = own_panels_.begin; j < own_panels_.end; ++j) {
        team.check();
        const index_t n = task_.steps.caller_row(r), at = (r * J_ + j) * L;
        const auto write = [&](const View<T, 2>& v, const T* from, index_t width) {
          if (v && width > 0) store(v.at(n) + j * L, load(from + at), width);
        };
        write(task_.args.dh0, carry_, h_columns(j));
        if constexpr (C::cell_state) write(task_.args.dc0, dc_, columns(j));
      }
  }

  const BackwardTask<T>& task_;
  index_t J_, JP_;  // panels of c and of h
  Truncation truncation_;
  const T* limit_ = nullptr;  // clip_step
  Gradients<typename C::Shape, T> gradients_;
  T* carry_;  // what reaches h of a step elementwise, then all of dh; dh_n at first, dh0 at last
  T *h0_, *dc_ = nullptr, *c0_ = nullptr, *daux_ = nullptr, *peephole_ = nullptr;
  const T** grad_rows_;
  T **carry_rows_, **daux_rows_;
  T* transposed_[C::stages];
  Range own_rows_{}, own_panels_{};
  bool synchronise_ = false;
  UnitChoices<T> choices_;  // general cells
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
