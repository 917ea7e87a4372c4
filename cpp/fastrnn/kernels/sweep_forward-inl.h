// The time loop of any cell, forward: one team for the whole call.
//
// Per chunk of steps the input product of all its rows is taken at once (an x that comes projected
// is added step by step); then each step adds the recurrent product to the same lines, and the cell
// turns them into gates while they are in the L1. Threads own rows, or units with barriers.
#pragma once

#include "fastrnn/kernels/ranges-inl.h"
#include "fastrnn/kernels/row_product-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class C, class T>
class ForwardSweep {
  static constexpr int L = kLanes<T>, S = C::slots, XP = C::x_products;
  static constexpr index_t kRowsAtOnce = 24;  // their gates of one panel stay in the L1

 public:
  ForwardSweep(const ForwardTask<T>& task, Carver& carver)
      : task_(task), J_(panels_of<T>(task.dims.H)) {
    const index_t N = task.dims.N, padded = J_ * L;
    const bool units = task.plan.split == Split::units;
    limit_ =
        least(units ? task.plan.forward_rows : ceil_div(task.plan.forward_rows, task.plan.threads),
              task.steps.count * N);
    // A chunk stops as soon as it has enough rows, so its last step may overshoot by the own rows.
    const index_t regions = units ? 1 : task.plan.threads;
    panels_ = task.panels != nullptr ? *task.panels
                                     : carve_panels<typename C::Shape, T>(carver, task.weights,
                                                                          task.dims.I, task.dims.H);
    for (T*& state : state_) state = carver.take<T>(N, padded);
    if (C::cell_state) c_ = carver.take<T>(N, padded);
    if (C::stages == 2) aux_ = carver.take<T>(N, padded);
    gates_ = task.gates != nullptr ? task.gates : carver.take<T>(regions * limit_ + N, padded, S);
    x_rows_ = carver.take<const T*>(limit_ + N, task.plan.threads);
    gate_rows_ = carver.take<T*>(limit_ + N, task.plan.threads);
    for (auto& rows : operand_rows_) rows = carver.take<const T*>(N, task.plan.threads);
    lines_ = carver.take<Lines>(N, task.plan.threads);
  }

  void run(Team& team) {
    bind(team);
    if (task_.panels == nullptr) pack(team);
    start(team);
    team.barrier();
    for (index_t q0 = 0; q0 < task_.steps.count;) {
      const index_t q1 = list_chunk(q0);
      if (!panels_.projected) project(team);
      for (index_t q = q0, row = 0; q < q1; row += own_rows_at(q++)) step(q, row, team);
      q0 = q1;
    }
    finish(team);
  }

 protected:  // for ExtendedForward
  void bind(const Team& team) {
    if constexpr (C::general) choices_ = unit_choices<T>(task_.choices);
    const bool units = task_.plan.split == Split::units;
    own_rows_ = units ? Range{0, task_.dims.N} : share_rows(task_.steps, team.rank(), team.size());
    own_panels_ = units ? share(J_, team.rank(), team.size(), kGroup<C>) : Range{0, J_};
    synchronise_ = units && team.size() > 1;
    const index_t N = task_.dims.N, mine = (limit_ + N) * team.rank();
    x_rows_ += mine, gate_rows_ += mine, lines_ += N * team.rank();
    // Without a tape the gates of a chunk share one block: threads that own rows go through their
    // chunks at their own pace, so each has a region to itself.
    region_ = units ? 0 : limit_ * team.rank() + own_rows_.begin;
    const T* const operands[3] = {state_[0], state_[1], aux_};
    for (int i = 0; i < 2 + (C::stages == 2); ++i) {
      operand_rows_[i] += N * team.rank();
      for (index_t r = 0; r < N; ++r) operand_rows_[i][r] = operands[i] + r * J_ * L;
    }
  }

  // Unit ranges of the sweep are multiples of every group.
  void pack(Team& team) {
    const Range groups = share(ceil_div(J_, kGroup<C>), team.rank(), team.size(), 1);
    for (index_t g = groups.begin; g < groups.end; ++g) {
      team.check();
      fill_group<typename C::Shape>(task_.weights, panels_, g, team);
    }
  }

  index_t own_rows_at(index_t q) const {
    return most(0, least(own_rows_.end, task_.steps.rows(q)) - own_rows_.begin);
  }

  // Lists the own rows of the next chunk, which begins at q0; returns the step after it.
  index_t list_chunk(index_t q0) {
    const Steps& steps = task_.steps;
    index_t q = q0;
    chunk_rows_ = 0;
    for (; q < steps.count && (chunk_rows_ < limit_ || q == q0); ++q) {
      const index_t first = steps.first_row(q);
      for (index_t r = own_rows_.begin; r < own_rows_.begin + own_rows_at(q); ++r) {
        const index_t row = task_.gates != nullptr ? first + r : region_ + chunk_rows_;
        x_rows_[chunk_rows_] = row_at(task_.x, task_.ids, steps, q, r);
        gate_rows_[chunk_rows_++] = gates_ + row * J_ * S * L;
      }
    }
    return q;
  }

