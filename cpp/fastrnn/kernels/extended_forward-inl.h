// The time loop of a general cell with what lies between its steps, or between its units: masks on
// h, zoneout, full peepholes, projection, layer normalisation.
//
// Where threads share units they meet wherever a step reads all of a row that it has just written.
// With h~, c~ what the cell itself gives:
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
  using Base::columns, Base::own_rows_, Base::gate_rows_, Base::operand_rows_, Base::choices_,
      Base::own_panels_;
  using Base::task_, Base::J_, Base::panels_, Base::c_, Base::lines_, Base::synchronise_;
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
    c_after_ = carver.take<T>(full_ ? N : 0, padded);
    for (T**& rows : c_rows_) rows = list(full_);
  }

  void run(Team& team) {
    this->bind(team);
    T*** const lists[] = {&masked_rows_, &output_rows_, &next_rows_, &c_rows_[0], &c_rows_[1]};
    for (T*** list : lists) *list += task_.dims.N * team.rank();
    const int grain = projects_ ? kProjection.per_group : kGroup<C>;
    own_h_panels_ = synchronise_ ? share(JP_, team.rank(), team.size(), grain) : Range{0, JP_};
    if (task_.panels == nullptr) pack(team);
    normed_.start(panels_, own_panels_, synchronise_, team);
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
    if (synchronise_) team.barrier();
    for (index_t q = q0, at = 0; q < q1; ++q)
      for (index_t i = 0; i < this->own_rows_at(q); ++i, ++at) {
        team.check();
        if (synchronise_ && at % team.size() != team.rank()) continue;
        normed_.add_x(gate_rows_[at], task_.steps.first_row(q) + own_rows_.begin + i);
      }
    if (synchronise_) team.barrier();
  }

  void list_extended(index_t q, index_t rows) {
    const index_t padded = J_ * L;
    for (index_t i = 0; i < rows; ++i) {
      const index_t r = own_rows_.begin + i, row = task_.steps.first_row(q) + r;
      if (full_) c_rows_[0][i] = c_ + r * padded, c_rows_[1][i] = c_after_ + r * padded;
      if (normed_) normed_.list(i, r, row);
      if (task_.masks.h_mask) {
        masked_rows_[i] =
            task_.operands != nullptr ? task_.operands + row * padded : masked_ + r * padded;
        for (index_t j = own_h_panels_.begin; j < own_h_panels_.end; ++j)
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
    if (task_.masks.h_mask && synchronise_) team.barrier();
    const auto recurrent = [&](auto stage, index_t r, index_t n, index_t j) {
      constexpr int s = decltype(stage)::value;
      const T* const* const from = s == 1               ? operand_rows_[2] + own_rows_.begin
                                   : task_.masks.h_mask ? masked_rows_
                                                        : operand_rows_[q % 2] + own_rows_.begin;
      if (normed_)
        multiply_stage<s>(from + r, normed_.h_rows() + r, 0, kZeros<T>, n, j);
      else
        multiply_stage<s>(from + r, gates + r, 0, nullptr, n, j);
    };
    const auto normalise_h = [&](auto stage) {
      this->for_blocks(q, rows, team,
                       [&](index_t r, index_t n, index_t j) { recurrent(stage, r, n, j); });
      if (synchronise_) team.barrier();
      for (index_t i = 0; i < rows; ++i) normed_.add_h(stage, i, gates[i]);
    };
    if (C::cell_state && (full_ || normed_)) {
      if (normed_) normalise_h(Int<0>{});
      if constexpr (C::cell_state) halved_step(q, rows, gates, recurrent, team);
    } else {
      for_stages<C>([&](auto stage) {
        if (normed_) normalise_h(stage);
        this->for_blocks(q, rows, team, [&](index_t r, index_t n, index_t j) {
          if (!normed_) recurrent(stage, r, n, j);
          for_units(r, n, j, [&](index_t i, index_t p) {
            unit<decltype(stage)::value>(q, i, p, [](auto& slot, auto& u) {
              C::template forward<decltype(stage)::value>(slot, u);
            });
          });
        });
        if (synchronise_) team.barrier();
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

  // i and f see all of the old c, the output all of the new one: with full peepholes it waits in
  // c_after_ until everybody has read the old one.
  template <class Recurrent>
  void halved_step(index_t q, index_t rows, T* const* gates, const Recurrent& recurrent,
                   Team& team) {
    const index_t H = panels_.H;
    const auto peep = [&](int after, index_t r, index_t n, index_t j, const T* w) {
      const int slot = after ? C::O : C::I, products = after ? 1 : 2;
      multiply<T>({n,
                   products,
                   {c_rows_[after] + r, 0},
                   {1, H, 0},
                   w + j * H * products * L,
                   nullptr,
                   {gates + r, (j * S + slot) * L}});
    };
    this->for_blocks(q, rows, team, [&](index_t r, index_t n, index_t j) {
      if (!normed_) recurrent(Int<0>{}, r, n, j);
      if (full_) peep(0, r, n, j, panels_.peephole_if);
      for_units(r, n, j, [&](index_t i, index_t p) {
        unit<0, Part::to_c>(q, i, p, [](auto& slot, auto& u) { C::forward_c(slot, u); });
      });
    });
    if (synchronise_) team.barrier();
    for (index_t i = 0; normed_ && i < rows; ++i) normed_.normalise_c(i);
    this->for_blocks(q, rows, team, [&](index_t r, index_t n, index_t j) {
      if (full_) peep(1, r, n, j, panels_.peephole_o);
      for_units(r, n, j, [&](index_t i, index_t p) {
        unit<0, Part::from_c>(q, i, p, [](auto& slot, auto& u) { C::forward_h(slot, u); });
      });
    });
    if (synchronise_) team.barrier();
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
    [[maybe_unused]] T* const c =
        P != Part::whole && full_ ? c_rows_[P == Part::from_c][i] : line.c;
    if constexpr (C::cell_state) u.c = load(c + at);
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
      store((P == Part::to_c && full_ ? c_rows_[1][i] : line.c) + at, u.c);
      if (keep) store(line.cells + at, u.c);
    }
    if constexpr (P == Part::to_c) return;
    if constexpr (P == Part::from_c)
      if (full_) store(line.c + at, u.c);
    if (projects_)
      store(output_rows_[i] + at, u.h);
    else
      settle(q, i, j, u.h);
  }

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
    for_groups<Group>(own_h_panels_, q % 2 != 0, [&](index_t j) {
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
    if (synchronise_) team.barrier();
  }

  index_t JP_;  // panels of h
  Range own_h_panels_{};
  NormedForward<C, T> normed_;
  bool projects_, full_;
  T *masked_, *outputs_, *c_after_;
  // Of the own rows, at one step: h·h_mask, what w_hr multiplies, the next h, c before and after.
  T **masked_rows_, **output_rows_, **next_rows_, **c_rows_[2];
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
