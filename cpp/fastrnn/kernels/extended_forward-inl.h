// The time loop of a general cell with what lies between its steps, or between its units: masks on
// h, zoneout, full peepholes, projection, layer normalisation.
//
// Threads own rows, so a step may read all of a row that it has just written. With h~, c~ what the
// cell itself gives:
//
//   h~ = W_hr·(o∘h(c~)) with projection, h' = z_h∘h + (1 - z_h)∘h~, c' = z_c∘c + (1 - z_c)∘c~
//
// and the recurrent product takes h∘h_mask.
#pragma once

#include "fastrnn/kernels/masks-inl.h"
#include "fastrnn/kernels/normed-inl.h"
#include "fastrnn/kernels/sweep_forward-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class C, class T>
class ExtendedForward : ForwardSweep<C, T> {
  using Base = ForwardSweep<C, T>;
  using Base::own_rows_, Base::gate_rows_, Base::operand_rows_, Base::choices_;
  using Base::task_, Base::J_, Base::panels_, Base::state_, Base::c_, Base::aux_, Base::lines_;
  using typename Base::Lines;
  static constexpr int L = kLanes<T>, S = C::slots;

 public:
  ExtendedForward(const ForwardTask<T>& task, Carver& carver)
      : Base(task, carver),
        JP_(panels_of<T>(task.dims.P)),
        normed_(task, task.panels != nullptr ? panels_.gains != nullptr : bool(task.weights.w_norm),
                carver) {
    // Not by panels_: while sizes are added up, all of its pointers are null.
    const bool packed = task.panels != nullptr;
    projects_ = packed ? panels_.w_hr != nullptr : bool(task.weights.w_hr);
    full_ = packed ? panels_.peephole_if != nullptr : bool(task.weights.w_peephole_full);
    const index_t N = task.dims.N, padded = J_ * L;
    const auto list = [&](bool wanted) {
      return carver.take<T*>(wanted ? N : 0, task.plan.threads);
    };
    masked_ = carver.take<T>(task.masks.h_mask && task.operands == nullptr ? N : 0, padded);
    outputs_ = carver.take<T>(projects_ && task.outputs == nullptr ? N : 0, padded);
    masked_rows_ = list(bool(task.masks.h_mask));
    output_rows_ = list(projects_);
    next_rows_ = list(projects_);
    c_rows_ = list(full_);
  }

  void run(Team& team) {
    this->bind(team);
    T*** const lists[] = {&masked_rows_, &output_rows_, &next_rows_, &c_rows_};
    for (T*** list : lists) *list += task_.dims.N * team.rank();
    if (task_.panels == nullptr) pack(team);
    normed_.start(panels_, team);
    this->start(team);
    team.barrier();
    for (index_t q0 = 0; q0 < task_.steps.count;) {
      const index_t q1 = this->list_chunk(q0);
      this->project(team);
      if (normed_) normalise_x(q0, q1, team);
      for (index_t q = q0, row = 0; q < q1; row += this->own_rows_at(q++)) step(q, row, team);
      q0 = q1;
    }
    this->finish(team);
  }

 private:
  void pack(Team& team) {
    Base::pack(team);
    const Range groups = share(projection_groups(panels_), team.rank(), team.size(), 1);
    for (index_t g = groups.begin; g < groups.end; ++g)
      fill_projection(task_.weights, panels_, g, team);
  }

  void normalise_x(index_t q0, index_t q1, Team& team) {
    for (index_t q = q0, at = 0; q < q1; ++q)
      for (index_t i = 0; i < this->own_rows_at(q); ++i, ++at) {
        team.check();
        const index_t r = own_rows_.begin + i;
        normed_.add_x(gate_rows_[at], r, task_.steps.first_row(q) + r);
      }
  }

  void list_extended(index_t q, index_t rows) {
    const index_t padded = J_ * L;
    for (index_t i = 0; i < rows; ++i) {
      const index_t r = own_rows_.begin + i, row = task_.steps.first_row(q) + r;
      if (full_) c_rows_[i] = c_ + r * padded;
      if (normed_) normed_.list(i, r, row);
      if (task_.masks.h_mask) {
        masked_rows_[i] =
            task_.operands != nullptr ? task_.operands + row * padded : masked_ + r * padded;
        for (index_t j = 0; j < JP_; ++j)
          store(masked_rows_[i] + j * L,
                load(lines_[i].h_before + j * L) *
                    mask_of(task_.masks, task_.steps, r, j, this->h_columns(j)));
      }
      if (!projects_) continue;
      output_rows_[i] =
          task_.outputs != nullptr ? task_.outputs + row * padded : outputs_ + r * padded;
      next_rows_[i] = lines_[i].h;
    }
  }