  // Of a panel and beyond: columns that exist of c, and of h.
  index_t columns(index_t panel) const { return task_.dims.H - panel * L; }
  index_t h_columns(index_t panel) const { return most(0, task_.dims.P - panel * L); }

  // f(row, panel) over what this thread owns.
  template <class F>
  void for_own(Team& team, F&& f) const {
    for (index_t r = own_rows_.begin; r < own_rows_.end; ++r)
      for (index_t j = own_panels_.begin; j < own_panels_.end; ++j) {
        team.check();
        f(r, j);
      }
  }

  void start(Team& team) {
    for_own(team, [&](index_t r, index_t j) {
      const index_t n = task_.steps.caller_row(r), at = (r * J_ + j) * L;
      const auto initial = [&](const View<const T, 2>& v, index_t width) {
        return v && width > 0 ? load(v.at(n) + j * L, width) : Vec<T>{};
      };
      // Both buffers: a row of the reverse direction joins later, at either parity.
      store(state_[0] + at, initial(task_.h0, h_columns(j)));
      store(state_[1] + at, initial(task_.h0, h_columns(j)));
      if constexpr (C::cell_state) store(c_ + at, initial(task_.c0, columns(j)));
    });
  }

  void project(Team& team) {
    const index_t at_once = rows_at_once(panels_.I, J_ * S * L * index_t{sizeof(T)});
    for (index_t j = own_panels_.begin; j < own_panels_.end; j += kGroup<C>) {
      index_t row = 0;
      do {  // once at least: a thread without rows is to stop, too
        team.check();
        project_block({row, least(row + at_once, chunk_rows_)}, j);
      } while ((row += at_once) < chunk_rows_);
    }
  }

  void project_block(Range rows, index_t j) {
    const index_t width = least(kGroup<C>, J_ - j);
    const T* bias = panels_.bias + j * S * L;
    if (panels_.projected)
      add_projected(rows, j, width, bias);
    else
      multiply<T>({rows.end - rows.begin,
                   width * XP,
                   {x_rows_ + rows.begin, 0},
                   {1, panels_.I, 0},
                   panels_.w_ih + j * panels_.I * XP * L,
                   bias,
                   {gate_rows_ + rows.begin, j * S * L}});
    for (index_t row = rows.begin; row < rows.end; ++row)  // only the recurrent product fills them
      for (int s = XP; s < S; ++s) store(gate_rows_[row] + (j * S + s) * L, load(bias + s * L));
  }

  void add_projected(Range rows, index_t j, index_t width, const T* bias) {
    for (index_t row = rows.begin; row < rows.end; ++row)
      for (index_t p = 0; p < width; ++p)
        for (int s = 0; s < XP; ++s) {
          const T* x = x_rows_[row] + C::gate[s] * task_.dims.H + (j + p) * L;
          store(gate_rows_[row] + ((j + p) * S + s) * L,
                load(bias + (p * S + s) * L) + load(x, columns(j + p)));
        }
  }

  // Where the vectors of one row lie at one step; a panel is L further on.
  struct Lines {
    T* gates;
    const T* h_before;
    T* h;
    T* c;
    T* aux;
    T* cells;  // null without a tape
    T* y;
  };

  void list_lines(index_t q, index_t first, index_t rows) {
    const bool keep = task_.gates != nullptr;
    const index_t padded = J_ * L, time = task_.steps.time(q);
    for (index_t i = 0; i < rows; ++i) {
      const index_t r = own_rows_.begin + i, at = r * padded;
      lines_[i] = {
          gate_rows_[first + i],
          state_[q % 2] + at,
          state_[(q + 1) % 2] + at,
          C::cell_state ? c_ + at : nullptr,
          C::stages == 2 ? aux_ + at : nullptr,
          C::cell_state && keep ? task_.cells + (task_.steps.first_row(q) + r) * padded : nullptr,
          task_.y.at(time, task_.steps.caller_row(r))};
    }
  }

