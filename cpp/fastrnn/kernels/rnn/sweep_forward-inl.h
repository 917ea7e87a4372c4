// The time loop of any cell, forward: one team for the whole call.
//
// Per chunk of steps the input product of all its rows is taken at once (an x that comes projected
// is added step by step). A step walks the stages of the cell: products are added to the same
// lines, and the cell turns them into gates while they are in the L1. Threads own rows, or units
// with barriers. With h~, c~ what the cell itself gives, the options make of a step
//
//   h~ = W_hr·(o∘h(c~)) with projection, h' = z_h∘h + (1 - z_h)∘h~, c' = z_c∘c + (1 - z_c)∘c~
//
// and the recurrent product takes h∘h_mask.
#pragma once

#include "fastrnn/cells/activation-inl.h"
#include "fastrnn/kernels/rnn/layer_norm-inl.h"
#include "fastrnn/kernels/rnn/narrow-inl.h"
#include "fastrnn/kernels/rnn/options-inl.h"
#include "fastrnn/kernels/rnn/padding-inl.h"
#include "fastrnn/kernels/rnn/row_product-inl.h"
#include "fastrnn/kernels/rnn/zoneout-inl.h"
#include "fastrnn/simd/half-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// C: the cell; T: the float type of the call; W: the type of its packed weights.
template <class C, class T, class W>
class ForwardSweep {
  static constexpr CellShape kShape = C::shape;
  static constexpr int L = kLanes<T>, S = kShape.slots, XP = kShape.x_products;
  static constexpr bool narrow = kNarrow<W>;
  static constexpr bool halves = kKeepsHalves<W>;  // of a tape
  // Unpacked weights are read gate by gate of so many panels, rows that follow each other; fewer
  // where rows are so long that Ctrl-C would have to wait.
  static constexpr index_t kUnpackedGroup = 32, kUnpackedWeights = index_t{1} << 24;
  static constexpr index_t kRowsAtOnce =
      narrow ? 32 : 24;  // their gates of one panel stay in the L1

 public:
  FASTRNN_NOINLINE ForwardSweep(const ForwardTask<T>& task, Carver& carver, int rank, int size)
      : task_(task),
        on_(task.on),
        J_(panels_of<T>(task.dims.H)),
        JP_(panels_of<T>(task.dims.P)),
        h_keeps_(KeepLines<T>::of_h, task.in.masks.h_keep, task.in.masks.h_draws, task.steps,
                 J_ * L, carver),
        c_keeps_(KeepLines<T>::of_c, task.in.masks.c_keep, task.in.masks.c_draws, task.steps,
                 J_ * L, carver),
        normed_(task, carver, rank),
        limit_(chunk_rows(task)),
        operands_(carver, task.dims.N, J_ * L, limit_ + task.dims.N, task.on.w_ih ? task.dims.I : 0,
                  rank, task.plan.threads, {on_.by_row(), scaled<W>() && on_.full_peephole()}) {
    const index_t N = task.dims.N, padded = J_ * L, threads = task.plan.threads;
    const bool units = task.plan.split == Split::units;
    // A chunk stops as soon as it has enough rows, so its last step may overshoot by the own rows.
    const index_t regions = units ? 1 : threads, chunk = limit_ + N;
    Carver packed(task.packed);
    unpacked_ = !narrow && reads_once(task.layer, task.on, task.dims);
    panels_ = carve_panels<T, W>(kShape, task.packed != nullptr ? packed : carver, task.on,
                                 task.dims, unpacked_);
    for (T*& state : h_) state = carver.take<T>(N, padded);
    for (T*& state : masked_) state = carver.take<T>(on_.h_mask() ? N : 0, padded);
    if (kShape.cell_state) c_[0] = c_[1] = carver.take<T>(N, padded);
    // Full peepholes read all of c while it is made.
    if (on_.full_peephole()) c_[1] = carver.take<T>(N, padded);
    if (kShape.aux_slot >= 0) aux_ = carver.take<T>(N, padded);
    gates_ = in_place() ? task.kept.gates : carver.take<T>(regions * limit_ + N, padded, S);
    outputs_ = carver.take<T>(on_.projection() && !in_place() ? N : 0, padded);
    x_rows_ = list<const T*>(carver, chunk, rank);
    gate_rows_ = list<T*>(carver, chunk, rank);
    for (auto& rows : operand_rows_) rows = list<const T*>(carver, N, rank);
    for (auto& rows : c_rows_) rows = list<const T*>(carver, on_.full_peephole() ? N : 0, rank);
    output_rows_ = list<const T*>(carver, on_.projection() ? N : 0, rank);
    next_rows_ = list<T*>(carver, on_.projection() ? N : 0, rank);
    lines_ = list<Lines>(carver, N, rank);
    more_ = list<MoreLines>(carver, C::general ? N : 0, rank);
    half_ = list<HalfLines>(carver, halves ? N : 0, rank);

    own_rows_ = units ? Range{0, N} : share_rows(task.steps, rank, size);
    own_panels_ = units ? share(J_, rank, size, kGroup<C>) : Range{0, J_};
    own_h_panels_ = !on_.projection() ? own_panels_
                    : units           ? share(JP_, rank, size, kProjection.per_group)
                                      : Range{0, JP_};
    synchronise_ = units && size > 1;
    // Without a tape the gates of a chunk share one block: threads that own rows go through their
    // chunks at their own pace, so each has a region to itself.
    region_ = units ? 0 : limit_ * rank + own_rows_.begin;
  }