  void step(index_t q, index_t first, Team& team) {
    const index_t rows = this->own_rows_at(q);
    T* const* const gates = gate_rows_ + first;
    this->list_lines(q, first, rows);
    list_extended(q, rows);
    const auto recurrent = [&](auto stage, index_t r, index_t n, index_t j) {
      constexpr int s = decltype(stage)::value;
      const T* const* const from = s == 1               ? operand_rows_[2] + own_rows_.begin
                                   : task_.masks.h_mask ? masked_rows_
                                                        : operand_rows_[q % 2] + own_rows_.begin;
      if (normed_)
        multiply_stage<s>(from + r, normed_.rows() + r, normed_.h_offset(), kZeros<T>, n, j);
      else
        multiply_stage<s>(from + r, gates + r, 0, nullptr, n, j);
    };
    if (normed_) {
      this->for_blocks(q, rows, team,
                       [&](index_t r, index_t n, index_t j) { recurrent(Int<0>{}, r, n, j); });
      for (index_t i = 0; i < rows; ++i) normed_.add_h(i, gates[i]);
    }
    if (C::cell_state && (full_ || normed_)) {
      if constexpr (C::cell_state) halved_step(q, rows, gates, recurrent, team);
    } else {
      for_stages<C>([&](auto stage) {
        this->for_blocks(q, rows, team, [&](index_t r, index_t n, index_t j) {
          if (!normed_) recurrent(stage, r, n, j);
          for_units(r, n, j, [&](index_t i, index_t p) {
            unit<decltype(stage)::value>(q, i, p, [](auto& slot, auto& u) {
              C::template forward<decltype(stage)::value>(slot, u);
            });
          });
        });
      });
    }
    if (projects_) project_outputs(q, rows, team);
  }

  template <int Stage>
  void multiply_stage(const T* const* from, T* const* to, index_t offset, const T* init,
                      index_t rows, index_t j) const {
    constexpr auto stage = C::stage[Stage];
    const index_t K = Stage == 0 ? panels_.P : panels_.H;
    multiply<T>({rows,
                 least(kGroup<C>, J_ - j) * stage.products,
                 {from, 0},
                 {1, K, 0},
                 panels_.w_hh + stage_offset<C, T>(Stage, panels_.H) + j * K * stage.products * L,
                 init,
                 {to, offset + (j * S + stage.slot) * L}});
  }

  template <class F>
  FASTRNN_INLINE void for_units(index_t r, index_t n, index_t j, F&& f) const {
    for (index_t i = r; i < r + n; ++i)
      for (index_t p = j; p < least(j + kGroup<C>, J_); ++p) f(i, p);
  }

  // i and f see all of the old c, the output all of the new one: c waits until everybody has read
  // it.
  template <class Recurrent>
  void halved_step(index_t q, index_t rows, T* const* gates, const Recurrent& recurrent,
                   Team& team) {
    const index_t H = panels_.H;
    const auto peep = [&](index_t r, index_t n, index_t j, const T* w, int slot, int products) {
      multiply<T>({n,
                   products,
                   {c_rows_ + r, 0},
                   {1, H, 0},
                   w + j * H * products * L,
                   nullptr,
                   {gates + r, (j * S + slot) * L}});
    };
    this->for_blocks(q, rows, team, [&](index_t r, index_t n, index_t j) {
      if (!normed_) recurrent(Int<0>{}, r, n, j);
      if (full_) peep(r, n, j, panels_.peephole_if, C::I, 2);
    });
    for (index_t i = 0; i < rows; ++i)
      for (index_t j = 0; j < J_; ++j)
        unit<0, Part::to_c>(q, i, j, [](auto& slot, auto& u) { C::forward_c(slot, u); });
    for (index_t i = 0; normed_ && i < rows; ++i) normed_.normalise_c(i);
    this->for_blocks(q, rows, team, [&](index_t r, index_t n, index_t j) {
      if (full_) peep(r, n, j, panels_.peephole_o, C::O, 1);
      for_units(r, n, j, [&](index_t i, index_t p) {
        unit<0, Part::from_c>(q, i, p, [](auto& slot, auto& u) { C::forward_h(slot, u); });
      });
    });
  }

