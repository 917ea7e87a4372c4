// The road back of ExtendedForward: the same steps, mirrored.
//
// carry_ holds the gradient by h of the step before, dc_ that by c. Zoneout lets its part of either
// pass by the cell.
#pragma once

#include "fastrnn/kernels/extended_forward-inl.h"
#include "fastrnn/kernels/extended_gradients-inl.h"
#include "fastrnn/kernels/normed_backward-inl.h"
#include "fastrnn/kernels/sweep_backward-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class C, class T>
class ExtendedBackward : SweepTask<T>, BackwardSweep<C, T> {
  using Base = BackwardSweep<C, T>;
  using Base::dc_, Base::c0_, Base::h0_, Base::grad_rows_, Base::gradients_;
  using Base::own_panels_, Base::synchronise_;
  using Base::task_, Base::J_, Base::JP_, Base::truncation_, Base::own_rows_, Base::carry_rows_;
  using typename Base::Lines;
  static constexpr int L = kLanes<T>, S = C::slots;

 public:
  ExtendedBackward(const BackwardTask<T>& task, Carver& carver)
      : SweepTask<T>{by_x(task)},
        Base(SweepTask<T>::own, carver),
        extended_(task, carver),
        normed_(task, carver) {
    const index_t N = task.dims.N, padded = J_ * L, threads = task.plan.threads;
    const bool full = bool(task.weights.w_peephole_full), projects = bool(task.weights.w_hr);
    dc_rows_ = carver.take<T*>(full ? N : 0, threads);
    spare_ = carver.take<T>(task.masks.h_mask || projects ? N : 0, padded);
    spare_rows_ = carver.take<T*>(task.masks.h_mask || projects ? N : 0, threads);
    dh_rows_ = carver.take<const T*>(projects ? N : 0, threads);
  }

  void run(Team& team) {
    bind(team);
    this->start(team);
    normed_.start(team);
    extended_.start(team);
    gradients_.start(team);
    team.barrier();
    for (index_t q1 = task_.steps.count; q1 > 0;) {
      const index_t q0 = task_.steps.chunk_begin(q1, task_.plan.backward_rows);
      chunk_end_ = q1;
      for (index_t q = q1 - 1; q >= q0; --q) step(q, team);
      extended_.list(q0, q1, team);
      normed_.list(q0, q1, team);
      team.barrier();
      gradients_.chunk(q0, q1, h0_, c0_, team);
      ChunkRows<T> rows = gradients_.rows();
      normed_.add(rows, team);
      extended_.add(rows, team);
      q1 = q0;
    }
    step_out(-1, team);
    if (synchronise_) team.barrier();
    this->finish(team);
    gradients_.finish(team);
    normed_.finish(team);
  }

 private:
  void bind(const Team& team) {
    Base::bind(team);
    const index_t N = task_.dims.N, padded = J_ * L, mine = N * team.rank();
    own_h_panels_ = synchronise_ ? share(JP_, team.rank(), team.size(), kBackGroup) : Range{0, JP_};
    dc_rows_ += mine, spare_rows_ += mine, dh_rows_ += mine;
    for (index_t r = 0; r < N; ++r) {
      if (task_.weights.w_peephole_full) dc_rows_[r] = dc_ + r * padded;
      if (task_.masks.h_mask || task_.weights.w_hr) spare_rows_[r] = spare_ + r * padded;
    }
  }

  void step(index_t q, Team& team) {
    step_out(q, team);
    const index_t later = task_.steps.rows(q + 1);
    const Range rows{own_rows_.begin, least(own_rows_.end, task_.steps.rows(q))};
    for (index_t r = rows.begin; r < rows.end;) {
      const Range some = truncation_.alike(q + 1, {r, rows.end});
      const bool cut = truncation_.cuts(q + 1, r);
      if (cut) this->forget(some, own_panels_.begin, own_panels_.end);
      if (cut && synchronise_ && task_.weights.w_hr) team.barrier();
      if (task_.args.dy) this->add_dy(q, some, own_h_panels_.begin, own_h_panels_.end);
      if (!cut) flow(q + 1, {r, most(r, least(some.end, later))}, team);
      r = some.end;
    }
    if (task_.weights.w_hr) open_projection(q, rows, team);
    if (C::cell_state && (normed_ || task_.weights.w_peephole_full)) {
      if constexpr (C::cell_state) halved_step(q, rows, team);
    } else {
      for_stages<C>([&](auto s) { whole_step<decltype(s)::value>(q, rows, team); });
    }
    if (synchronise_) team.barrier();
    if (normed_) normed_.through_products(q, chunk_end_, rows, synchronise_, team);
  }