  void run(Team& team) {
    if constexpr (C::general) choices_ = unit_choices<C, T>(task_.layer.choices);
    if constexpr (!scaled<W>())
      if (task_.packed == nullptr)
        fill_panels(kShape, task_.layer.weights, task_.on, task_.dims, panels_, team);
    if (on_.norm()) panels_.bias = normed_.start(panels_, own_panels_, synchronise_);
    start(team);
    team.barrier();
    for (index_t q0 = 0; q0 < task_.steps.count;) {
      const index_t q1 = chunk_end(q0);
      const bool follows = team.wait_for_steps(q1);  // x is what another layer puts out
      list_chunk(q0, q1);
      if (follows) fetch_x();
      if constexpr (narrow)
        for (index_t row = 0; task_.on.w_ih && row < chunk_rows_; ++row)
          operands_.put_x(row, x_rows_[row]);
      if (task_.on.w_ih || on_.norm()) project(team);
      if (on_.norm()) normalise_x(q0, q1, team);
      for (index_t q = q0, row = 0; q < q1; row += own_rows_at(q++)) step(q, row, team);
      team.pass_on(q1);
      q0 = q1;
    }
    finish(team);
  }

 private:
  bool keeps() const { return in_place() || keeps_halves(); }
  bool keeps_halves() const { return halves && task_.kept.half_gates != nullptr; }
  // Whether gates are made where the tape has them.
  bool in_place() const { return task_.kept.gates != nullptr; }

  static index_t chunk_rows(const ForwardTask<T>& task) {
    const Plan& plan = task.plan;
    const bool units = plan.split == Split::units;
    return least(units ? plan.forward_rows : ceil_div(plan.forward_rows, plan.threads),
                 task.steps.count * task.dims.N);
  }

  // This thread's list of so many.
  template <class Row>
  Row* list(Carver& carver, index_t count, int rank) const {
    return carver.take<Row>(count, task_.plan.threads) + count * rank;
  }

  index_t own_rows_at(index_t q) const {
    return most(0, least(own_rows_.end, task_.steps.rows(q)) - own_rows_.begin);
  }

  // The step after the chunk that begins at q0.
  index_t chunk_end(index_t q0) const {
    index_t q = q0;
    for (index_t count = 0; q < task_.steps.count && (count < limit_ || q == q0); ++q)
      count += own_rows_at(q);
    return q;
  }