  // Step q, whose rows begin at `first` in the lists of the chunk.
  void step(index_t q, index_t first, Team& team) {
    const index_t rows = own_rows_at(q), group = rows == 1 ? kAlone<C> : kGroup<C>;
    list_lines(q, first, rows);
    for_stages<C>([&](auto s) {
      const auto block = [&](index_t r, index_t n, index_t j) {
        const Range panels{j, least(j + group, own_panels_.end)};
        for (; decltype(s)::value == 0 && panels_.projected && j < panels.end; j += kGroup<C>)
          project_block({first + r, first + r + n}, j);
        step_block<decltype(s)::value>(q, r, n, panels, gate_rows_ + first + r);
      };
      group == kGroup<C> ? for_blocks(q, rows, team, block)
                         : for_blocks<kAlone<C>>(q, rows, team, block);
      if (synchronise_) team.barrier();
    });
  }

  // f(first of the own rows, how many, panel), a few rows at a time.
  template <int Group = kGroup<C>, class F>
  void for_blocks(index_t q, index_t rows, Team& team, F&& f) const {
    for_groups<Group>(own_panels_, q % 2 != 0, [&](index_t j) {
      index_t r = 0;
      do {
        team.check();
        f(r, least(kRowsAtOnce, rows - r), j);
      } while ((r += kRowsAtOnce) < rows);
    });
  }

  // The product of a few of the own rows, then the cell on the same lines.
  template <int Stage>
  void step_block(index_t q, index_t row, index_t rows, Range panels, T* const* gates) {
    constexpr auto stage = C::stage[Stage];
    constexpr bool several = kAlone<C> > kGroup<C>;
    const index_t H = task_.dims.H, j = panels.begin, width = panels.end - j;
    const index_t panel = H * stage.products * L, vectors = (several ? 1 : width) * stage.products;
    const Rows<const T> from{operand_rows_[Stage == 0 ? q % 2 : 2] + own_rows_.begin + row, 0};
    const Rows<T> to{gates, (j * S + stage.slot) * L};
    const T* const w = panels_.w_hh + stage_offset<C, T>(Stage, H) + j * panel;
    multiply_groups<T, stage.products, several ? kAlone<C> : 1>(
        {rows, vectors, from, {1, H, 0}, w, nullptr, to}, several ? width : 1, panel, S * L);
    for (index_t r = row; r < row + rows; ++r)
      for (index_t p = j; p < panels.end; ++p) unit<Stage>(lines_[r], p);
  }

  // One row, one panel: the cell itself, and where its results go.
  template <int Stage>
  FASTRNN_INLINE void unit(const Lines& line, index_t j) {
    constexpr bool last = Stage == C::stages - 1;
    const bool keep = task_.gates != nullptr;
    const index_t at = j * L;
    T* const gates = line.gates + at * S;
    Vec<T> slot[S];
    FASTRNN_UNROLL
    for (int s = 0; s < S; ++s) slot[s] = load(gates + s * L);
    ForwardUnit<T> u{};
    u.h_before = load(line.h_before + at);
    if constexpr (C::cell_state) u.c = load(line.c + at);
    if (C::peephole && (!C::general || panels_.peephole != nullptr))
      u.peephole = panels_.peephole + at * 3;
    if constexpr (C::general) u.choices = &choices_;
    C::template forward<Stage>(slot, u);
    if (!last || keep) {
      FASTRNN_UNROLL
      for (int s = 0; s < S; ++s) store(gates + s * L, slot[s]);
    }
    if constexpr (!last) return store(line.aux + at, u.aux);
    if constexpr (C::cell_state) {
      store(line.c + at, u.c);
      if (keep) store(line.cells + at, u.c);
    }
    store(line.h + at, u.h);
    store(line.y + at, u.h, columns(j));
  }

  void finish(Team& team) {
    const Steps& steps = task_.steps;
    for_own(team, [&](index_t r, index_t j) {
      const index_t n = steps.caller_row(r), at = (r * J_ + j) * L;
      const index_t parity = (steps.reverse ? steps.count : steps.row_length(r)) % 2;
      const index_t width = h_columns(j);
      if (width > 0) store(task_.h_n.at(n) + j * L, load(state_[parity] + at), width);
      if constexpr (C::cell_state) store(task_.c_n.at(n) + j * L, load(c_ + at), columns(j));
      for (index_t t = steps.row_length(r); width > 0 && t < task_.dims.T; ++t)
        store(task_.y.at(t, n) + j * L, Vec<T>{}, width);
    });
  }

  const ForwardTask<T>& task_;
  index_t J_, limit_, region_ = 0, chunk_rows_ = 0;
  Panels<T> panels_;
  T* state_[2];
  T *c_ = nullptr, *aux_ = nullptr;
  T* gates_;
  const T** x_rows_;           // of a chunk
  T** gate_rows_;              // of a chunk, then of a step
  const T** operand_rows_[3];  // of both states and of aux
  Lines* lines_;               // of the own rows, at one step
  Range own_rows_{}, own_panels_{};
  bool synchronise_ = false;
  UnitChoices<T> choices_;  // general cells
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