  template <int Phase>
  void whole_step(index_t q, Range rows, Team& team) {
    if (Phase == 1 && synchronise_) team.barrier();
    if (Phase == 1 && normed_) normed_.through_second(q, chunk_end_, rows, synchronise_, team);
    this->for_blocks(q, rows, own_panels_, team, [&](Range block, index_t j) {
      if constexpr (Phase == 1) product<Phase>(q, block, j, kZeros<T>, this->daux_rows_);
      units<Phase>(q, block, j, [](auto& slot, auto& u) { C::template backward<Phase>(slot, u); });
    });
  }

  // As the base's, but from the gradients by what was normalised.
  template <int Stage>
  void product(index_t q, Range rows, index_t j, const T* init, T* const* into) {
    for (index_t r = rows.begin; r < rows.end; ++r)
      grad_rows_[r] = normed_ ? normed_.h_row(q, r) : this->grad_row(q, r);
    this->template product_of_listed<Stage>(rows, j, init, into);
  }

  void step_out(index_t q, Team& team) {
    const Range rows{most(own_rows_.begin, task_.steps.rows(q)),
                     least(own_rows_.end, task_.steps.rows(q + 1))};
    if (rows.begin < rows.end) flow(q + 1, rows, team);
  }

  // From the pre-activations of step q into the h and c before it.
  void flow(index_t q, Range rows, Team& team) {
    this->for_blocks(q, rows, own_h_panels_, team, [&](Range block, index_t j) {
      if (!task_.masks.h_mask) return product<0>(q, block, j, nullptr, carry_rows_);
      product<0>(q, block, j, kZeros<T>, spare_rows_);
      for (index_t r = block.begin; r < block.end; ++r)
        for (index_t p = j; p < least(j + kBackGroup, JP_); ++p) {
          T* const to = carry_rows_[r] + p * L;
          store(to, fma(h_mask(r, p), load(spare_rows_[r] + p * L), load(to)));
        }
    });
    if (task_.weights.w_peephole_full)
      this->for_blocks(q, rows, own_panels_, team, [&](Range block, index_t j) {
        peep(q, block, j, 0, 2, extended_.peephole_if());
      });
  }

  Vec<T> h_mask(index_t r, index_t p) const {
    return mask_of(task_.masks, task_.steps, r, p, this->h_columns(p));
  }

  // dc += gradients of step q of some slots, times their full peepholes.
  void peep(index_t q, Range rows, index_t j, int slot, int products, const T* w) {
    for (index_t r = rows.begin; r < rows.end; ++r) grad_rows_[r] = this->grad_row(q, r);
    multiply<T>({rows.end - rows.begin,
                 least(kBackGroup, J_ - j),
                 {grad_rows_ + rows.begin, slot * L},
                 {J_, products * L, S * L},
                 w + j * J_ * products * L * L,
                 nullptr,
                 {dc_rows_ + rows.begin, j * L}});
  }

  // The part of a gradient that zoneout lets by.
  Vec<T> stays(const View<const T, 3>& keep, index_t q, index_t r, index_t j, index_t width,
               Vec<T> d) const {
    return keep ? d * keep_of(keep, task_.steps, q, r, j, width) : Vec<T>{};
  }

  // dh~ of a row into its place in the chunk, and through w_hr into the cell's output.
  void open_projection(index_t q, Range rows, Team& team) {
    for (index_t r = rows.begin; r < rows.end; ++r) {
      T* const line = extended_.dh(q, chunk_end_, r);
      dh_rows_[r] = line;
      for (index_t j = own_h_panels_.begin; j < own_h_panels_.end; ++j) {
        T* const carry = carry_rows_[r] + j * L;
        const Vec<T> dh = load(carry);
        const Vec<T> by = stays(task_.masks.h_keep, q, r, j, this->h_columns(j), dh);
        store(carry, by);
        store(line + j * L, dh - by);
      }
    }
    if (synchronise_) team.barrier();
    this->for_blocks(q, rows, own_panels_, team, [&](Range block, index_t j) {
      multiply<T>({block.end - block.begin,
                   least(kBackGroup, J_ - j),
                   {dh_rows_ + block.begin, 0},
                   {1, JP_ * L, 0},
                   extended_.w_hr() + j * JP_ * L * L,
                   kZeros<T>,
                   {spare_rows_ + block.begin, j * L}});
    });
  }