  // Lists the own rows of a chunk.
  void list_chunk(index_t q0, index_t q1) {
    const Steps& steps = task_.steps;
    const index_t width = J_ * S * L;
    const bool taped = in_place();
    index_t count = 0;
    for (index_t q = q0; q < q1; ++q) {
      const index_t rows = own_rows_at(q), first = steps.first_row(q) + own_rows_.begin;
      for (index_t i = 0; i < rows; ++i, ++count) {
        x_rows_[count] = row_at(task_.in.x, task_.in.ids, steps, q, own_rows_.begin + i);
        gate_rows_[count] = gates_ + (taped ? first + i : region_ + count) * width;
      }
    }
    chunk_rows_ = count;
  }

  // From the core that has just computed them, all lines of a chunk at once.
  FASTRNN_NOINLINE void fetch_x() const {
    constexpr index_t line = 64 / sizeof(T);
    for (index_t row = 0; row < chunk_rows_; ++row)
      for (index_t k = 0; k < task_.dims.I; k += line) __builtin_prefetch(x_rows_[row] + k);
  }

  // How many columns of c, and of h, exist from a panel on.
  index_t columns(index_t panel) const { return task_.dims.H - panel * L; }
  index_t h_columns(index_t panel) const { return most(0, task_.dims.P - panel * L); }

