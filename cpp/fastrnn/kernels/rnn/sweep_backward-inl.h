// The time loop of any cell, backward: dh, then the cell's gradients, from the last step on.
//
// The kept gates become the gradients of the pre-activations (kept_lines-inl.h). After each chunk
// of steps the weight gradients are taken as large products (gradients-inl.h). carry_ holds the
// gradient by h of the step before, dc_ that by c; zoneout lets its part of either pass by the
// cell.
#pragma once

#include "fastrnn/cells/activation-inl.h"
#include "fastrnn/kernels/rnn/gradients-inl.h"
#include "fastrnn/kernels/rnn/layer_norm-inl.h"
#include "fastrnn/kernels/rnn/options-inl.h"
#include "fastrnn/kernels/rnn/rounded_rows-inl.h"
#include "fastrnn/kernels/rnn/truncation-inl.h"
#include "fastrnn/kernels/rnn/zoneout-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class C, class T>
class BackwardSweep {
  static constexpr CellShape kShape = C::shape;
  static constexpr int L = kLanes<T>, S = kShape.slots;
  static constexpr bool kHasC = kShape.cell_state, kHasAux = kShape.aux_slot >= 0;
  // Of bfloat16 so many make whole tiles; of floats their gates of four panels stay in the L2.
  static constexpr index_t kRoundedAtOnce = 32, kRowsAtOnce = 24;
  static constexpr int kMostProducts = kShape.recurrent(0).count > kShape.recurrent(1).count
                                           ? kShape.recurrent(0).count
                                           : kShape.recurrent(1).count;

 public:
  FASTRNN_NOINLINE BackwardSweep(const BackwardTask<T>& task, Carver& carver, int rank, int size)
      : task_(task),
        on_(task.on),
        J_(panels_of<T>(task.dims.H)),
        JP_(panels_of<T>(task.dims.P)),
        truncation_(task_.steps, task.args.truncate),
        h_keeps_(KeepLines<T>::of_h, task.in.masks.h_keep, task.in.masks.h_draws, task.steps,
                 J_ * L, carver),
        c_keeps_(KeepLines<T>::of_c, task.in.masks.c_keep, task.in.masks.c_draws, task.steps,
                 J_ * L, carver),
        rounds_(in_bfloat16(task.layer)),
        rounded_(carver, rounds_ ? task.dims.N : 0, J_ * L * kMostProducts),
        lines_(kShape, task, carver),
        gradients_(kShape, task, lines_, carver, rank),
        normed_(task, carver, rank, size) {
    const index_t N = task.dims.N, padded = J_ * L, threads = task.plan.threads;
    const bool spare = on_.h_mask() || on_.projection();
    carry_ = carver.take<T>(N, padded);
    h0_ = carver.take<T>(N, padded);
    if (kHasC) dc_ = carver.take<T>(N, padded);
    if (kHasC) c0_ = carver.take<T>(N, padded);
    if (kHasAux) daux_ = carver.take<T>(N, padded);
    spare_ = carver.take<T>(spare ? N : 0, padded);
    grad_rows_ = carver.take<const T*>(N, threads) + N * rank;
    const index_t opened = on_.projection() ? N : 0;
    dh_rows_ = carver.take<const T*>(opened, threads) + opened * rank;
    carry_rows_ = carver.take<T*>(N);
    daux_rows_ = carver.take<T*>(kHasAux ? N : 0);
    dc_rows_ = carver.take<T*>(on_.full_peephole() ? N : 0);
    spare_rows_ = carver.take<T*>(spare ? N : 0);
    for_products(kShape, Matrix::w_hh, [&](int s, const CellProduct& product) {
      transposed_[s] = carver.take<T>(padded * product.count / (rounds_ ? 2 : 1), padded);
    });
    for_products(kShape, Matrix::w_peephole, [&](int s, const CellProduct& product) {
      if (on_.full_peephole()) peepholes_[s] = carver.take<T>(padded * product.count, padded);
    });
    w_hr_ = carver.take<T>(on_.projection() ? JP_ * L : 0, padded);
    peephole_ = carver.take<T>(on_.peephole() ? padded * 3 : 0);

    limit_ = task.args.clip_step < T(__builtin_inf()) ? &task.args.clip_step : nullptr;
    const bool units = task.plan.split == Split::units;
    own_rows_ = units ? Range{0, N} : share_rows(task.steps, rank, size);
    own_panels_ = units ? share(J_, rank, size, kBackGroup) : Range{0, J_};
    own_h_panels_ = units ? share(JP_, rank, size, kBackGroup) : Range{0, JP_};
    synchronise_ = units && size > 1;
  }