  void halved_step(index_t q, Range rows, Team& team) {
    this->for_blocks(q, rows, own_panels_, team, [&](Range block, index_t j) {
      units<0, true>(q, block, j, [&, normed = bool(normed_)](auto& slot, auto& u) {
        u.dseen = normed ? Vec<T>{} : u.dc;
        C::backward_h(slot, u);
        if (!normed) u.dc = u.dseen;
        C::backward_o(slot, u);
      });
    });
    if (synchronise_) team.barrier();
    if (normed_) normed_.through_c(q, chunk_end_, rows, own_panels_);
    if (task_.weights.w_peephole_full)
      this->for_blocks(q, rows, own_panels_, team, [&](Range block, index_t j) {
        peep(q, block, j, C::O, 1, extended_.peephole_o());
      });
    for (index_t r = rows.begin; r < rows.end; ++r)
      for (index_t j = own_panels_.begin; j < own_panels_.end; ++j)
        unit<0, Part::to_c>(q, r, this->lines(q, r), j,
                            [](auto& slot, auto& u) { C::backward_c(slot, u); });
  }

  // A step of the cell, or of its two halves the one up to the output or the one up to c.
  enum class Part { whole, from_c, to_c };
  template <int Phase, bool Halved = false, class Cell>
  void units(index_t q, Range rows, index_t j, const Cell& cell) {
    for (index_t r = rows.begin; r < rows.end; ++r) {
      const Lines line = this->lines(q, r);
      for (index_t p = j; p < least(j + kBackGroup, J_); ++p)
        unit<Phase, Halved ? Part::from_c : Part::whole>(q, r, line, p, cell);
    }
  }

  // Whether other threads still read this slot, which the first half of a step has written.
  template <int Phase, Part P>
  static constexpr bool is_read(int s) {
    if constexpr (P == Part::to_c) return s == C::O;
    return Phase == 1 && !C::stage[0].fills(s);
  }

  // One row, one panel: the cell's gradients in place.
  template <int Phase, Part P, class Cell>
  FASTRNN_INLINE void unit(index_t q, index_t r, const Lines& line, index_t j, const Cell& cell) {
    constexpr bool First = P != Part::to_c;  // dh has not been dealt with yet
    const index_t at = j * L;
    const bool projects = bool(task_.weights.w_hr);
    T* const gates = line.gates + at * S;
    Vec<T> slot[S];
    FASTRNN_UNROLL
    for (int s = 0; s < S; ++s) slot[s] = load(gates + s * L);
    BackwardUnit<T> u{};
    Vec<T> carry{};
    if (Phase == 0 && First && projects) {
      u.dh = load(spare_rows_[r] + at);
    } else if (Phase == 0 && First) {
      u.dh = load(line.carry + at);
      carry = stays(task_.masks.h_keep, q, r, j, this->h_columns(j), u.dh);
      u.dh -= carry;
    }
    if constexpr (Phase == 1) u.daux = load(line.daux + at);
    if constexpr (C::carries_h) {
      const bool masked = Phase == 1 && task_.masks.h_mask;
      const T* const operand = task_.operands + (task_.steps.first_row(q) + r) * J_ * L;
      u.h_before = masked ? load(operand + at) : load(line.h_before + at, line.h_columns - at);
    }
    [[maybe_unused]] Vec<T> c_stays{};
    if constexpr (C::cell_state) {
      u.dc = load(line.dc + at);
      u.c = load(line.c + at);
      u.c_before = load(line.c_before + at);
      if (P != Part::from_c && task_.masks.c_keep) {
        c_stays = stays(task_.masks.c_keep, q, r, j, this->columns(j), u.dc);
        u.dc -= c_stays;
        u.c = fma(slot[C::F], u.c_before, slot[C::I] * slot[C::G]);
      }
    }
    if constexpr (P == Part::from_c) u.seen = normed_ ? normed_.seen(q, r, j) : u.c;
    if constexpr (P == Part::to_c)
      if (normed_) u.dc += normed_.by_c(r, j);
    if (C::peephole && this->peephole_ != nullptr) u.peephole = this->peephole_ + at * 3;
    u.choices = &this->choices_;
    u.limit = this->limit_;
    cell(slot, u);
    FASTRNN_UNROLL
    for (int s = 0; s < S; ++s)
      if (!is_read<Phase, P>(s)) store(gates + s * L, slot[s]);
    if constexpr (P == Part::from_c)
      if (normed_) normed_.keep_dseen(q, chunk_end_, r, j, u.dseen);
    if constexpr (Phase == 1) {
      const Vec<T> by = task_.masks.h_mask ? u.carry * h_mask(r, j) : u.carry;
      store(line.carry + at, load(line.carry + at) + by);
    } else if (First && !projects) {
      store(line.carry + at, u.carry + carry);
    }
    if constexpr (C::cell_state) store(line.dc + at, u.dc + c_stays);
  }

  index_t chunk_end_ = 0;  // the step after the chunk's last
  Range own_h_panels_{};
  ExtendedGradients<T> extended_;
  NormedBackward<C, T> normed_;
  // At one step what the recurrent product gives before h_mask, then the gradient by the cell's
  // output.
  T* spare_;
  const T** dh_rows_;
  T **spare_rows_, **dc_rows_;
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