  // One row, one panel: what `cell` makes of its slots, and where that goes; in one part, or in
  // two, of which the first ends with c.
  enum class Part { whole, to_c, from_c };
  template <int Stage, Part P = Part::whole, class Cell>
  FASTRNN_INLINE void unit(index_t q, index_t i, index_t j, Cell&& cell) {
    constexpr bool last = Stage == C::stages - 1;
    const Lines& line = lines_[i];
    const bool keep = task_.gates != nullptr;
    const index_t at = j * L;
    T* const gates = line.gates + at * S;
    Vec<T> slot[S];
    FASTRNN_UNROLL
    for (int s = 0; s < S; ++s) slot[s] = load(gates + s * L);
    ForwardUnit<T> u{};
    u.h_before = load((!last && task_.masks.h_mask ? masked_rows_[i] : line.h_before) + at);
    if constexpr (C::cell_state) u.c = load(line.c + at);
    if (C::peephole && panels_.peephole != nullptr) u.peephole = panels_.peephole + at * 3;
    if constexpr (P == Part::from_c) u.seen = normed_ ? normed_.seen(i, j) : u.c;
    u.choices = &choices_;
    [[maybe_unused]] const Vec<T> c_before = u.c;
    cell(slot, u);
    if (!last || P == Part::to_c || keep) {
      FASTRNN_UNROLL
      for (int s = 0; s < S; ++s) store(gates + s * L, slot[s]);
    }
    if constexpr (!last) {
      store(line.aux + at, u.aux);
      return;
    }
    if constexpr (P == Part::to_c)
      if (normed_) store(normed_.c(i) + at, u.c);
    if constexpr (C::cell_state && P != Part::from_c) {
      if (task_.masks.c_keep) u.c = kept(task_.masks.c_keep, q, i, j, columns(j), c_before, u.c);
      store(line.c + at, u.c);
      if (keep) store(line.cells + at, u.c);
    }
    if constexpr (P == Part::to_c) return;
    if (projects_)
      store(output_rows_[i] + at, u.h);
    else
      settle(q, i, j, u.h);
  }

  index_t columns(index_t j) const { return Base::columns(j); }

  // z∘before + (1 - z)∘now
  FASTRNN_INLINE Vec<T> kept(const View<const T, 3>& keep, index_t q, index_t i, index_t j,
                             index_t width, Vec<T> before, Vec<T> now) const {
    const Vec<T> z = keep_of(keep, task_.steps, q, own_rows_.begin + i, j, width);
    return fma(z, before - now, now);
  }

  // h of one panel is known, but for zoneout.
  FASTRNN_INLINE void settle(index_t q, index_t i, index_t j, Vec<T> h) {
    const Lines& line = lines_[i];
    const index_t width = this->h_columns(j), at = j * L;
    if (task_.masks.h_keep)
      h = kept(task_.masks.h_keep, q, i, j, width, load(line.h_before + at), h);
    store(line.h + at, h);
    store(line.y + at, h, width);
  }

  void project_outputs(index_t q, index_t rows, Team& team) {
    constexpr int Group = kProjection.per_group;
    const index_t H = panels_.H;
    for_groups<Group>({0, JP_}, q % 2 != 0, [&](index_t j) {
      team.check();
      multiply<T>({rows,
                   least(Group, JP_ - j),
                   {output_rows_, 0},
                   {1, H, 0},
                   panels_.w_hr + j * H * L,
                   kZeros<T>,
                   {next_rows_, j * L}});
      for (index_t i = 0; i < rows; ++i)
        for (index_t p = j; p < least(j + Group, JP_); ++p)
          settle(q, i, p, load(lines_[i].h + p * L));
    });
  }

  index_t JP_;  // panels of h
  NormedForward<C, T> normed_;
  bool projects_, full_;
  T* masked_;
  T* outputs_;
  // Of the own rows, at one step: h·h_mask, what w_hr multiplies, the next h, and c.
  T** masked_rows_;
  T** output_rows_;
  T** next_rows_;
  T** c_rows_;
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