  void run(Team& team) {
    if constexpr (C::general) choices_ = unit_choices<C, T>(task_.layer.choices);
    start(team);
    if (on_.norm()) normed_.start();
    gradients_.start(team);
    team.barrier();
    for (index_t q1 = task_.steps.count; q1 > 0;) {
      const index_t q0 = task_.steps.chunk_begin(q1, task_.plan.backward_rows);
      chunk_end_ = q1;
      const index_t done = task_.steps.count - q0;
      team.wait_for_steps(done);  // dy may be what another layer puts out
      lines_.begin(q1, own_rows_, {own_panels_.begin * S * L, own_panels_.end * S * L});
      // Until here threads read the rows that this chunk will overwrite.
      if (q1 < task_.steps.count && (on_.projection() || lines_.halves())) team.barrier();
      for (index_t q = q1 - 1; q >= q0; --q) step(q, team);
      team.barrier();
      gradients_.chunk(q0, q1, h0_, c0_, team);
      team.pass_on(done);
      q1 = q0;
    }
    step_out(-1, team);
    if (on_.projection() && synchronise_) team.barrier();
    finish(team);
    gradients_.finish(team);  // all threads meet in it
    if (on_.norm()) normed_.finish(team);
  }

 private:
  index_t columns(index_t panel) const { return task_.dims.H - panel * L; }
  index_t h_columns(index_t panel) const { return most(0, task_.dims.P - panel * L); }