  static Range units_of(Range panels, index_t width) {
    return {panels.begin * L, least(panels.end * L, width)};
  }

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
    const T* const operands[3] = {on_.h_mask() ? masked_[0] : h_[0],
                                  on_.h_mask() ? masked_[1] : h_[1], aux_};
    for (index_t r = 0; r < task_.dims.N; ++r) {
      const index_t at = r * J_ * L;
      for (int i = 0; i < 2 + (kShape.aux_slot >= 0); ++i) operand_rows_[i][r] = operands[i] + at;
      for (int i = 0; on_.full_peephole() && i < 2; ++i) c_rows_[i][r] = c_[i] + at;
    }
    for_own(team, [&](index_t r, index_t j) {
      const index_t n = task_.steps.caller_row(r), at = (r * J_ + j) * L, width = h_columns(j);
      const auto initial = [&](const View<const T, 2>& v, index_t exist) {
        return v && exist > 0 ? load(v.at(n) + j * L, exist) : Vec<T>{};
      };
      // All buffers: a row of the reverse direction joins later, at either parity.
      const Vec<T> h = initial(task_.in.h0, width);
      for (T* state : h_) store(state + at, h);
      Vec<T> masked = h;
      if (on_.h_mask()) {
        masked = h * initial(task_.in.masks.h_mask, width);
        for (T* state : masked_) store(state + at, masked);
      }
      if constexpr (narrow)
        for (int i = 0; i < 2 && !on_.by_row(); ++i) operands_.put(i, r, j * L, masked);
      if constexpr (kShape.cell_state)
        for (T* state : c_) store(state + at, initial(task_.in.c0, columns(j)));
    });
  }

  void project(Team& team) {
    if constexpr (!narrow)
      if (unpacked_) return project_as_they_lie(team);
    const index_t at_once = rows_at_once(task_.dims.I, J_ * S * L * index_t{sizeof(T)});
    for (index_t j = own_panels_.begin; j < own_panels_.end; j += kGroup<C>) {
      index_t row = 0;
      do {  // once at least: a thread without rows is to stop, too
        team.check();
        project_block({row, least(row + at_once, chunk_rows_)}, j);
      } while ((row += at_once) < chunk_rows_);
    }
  }

  void project_block(Range rows, index_t j) {
    const index_t width = least(kGroup<C>, J_ - j), I = task_.dims.I;
    const T* bias = panels_.bias + j * S * L;
    if (!task_.on.w_ih)
      add_projected(rows, j, width, bias);
    else if constexpr (narrow)
      operands_.multiply(task_.plan.dots, rows, operands_.x(), {panels_.w_ih, panels_.of_ih, I, XP},
                         j, width, bias, gate_rows_ + rows.begin, j * S * L);
    else
      multiply<T, W>({rows.end - rows.begin,
                      width * XP,
                      {x_rows_ + rows.begin, 0},
                      {1, I, 0},
                      panels_.w_ih + j * I * XP * L,
                      bias,
                      {gate_rows_ + rows.begin, j * S * L}});
    for (index_t row = rows.begin; row < rows.end; ++row)  // only the recurrent product fills them
      for (int s = XP; s < S; ++s) store(gate_rows_[row] + (j * S + s) * L, load(bias + s * L));
  }

  // The same of one row, or none, by weights that nobody has packed.
  FASTRNN_NOINLINE void project_as_they_lie(Team& team) const {
    if (chunk_rows_ == 0) return;
    multiply_as_they_lie(task_.layer.weights.w_ih, x_rows_, {0, XP}, panels_.bias, gate_rows_,
                         team);
    for (index_t j = own_panels_.begin; j < own_panels_.end; ++j)
      for (int s = XP; s < S; ++s) {
        const index_t at = (j * S + s) * L;
        store(gate_rows_[0] + at, load(panels_.bias + at));
      }
  }

  // All products of a stage of one row likewise.
  template <int Stage>
  FASTRNN_NOINLINE void stage_as_they_lie(index_t q, index_t first, Team& team) {
    if (Stage == 0 && !task_.on.w_ih)
      for (index_t j = own_panels_.begin; j < own_panels_.end; j += kGroup<C>)
        project_block({first, first + 1}, j);
    constexpr CellProduct product = kShape.recurrent(Stage);
    if constexpr (product.count > 0)
      multiply_as_they_lie(task_.layer.weights.w_hh,
                           operand_rows_[operand_of(q, product)] + own_rows_.begin,
                           {product.slot, product.count}, nullptr, gate_rows_ + first, team);
  }

  // to = init + the product of a row by the weights of these slots, or added to it without init.
  FASTRNN_NOINLINE void multiply_as_they_lie(const View<const T, 2>& w, const T* const* a,
                                             Slots slots, const T* init, T* const* to,
                                             Team& team) const {
    const index_t group =
        most(1, least(kUnpackedGroup, kUnpackedWeights / (S * L * w.shape[1] + 1)));
    for (index_t j = own_panels_.begin; j < own_panels_.end; j += group) {
      team.check();
      for (int s = slots.slot; s < slots.slot + slots.count; ++s) {
        const index_t at = (j * S + s) * L;
        multiply_unpacked<1, T>(w, kShape.gate[s] * task_.dims.H + j * L, columns(j),
                                least(group, own_panels_.end - j), a,
                                init == nullptr ? nullptr : init + at, {to, at, S * L});
      }
    }
  }

  void add_projected(Range rows, index_t j, index_t width, const T* bias) {
    for (index_t row = rows.begin; row < rows.end; ++row)
      for (index_t p = 0; p < width; ++p)
        for (int s = 0; s < XP; ++s) {
          const T* x = x_rows_[row] + kShape.gate[s] * task_.dims.H + (j + p) * L;
          store(gate_rows_[row] + ((j + p) * S + s) * L,
                load(bias + (p * S + s) * L) + load(x, columns(j + p)));
        }
  }

  // Sums over a row take all of its panels, so threads that share units meet before and after.
  void normalise_x(index_t q0, index_t q1, Team& team) {
    if (synchronise_) team.barrier();
    for (index_t q = q0, at = 0; q < q1; ++q)
      for (index_t i = 0; i < own_rows_at(q); ++i, ++at) {
        team.check();
        if (synchronise_ && at % team.size() != team.rank()) continue;
        normed_.add_x(gate_rows_[at], task_.steps.first_row(q) + own_rows_.begin + i);
      }
    if (synchronise_) team.barrier();
  }

  // Pointers to the vectors of one row at one step; each next panel is L elements further on.
  struct Lines {
    T* gates;
    T* h_before;
    T* h;
    T* c;
    T* aux;
    T* cells;  // null without a tape
    T* y;
  };
  // Of a tape of halves.
  struct HalfLines {
    Half* gates;
    Half* cells;
  };
  // The same for vectors that only options need.
  struct MoreLines {
    const T* operand;  // h·h_mask, or h
    T* masked;         // of the next step
    T* c_after;
    T* output;  // what w_hr multiplies
    const T *h_mask, *h_keep, *c_keep;
  };

  void list_lines(index_t q, index_t first, index_t rows) {
    const Steps& steps = task_.steps;
    const index_t padded = J_ * L, time = steps.time(q), now = q % 2, next = (q + 1) % 2;
    next_ = static_cast<int>(next);
    index_t at = own_rows_.begin * padded;
    for (index_t i = 0; i < rows; ++i, at += padded) {
      const index_t r = own_rows_.begin + i, n = steps.caller_row(r);
      const index_t row = steps.first_row(q) + r;
      lines_[i] = {gate_rows_[first + i],
                   h_[now] + at,
                   h_[next] + at,
                   kShape.cell_state ? c_[on_.full_peephole() ? now : 0] + at : nullptr,
                   kShape.aux_slot >= 0 ? aux_ + at : nullptr,
                   kShape.cell_state && in_place() ? task_.kept.cells + row * padded : nullptr,
                   task_.y.at(time, n)};
      if (keeps_halves())
        half_[i] = {task_.kept.half_gates + row * padded * S,
                    kShape.cell_state ? task_.kept.half_cells + row * padded : nullptr};
      if constexpr (C::general) {
        MoreLines& more = more_[i];
        more = {};
        more.operand = operand_rows_[now][r];
        if (on_.h_mask()) more.masked = masked_[next] + at;
        if (on_.h_mask()) more.h_mask = task_.in.masks.h_mask.at(n);
        if (on_.h_keep()) more.h_keep = h_keeps_.line(q, r);
        if (on_.c_keep()) more.c_keep = c_keeps_.line(q, r);
        more.c_after = on_.full_peephole() ? c_[next] + at : lines_[i].c;
        if (on_.norm()) normed_.list(i, r, row);
        if (!on_.projection()) continue;
        more.output = in_place() ? task_.kept.outputs + row * padded : outputs_ + at;
        output_rows_[i] = more.output;
        next_rows_[i] = lines_[i].h;
      }
    }
  }

  // Step q, whose rows begin at `first` in the lists of the chunk.
  void step(index_t q, index_t first, Team& team) {
    const index_t rows = own_rows_at(q);
    list_lines(q, first, rows);
    const Range own{own_rows_.begin, own_rows_.begin + rows};
    if (on_.h_keep()) h_keeps_.draw(q, own, units_of(own_h_panels_, task_.dims.P));
    if (on_.c_keep()) c_keeps_.draw(q, own, units_of(own_panels_, task_.dims.H));
    for_stages(on_, false, [&](auto begin, auto end) {
      run_stages<decltype(begin)::value, decltype(end)::value>(q, first, rows, team);
      if (synchronise_) team.barrier();
    });
    if (on_.projection()) project_outputs(q, rows, team);
  }

  // Stages that run as one: the products of the first, then the cell on the same lines.
  template <int Begin, int End>
  void run_stages(index_t q, index_t first, index_t rows, Team& team) {
    const bool own_products = !on_.norm() && !unpacked_;
    const auto blocks = [&](auto&& f) {
      rows == 1 && !narrow ? for_blocks<kAlone<C>>(q, rows, team, f)
                           : for_blocks<kGroup<C>>(q, rows, team, f);
    };
    if constexpr (narrow && kShape.recurrent(Begin).count > 0)
      if (!on_.by_row())
        operands_.ready(operand_of(q, kShape.recurrent(Begin)),
                        {own_rows_.begin, own_rows_.begin + rows});
    if constexpr (scaled<W>()) convert<Begin>(q, rows);
    if (on_.norm()) normalise<Begin>(blocks, q, rows, team);
    if constexpr (!narrow)
      if (unpacked_ && rows > 0) stage_as_they_lie<Begin>(q, first, team);
    blocks([&](index_t r, index_t n, Range panels) {
      if (Begin == 0 && !task_.on.w_ih && own_products)
        for (index_t j = panels.begin; j < panels.end; j += kGroup<C>)
          project_block({first + r, first + r + n}, j);
      if (own_products) recurrent<Begin>(q, r, n, panels, gate_rows_ + first + r, nullptr);
      if (on_.full_peephole()) peep<Begin>(q, r, n, panels, gate_rows_ + first + r);
      for (index_t i = r; i < r + n; ++i) {
        const Lines line = lines_[i];  // a copy: no store into a line can change it
        for (index_t j = panels.begin; j < panels.end; ++j) unit<Begin, End>(i, line, j);
        if constexpr (halves && End == kShape.stages)
          if (keeps_halves()) keep_halves(i, line, panels);
      }
    });
  }

  // Before a stage of bytes: the rows with scales of their own that it multiplies.
  template <int Stage>
  void convert(index_t q, index_t rows) {
    constexpr CellProduct product = kShape.recurrent(Stage);
    const index_t first = own_rows_.begin;
    if (product.count > 0 && on_.by_row())
      operands_.convert(operands_.h(), operand_rows_[operand_of(q, product)] + first, rows,
                        columns_of(product));
    if (on_.full_peephole())  // the second stage sees the new c
      operands_.convert(operands_.c(), c_rows_[(q + Stage) % 2] + first, rows, task_.dims.H);
  }

  // f(first of the own rows, how many, panels), a few rows at a time.
  template <int Group, class F>
  void for_blocks(index_t q, index_t rows, Team& team, F&& f) const {
    for_groups<Group>(own_panels_, q % 2 != 0, [&](index_t j) {
      const Range panels{j, least(j + Group, own_panels_.end)};
      index_t r = 0;
      do {
        team.check();
        f(r, least(kRowsAtOnce, rows - r), panels);
      } while ((r += kRowsAtOnce) < rows);
    });
  }

  // to += what a stage's product by w_hh gives a few of the own rows.
  template <int Stage>
  void recurrent(index_t q, index_t row, index_t rows, Range panels, T* const* to, const T* init) {
    constexpr CellProduct product = kShape.recurrent(Stage);
    if constexpr (product.count > 0) {
      const index_t K = columns_of(product);
      const index_t j = panels.begin, width = panels.end - j, panel = K * product.count * L;
      if constexpr (narrow) {
        operands_.multiply_here(task_.plan.dots, {row, row + rows}, operands_.h(),
                                {panels_.w_hh[Stage], panels_.of_hh[Stage], K, product.count}, j,
                                width, init, to, (j * S + product.slot) * L);
      } else {
        constexpr bool several = kAlone<C> > kGroup<C>;
        multiply_groups<product.count, several ? kAlone<C> : 1>(
            Product<T, W>{rows,
                          (several ? 1 : width) * product.count,
                          {operand_rows_[operand_of(q, product)] + own_rows_.begin + row, 0},
                          {1, K, 0},
                          panels_.w_hh[Stage] + j * panel,
                          init,
                          {to, (j * S + product.slot) * L}},
            several ? width : 1, panel, S * L);
      }
    }
  }
  index_t columns_of(const CellProduct& product) const {
    return product.operand == Operand::h ? task_.dims.P : task_.dims.H;
  }
  static int operand_of(index_t q, const CellProduct& product) {
    return product.operand == Operand::h ? static_cast<int>(q % 2) : 2;
  }

  // The full peepholes of a stage. i and f see all of the old c, the output gate all of the new
  // one.
  template <int Stage>
  void peep(index_t q, index_t row, index_t rows, Range panels, T* const* gates) {
    const index_t H = task_.dims.H, j = panels.begin;
    for (int i = 0; i < kShape.stage[Stage].products; ++i) {
      const CellProduct& product = kShape.stage[Stage].product[i];
      if (product.matrix != Matrix::w_peephole) continue;
      const index_t c = (q + (product.operand == Operand::c_after)) % 2;
      const index_t to = (j * S + product.slot) * L;
      if constexpr (scaled<W>())
        operands_.multiply(
            task_.plan.dots, {row, row + rows}, operands_.c(),
            {panels_.w_peephole[Stage], panels_.of_peephole[Stage], H, product.count}, j, 1,
            nullptr, gates, to);
      else
        multiply<T>({rows,
                     product.count,
                     {c_rows_[c] + own_rows_.begin + row, 0},
                     {1, H, 0},
                     panels_.w_peephole[Stage] + j * H * product.count * L,
                     nullptr,
                     {gates, to}});
    }
  }

  // Layer normalisation of what the first of some stages works on: of U·h, or of c.
  template <int Stage, class Blocks>
  void normalise(const Blocks& blocks, index_t q, index_t rows, Team& team) {
    if constexpr (kShape.recurrent(Stage).count > 0) {
      blocks([&](index_t r, index_t n, Range panels) {
        recurrent<Stage>(q, r, n, panels, normed_.h_rows() + r, kZeros<T>);
      });
      if (synchronise_) team.barrier();
      for (index_t i = 0; i < rows; ++i) normed_.template add_h<Stage>(i, lines_[i].gates);
    } else {
      for (index_t i = 0; i < rows; ++i) normed_.normalise_c(i);
    }
  }

  // One row, one panel: the cell itself, and where its results go.
  template <int Begin, int End>
  FASTRNN_INLINE void unit(index_t i, const Lines& line, index_t j) {
    constexpr bool last = End == kShape.stages, has_c = kShape.cell_state;
    const index_t at = j * L;
    T* const gates = line.gates + at * S;
    Vec<T> slot[S];
    FASTRNN_UNROLL
    for (int s = 0; s < S; ++s) slot[s] = load(gates + s * L);
    ForwardUnit<T> u{};
    // The first of two stages with products of their own sees h as products do: times h_mask.
    u.h_before = load((C::general && !last ? more_[i].operand : line.h_before) + at);
    if constexpr (has_c) u.c = load((C::general && Begin > 0 ? more_[i].c_after : line.c) + at);
    if (on_.peephole()) u.peephole = panels_.peephole + at * 3;
    if constexpr (C::general) u.choices = &choices_;
    if constexpr (C::general && has_c && Begin > 0) u.seen = on_.norm() ? normed_.seen(i, j) : u.c;
    [[maybe_unused]] const Vec<T> c_before = u.c;
    cell_forward<C, Begin, End>(slot, u);
    if (!last || keeps()) {
      FASTRNN_UNROLL
      for (int s = 0; s < S; ++s) store(gates + s * L, slot[s]);
    }
    if constexpr (has_c && Begin == 0) {
      if (!last && on_.norm()) store(normed_.c(i) + at, u.c);
      if (on_.c_keep()) u.c = kept(more_[i].c_keep, j, columns(j), c_before, u.c);
      store((C::general ? more_[i].c_after : line.c) + at, u.c);
      if (in_place()) store(line.cells + at, u.c);
    }
    if constexpr (!last && kShape.aux_slot >= 0) {
      store(line.aux + at, u.aux);
      if constexpr (narrow)
        if (!on_.by_row()) operands_.put(2, own_rows_.begin + i, at, u.aux);
    }
    if constexpr (last) {
      if (on_.projection()) return store(more_[i].output + at, u.h);
      settle(i, line, j, u.h, columns(j));
    }
  }

  // Of a row, what unit() has left of some panels, into the tape.
  FASTRNN_INLINE void keep_halves(index_t i, const Lines& line, Range panels) const {
    const index_t at = panels.begin * L, count = (panels.end - panels.begin) * L;
    store_halves(half_[i].gates + at * S, line.gates + at * S, count * S);
    if constexpr (kShape.cell_state)
      store_halves(half_[i].cells + at, (C::general ? more_[i].c_after : line.c) + at, count);
  }

  // z∘before + (1 - z)∘now
  static FASTRNN_INLINE Vec<T> kept(const T* keep, index_t j, index_t width, Vec<T> before,
                                    Vec<T> now) {
    return fma(load(keep + j * L, width), before - now, now);
  }

  // h of one panel is known, but for zoneout; `width` elements of it exist.
  FASTRNN_INLINE void settle(index_t i, const Lines& line, index_t j, Vec<T> h, index_t width) {
    const index_t at = j * L;
    if (on_.h_keep()) h = kept(more_[i].h_keep, j, width, load(line.h_before + at), h);
    store(line.h + at, h);
    store(line.y + at, h, width);
    if (on_.h_mask()) {
      h *= load(more_[i].h_mask + at, width);
      store(more_[i].masked + at, h);
    }
    if constexpr (narrow)
      if (!on_.by_row()) operands_.put(next_, own_rows_.begin + i, at, h);
  }

  void project_outputs(index_t q, index_t rows, Team& team) {
    constexpr int Group = kProjection.per_group;
    const index_t H = task_.dims.H;
    if constexpr (scaled<W>()) operands_.convert(operands_.h(), output_rows_, rows, H);
    for_groups<Group>(own_h_panels_, q % 2 != 0, [&](index_t j) {
      const index_t width = least(Group, JP_ - j);
      team.check();
      if constexpr (scaled<W>())
        operands_.multiply(task_.plan.dots, {0, rows}, operands_.h(),
                           {panels_.w_hr, panels_.of_hr, H, 1}, j, width, kZeros<T>, next_rows_,
                           j * L);
      else
        multiply<T>({rows,
                     width,
                     {output_rows_, 0},
                     {1, H, 0},
                     panels_.w_hr + j * H * L,
                     kZeros<T>,
                     {next_rows_, j * L}});
      for (index_t i = 0; i < rows; ++i)
        for (index_t p = j; p < least(j + Group, JP_); ++p)
          settle(i, lines_[i], p, load(lines_[i].h + p * L), h_columns(p));
    });
    if (synchronise_) team.barrier();
  }

  void finish(Team& team) {
    const Steps& steps = task_.steps;
    for_own(team, [&](index_t r, index_t j) {
      const index_t n = steps.caller_row(r), at = (r * J_ + j) * L;
      const index_t parity = (steps.reverse ? steps.count : steps.row_length(r)) % 2;
      const index_t width = h_columns(j);
      if (width > 0) store(task_.h_n.at(n) + j * L, load(h_[parity] + at), width);
      if constexpr (kShape.cell_state)
        store(task_.c_n.at(n) + j * L, load(c_[on_.full_peephole() ? parity : 0] + at), columns(j));
    });
    zero_padding(task_.y, task_.dims.T, steps, own_rows_, units_of(own_h_panels_, task_.dims.P),
                 team);
  }

  const ForwardTask<T>& task_;
  const Asked<C, W> on_;
  index_t J_, JP_;  // panels of c and of h
  index_t region_ = 0, chunk_rows_ = 0;
  Panels<T, W> panels_;
  KeepLines<T> h_keeps_, c_keeps_;
  NormedForward<C, T> normed_;
  index_t limit_;
  [[no_unique_address]] Operands<W> operands_;
  int next_ = 0;          // the parity of the next h
  T *h_[2], *masked_[2];  // masked: h·h_mask
  T *c_[2] = {}, *aux_ = nullptr;
  T *gates_, *outputs_;
  const T** x_rows_;           // of a chunk
  T** gate_rows_;              // of a chunk, then of a step
  const T** operand_rows_[3];  // of both states and of aux
  const T** c_rows_[2];        // where there are full peepholes
  const T** output_rows_;      // of the own rows, at one step: what w_hr multiplies
  T** next_rows_;              // ... and the next h
  Lines* lines_;               // of the own rows, at one step
  MoreLines* more_;
  HalfLines* half_;
  Range own_rows_{}, own_panels_{}, own_h_panels_{};
  bool synchronise_ = false;
  bool unpacked_;           // the weights by x and by h are multiplied as they lie
  UnitChoices<T> choices_;  // general cells
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