  static Range units_of(Range panels, index_t width) {
    return {panels.begin * L, least(panels.end * L, width)};
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
        store(h0_ + at, read(task_.in.h0, h_columns(j)));
        if constexpr (kHasC) store(dc_ + at, read(task_.args.dc_n, columns(j)));
        if constexpr (kHasC) store(c0_ + at, read(task_.in.c0, columns(j)));
      }
    const RnnWeights<T>& w = task_.layer.weights;
    const index_t H = task_.dims.H, P = task_.dims.P;
    for_products(kShape, Matrix::w_hh, [&](int s, const CellProduct& product) {
      pack_back(w.w_hh, H, P, products_of(kShape, product), transposed_[s], team, rounds_);
    });
    for_products(kShape, Matrix::w_peephole, [&](int s, const CellProduct& product) {
      if (on_.full_peephole())
        pack_back(w.w_peephole_full, H, H, products_of(kShape, product), peepholes_[s], team);
    });
    if (on_.projection()) pack_back(w.w_hr, P, H, kProjection, w_hr_, team);
    if (team.rank() != 0) return;
    if constexpr (kMayBeNarrow<T>) rounded_.start();
    for (index_t j = 0; on_.peephole() && j < J_; ++j)
      pack_peephole(w.w_peephole, H, j, peephole_ + j * 3 * L);
    for (index_t r = 0; r < task_.dims.N; ++r) {
      const index_t at = r * J_ * L;
      carry_rows_[r] = carry_ + at;
      if constexpr (kHasAux) daux_rows_[r] = daux_ + at;
      if (on_.full_peephole()) dc_rows_[r] = dc_ + at;
      if (on_.h_mask() || on_.projection()) spare_rows_[r] = spare_ + at;
    }
  }

  // f(rows, panel), a few rows at a time.
  template <class F>
  void for_blocks(index_t q, Range rows, Range panels, Team& team, F&& f) const {
    const index_t at_once = rounds_ ? kRoundedAtOnce : kRowsAtOnce;
    for_groups<kBackGroup>(panels, q % 2 != 0, [&](index_t j) {
      index_t r = rows.begin;
      do {
        team.check();
        f(Range{r, least(r + at_once, most(r, rows.end))}, j);
      } while ((r += at_once) < rows.end);
    });
  }

  void step(index_t q, Team& team) {
    step_out(q, team);
    const Range rows{own_rows_.begin, least(own_rows_.end, task_.steps.rows(q))};
    if (on_.h_keep()) h_keeps_.draw(q, rows, units_of(own_h_panels_, task_.dims.P));
    if (on_.c_keep()) c_keeps_.draw(q, rows, units_of(own_panels_, task_.dims.H));
    if (on_.projection()) {
      for_blocks(q, rows, own_h_panels_, team,
                 [&](Range block, index_t j) { receive<true, false>(q, block, j); });
      open_projection(q, rows, team);
    }
    for_stages(on_, true, [&](auto begin, auto end) {
      run_stages<decltype(begin)::value, decltype(end)::value>(q, rows, team);
      if (synchronise_) team.barrier();
    });
    if (on_.norm()) normed_.through_products(q, rows, synchronise_, team);
    round<0>(q, rows, team);
  }

  // The gradients of step q that a stage's product by w_hh multiplies, if it is in bfloat16.
  template <int Stage>
  void round([[maybe_unused]] index_t q, [[maybe_unused]] Range rows, [[maybe_unused]] Team& team) {
    constexpr CellProduct product = kShape.recurrent(Stage);
    if constexpr (kMayBeNarrow<T> && product.count > 0) {
      if (!rounds_) return;
      for (index_t r = rows.begin; r < rows.end; ++r)
        rounded_.round(r, on_.norm() ? normed_.h_row(q, r) : lines_.gates(q, r), S,
                       {product.slot, product.count}, own_panels_);
      if (synchronise_) team.barrier();
    }
  }

  // Stages that run as one: what reaches the last of them, then the cell on the same lines.
  template <int Begin, int End>
  void run_stages(index_t q, Range rows, Team& team) {
    constexpr bool last = End == kShape.stages;
    if (!last && on_.norm()) {
      if constexpr (kHasC)
        normed_.through_c(q, rows, own_panels_);
      else
        normed_.through_second(q, rows, synchronise_, team);
    }
    if constexpr (!last) round<End>(q, rows, team);
    for_blocks(q, rows, own_panels_, team, [&](Range block, index_t j) {
      const index_t end = least(j + kBackGroup, J_);
      if constexpr (last) {
        lines_.halves() ? lines_.widen(q, block, {j * L, end * L}, c0_) : fetch(q, block, j, end);
        on_.projection() ? receive<false, true>(q, block, j) : receive<true, true>(q, block, j);
      } else {
        leave<End>(q, block, j);
      }
      for (index_t r = block.begin; r < block.end; ++r) {
        const Lines line = lines(q, r);
        for (index_t p = j; p < end; ++p) unit<Begin, End>(q, r, line, p);
      }
    });
  }

  // Adds to the gradients by h and c of step q those by dy and those from the step after it.
  template <bool OfH, bool OfC>
  void receive(index_t q, Range block, index_t j) {
    const index_t later = task_.steps.rows(q + 1);  // rows beyond have their last step here
    for (index_t r = block.begin; r < block.end;) {
      const Range some = truncation_.alike(q + 1, {r, block.end});
      const bool cut = truncation_.cuts(q + 1, r);
      if (cut && OfH) forget(carry_, some, j, JP_);
      if (cut && OfC && kHasC) forget(dc_, some, j, J_);
      if (OfH && task_.args.dy) add_dy(q, some, j);
      const Range flowing{r, most(r, least(some.end, later))};
      if (!cut && OfH) flow_to_h(q + 1, flowing, j);
      if (!cut && OfC && on_.full_peephole()) flow_to_c<0>(q + 1, flowing, j);
      r = some.end;
    }
  }

  void forget(T* what, Range rows, index_t j, index_t panels) const {
    const index_t width = least(kBackGroup, panels - j) * L;
    for (index_t r = rows.begin; r < rows.end; ++r)
      __builtin_memset(what + (r * J_ + j) * L, 0, static_cast<std::size_t>(width) * sizeof(T));
  }

  void add_dy(index_t q, Range rows, index_t j) const {
    for (index_t r = rows.begin; r < rows.end; ++r) {
      const T* dy = task_.args.dy.at(task_.steps.time(q), task_.steps.caller_row(r));
      for (index_t p = j; p < least(j + kBackGroup, JP_); ++p) {
        T* to = carry_rows_[r] + p * L;
        store(to, load(to) + load(dy + p * L, h_columns(p)));
      }
    }
  }

  // carry += gradients of the pre-activations of step q, times the weights of h and its mask.
  void flow_to_h(index_t q, Range rows, index_t j) {
    if constexpr (kShape.recurrent(0).count > 0) {
      if (!on_.h_mask()) return product<0>(q, rows, j, nullptr, carry_rows_);
      product<0>(q, rows, j, kZeros<T>, spare_rows_);
      for (index_t r = rows.begin; r < rows.end; ++r)
        for (index_t p = j; p < least(j + kBackGroup, JP_); ++p) {
          T* const to = carry_rows_[r] + p * L;
          store(to, fma(h_mask(r, p), load(spare_rows_[r] + p * L), load(to)));
        }
    }
  }

  // dc += gradients of step q of some slots, times a stage's full peepholes.
  template <int Stage>
  void flow_to_c(index_t q, Range rows, index_t j) {
    for (int i = 0; i < kShape.stage[Stage].products; ++i) {
      const CellProduct& product = kShape.stage[Stage].product[i];
      if (product.matrix == Matrix::w_peephole)
        multiply_gradients(q, rows, j, product, J_, peepholes_[Stage], nullptr, dc_rows_, false);
    }
  }

  // The gradients that a stage's products pass on to the stage before it.
  template <int Stage>
  void leave(index_t q, Range rows, index_t j) {
    if constexpr (kShape.recurrent(Stage).count > 0)
      product<Stage>(q, rows, j, kZeros<T>, daux_rows_);
    if (on_.full_peephole()) flow_to_c<Stage>(q, rows, j);
  }

  // into[r] (panels j .. of it) = init + gradients of step q of a stage's product by w_hh, times
  // its weights; init as for multiply().
  template <int Stage>
  void product(index_t q, Range rows, index_t j, const T* init, T* const* into) {
    if constexpr (kMayBeNarrow<T>)
      if (rounds_)  // as round() has left them
        return rounded_.multiply(rows, J_ * kShape.recurrent(Stage).count * L, transposed_[Stage],
                                 j, least(kBackGroup, JP_ - j), init, into + rows.begin,
                                 task_.plan.dots);
    multiply_gradients(q, rows, j, kShape.recurrent(Stage), JP_, transposed_[Stage], init, into,
                       on_.norm());
  }
  FASTRNN_INLINE void multiply_gradients(index_t q, Range rows, index_t j,
                                         const CellProduct& product, index_t panels,
                                         const T* weights, const T* init, T* const* into,
                                         bool normed) {
    for (index_t r = rows.begin; r < rows.end; ++r)
      grad_rows_[r] = normed ? normed_.h_row(q, r) : lines_.gates(q, r);
    const index_t K = J_ * product.count * L;
    multiply<T>({rows.end - rows.begin,
                 least(kBackGroup, panels - j),
                 {grad_rows_ + rows.begin, product.slot * L},
                 {J_, product.count * L, S * L},
                 weights + j * K * L,
                 init,
                 {into + rows.begin, j * L}});
  }

  Vec<T> h_mask(index_t r, index_t p) const {
    return load(task_.in.masks.h_mask.at(task_.steps.caller_row(r)) + p * L, h_columns(p));
  }

  // The part of a gradient that zoneout passes on to the old state.
  static FASTRNN_INLINE Vec<T> stays(const KeepLines<T>& keeps, index_t q, index_t r, index_t j,
                                     index_t width, Vec<T> d) {
    return d * load(keeps.line(q, r) + j * L, width);
  }

  // dh~ of a row into its place in the chunk, and through w_hr into the cell's output.
  void open_projection(index_t q, Range rows, Team& team) {
    for (index_t r = rows.begin; r < rows.end; ++r) {
      T* const line = gradients_.dh(q, chunk_end_, r);
      dh_rows_[r] = line;
      for (index_t j = own_h_panels_.begin; j < own_h_panels_.end; ++j) {
        T* const carry = carry_rows_[r] + j * L;
        const Vec<T> dh = load(carry);
        Vec<T> by{};
        if (on_.h_keep()) by = stays(h_keeps_, q, r, j, h_columns(j), dh);
        store(carry, by);
        store(line + j * L, dh - by);
      }
    }
    if (synchronise_) team.barrier();
    for_blocks(q, rows, own_panels_, team, [&](Range block, index_t j) {
      multiply<T>({block.end - block.begin,
                   least(kBackGroup, J_ - j),
                   {dh_rows_ + block.begin, 0},
                   {1, JP_ * L, 0},
                   w_hr_ + j * JP_ * L * L,
                   kZeros<T>,
                   {spare_rows_ + block.begin, j * L}});
    });
  }

  // Pointers to the vectors of one row at one step; each next panel is L elements further on.
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

  FASTRNN_INLINE Lines lines(index_t q, index_t r) const {
    const Steps& steps = task_.steps;
    const index_t padded = J_ * L, at = r * padded;
    const bool before = r < steps.rows(q - 1);
    Lines line{};
    line.gates = lines_.gates(q, r);
    line.carry = carry_ + at;
    if constexpr (kHasAux) line.daux = daux_ + at;
    line.h_before = before ? task_.y.at(steps.time(q - 1), steps.caller_row(r)) : h0_ + at;
    line.h_columns = before ? task_.dims.H : padded;
    if constexpr (kHasC) {
      line.dc = dc_ + at;
      line.c = lines_.cells(q, r);
      line.c_before = before || lines_.halves() ? lines_.cells_before(q, r) : c0_ + at;
    }
    return line;
  }

  // Prefetches what the units of a block will read while its product is computed, because hardware
  // prefetchers miss it: 1 to 4 % of training at H = 128 on Zen 5. A smaller product is too short
  // to hide the latency.
  void fetch(index_t q, Range rows, index_t j, index_t end) const {
    if (!kHasC || J_ * L < 64 || rows.end - rows.begin < 8) return;
    const index_t t = task_.steps.time(q);
    const bool dys = task_.args.dy && !on_.projection();
    for (index_t r = rows.begin; r < rows.end; ++r) {
      const T* const c = lines(q, r).c_before;
      const T* const dy = dys ? task_.args.dy.at(t, task_.steps.caller_row(r)) : c;
      for (index_t i = j * L; i < end * L; i += L)
        __builtin_prefetch(c + i), __builtin_prefetch(dy + i);
    }
  }

  // One row, one panel: the cell's gradients in place. carry holds dh on the way in.
  template <int Begin, int End>
  FASTRNN_INLINE void unit(index_t q, index_t r, const Lines& line, index_t j) {
    constexpr bool last = End == kShape.stages;
    const index_t at = j * L;
    T* const gates = line.gates + at * S;
    Vec<T> slot[S];
    FASTRNN_UNROLL
    for (int s = 0; s < S; ++s) slot[s] = load(gates + s * L);
    BackwardUnit<T> u{};
    [[maybe_unused]] Vec<T> h_stays{}, c_stays{};
    if constexpr (last) {
      u.dh = load((on_.projection() ? spare_rows_[r] : line.carry) + at);
      if (on_.h_keep() && !on_.projection()) {
        h_stays = stays(h_keeps_, q, r, j, h_columns(j), u.dh);
        u.dh -= h_stays;
      }
    }
    if constexpr (!last && kHasAux) u.daux = load(line.daux + at);
    if constexpr (kShape.carries_h) {
      u.h_before = load(line.h_before + at, line.h_columns - at);
      if (!last && on_.h_mask()) u.h_before *= h_mask(r, j);
    }
    if constexpr (kHasC) {
      u.dc = load(line.dc + at);
      u.c = load(line.c + at);
      u.c_before = load(line.c_before + at);
      if (Begin == 0 && on_.c_keep()) {
        c_stays = stays(c_keeps_, q, r, j, columns(j), u.dc);
        u.dc -= c_stays;
        u.c = fma(slot[C::F], u.c_before, slot[C::I] * slot[C::G]);
      }
      if (Begin > 0) u.seen = on_.norm() ? normed_.seen(q, r, j) : u.c;
      if (Begin > 0 && !on_.norm()) u.dseen = u.dc;
      if (!last && on_.norm()) u.dc += normed_.by_c(r, j);
    }
    if (on_.peephole()) u.peephole = peephole_ + at * 3;
    if constexpr (C::general) u.choices = &choices_;
    u.limit = limit_;
    if (!last && !on_.h_mask()) u.carry = load(line.carry + at);
    cell_backward<C, Begin, End>(slot, u);
    if constexpr (last && kHasC)
      if (on_.projection() && lines_.halves()) store(lines_.outputs(q, r) + at, u.output);
    FASTRNN_UNROLL
    for (int s = 0; s < S; ++s)
      // Other threads still read the slots that the stages after these have written.
      if (last || kShape.last_stage(s) < End) store(gates + s * L, slot[s]);
    if constexpr (last) {
      if (!on_.projection()) store(line.carry + at, on_.h_keep() ? u.carry + h_stays : u.carry);
    } else if constexpr (kShape.carries_h) {
      if (on_.h_mask()) u.carry = load(line.carry + at) + u.carry * h_mask(r, j);
      store(line.carry + at, u.carry);
    }
    if constexpr (kHasC) {
      if (Begin > 0) {
        on_.norm() ? normed_.keep_by_seen(r, j, u.dseen) : void(u.dc = u.dseen);
      }
      store(line.dc + at, on_.c_keep() ? u.dc + c_stays : u.dc);
    }
  }

  // Rows that exist at step q + 1 but not at q: their gradients flow into the initial states, if
  // those gradients are wanted.
  void step_out(index_t q, Team& team) {
    const Range rows{most(own_rows_.begin, task_.steps.rows(q)),
                     least(own_rows_.end, task_.steps.rows(q + 1))};
    if (rows.begin >= rows.end) return;
    if (task_.args.dh0)
      for_blocks(q, rows, own_h_panels_, team,
                 [&](Range block, index_t j) { flow_to_h(q + 1, block, j); });
    if (task_.args.dc0 && on_.full_peephole())
      for_blocks(q, rows, own_panels_, team,
                 [&](Range block, index_t j) { flow_to_c<0>(q + 1, block, j); });
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
        if constexpr (kHasC) write(task_.args.dc0, dc_, columns(j));
      }
  }

  const BackwardTask<T>& task_;
  const Asked<C, T> on_;
  index_t J_, JP_;  // panels of c and of h
  Truncation truncation_;
  const T* limit_ = nullptr;  // clip_step
  KeepLines<T> h_keeps_, c_keeps_;
  const bool rounds_;  // products by w_hh and w_ih are in bfloat16
  [[no_unique_address]] RoundedRows<T> rounded_;
  KeptLines<T> lines_;
  Gradients<T> gradients_;
  NormedBackward<C, T> normed_;
  index_t chunk_end_ = 0;  // the step after the chunk's last
  T* carry_;  // what reaches h of a step elementwise, then all of dh; dh_n at first, dh0 at last
  T *h0_, *dc_ = nullptr, *c0_ = nullptr, *daux_ = nullptr;
  // At one step what the recurrent product gives before h_mask, then, where there is a projection,
  // the gradient by the cell's output.
  T* spare_;
  const T **grad_rows_, **dh_rows_;
  T **carry_rows_, **daux_rows_, **dc_rows_, **spare_rows_;
  T *transposed_[2] = {}, *peepholes_[2] = {}, *w_hr_;  // as pack_back_group() lays them
  T* peephole_;
  Range own_rows_{}, own_panels_{}, own_h_panels_{};
  bool synchronise_ = false;
  UnitChoices<T> choices_;  // general cells
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
