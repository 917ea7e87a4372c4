// After each chunk of steps, once its gradients by the pre-activations are complete: the weights'
// gradients and dx.
#pragma once

#include "fastrnn/kernels/rnn/kept_lines-inl.h"
#include "fastrnn/kernels/rnn/padding-inl.h"
#include "fastrnn/kernels/rnn/rounded_rows-inl.h"
#include "fastrnn/kernels/rnn/weight_gradients-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// One routine for all cells: it reads all that it has to know of one from the cell's shape.
template <class T>
class Gradients {
  static constexpr int L = kLanes<T>;

 public:
  Gradients(const CellShape& shape, const BackwardTask<T>& task, const KeptLines<T>& lines,
            Carver& carver, int rank)
      : shape_(shape),
        task_(task),
        lines_(lines),
        J_(panels_of<T>(task.dims.H)),
        JP_(panels_of<T>(task.dims.P)),
        stride_(normed_row(J_ * L, shape.slots, shape.cell_state)),
        scratch_(carver, task, J_, shape.slots, rank),
        rounds_(in_bfloat16(task.layer)),
        rounded_at_once_(rows_rounded(J_ * L * shape.x_products)),
        rounded_(carver, rounds_ && wants_transposed() ? rounded_at_once_ * task.plan.threads : 0,
                 J_ * L * shape.x_products),
        own_rounded_(rounded_at_once_ * rank) {
    const RnnBackwardArgs<T>& out = task.args;
    const auto list = [&](auto*& rows, bool wanted) {
      rows = wanted ? take_list(carver, rows) : nullptr;
    };
    const bool sees_c = task.on.peephole || task.on.full_peephole;
    list(gate_rows_, true);
    list(normed_x_rows_, task.on.norm);
    list(normed_h_rows_, task.on.norm);
    list(x_rows_, true);
    list(dx_rows_, bool(out.dx));
    list(h_rows_, true);
    list(mask_rows_, task.on.h_mask);
    list(c_rows_, sees_c);
    list(c_before_rows_, sees_c);
    list(dh_rows_, task.on.projection);
    list(output_rows_, task.on.projection);
    if (task.on.projection) dh_ = carver.take<T>(chunk_rows(task), JP_ * L);
    if (wants_transposed())
      transposed_ = carver.take<T>(J_ * L * shape.x_products / (rounds_ ? 2 : 1),
                                   panels_of<T>(task.dims.I) * L);
    collect(carver);
  }

  void start(Team& team) {
    for (int i = 0; i < count_; ++i)
      sums_[i].start(team, task_.steps.first_row(task_.steps.count) > 0);
    start_dx(team);
    if constexpr (kMayBeNarrow<T>)
      if (team.rank() == 0) rounded_.start();
    if (wants_transposed())
      pack_back(task_.layer.weights.w_ih, task_.dims.H, task_.dims.I, input_products(shape_),
                transposed_, team, rounds_);
  }

  // The gradient by h = w_hr·output of step q, sorted row r; kept until the chunk, which ends at
  // step q1, is done.
  T* dh(index_t q, index_t q1, index_t r) const {
    return dh_ + task_.steps.place_in_chunk(q, q1, r) * JP_ * L;
  }

  // Steps q0 .. q1, whose gradients are complete. h0 and c0 are the padded initial states.
  void chunk(index_t q0, index_t q1, const T* h0, const T* c0, Team& team) {
    list_rows(q0, q1, h0, c0, team);
    team.barrier();
    const index_t rows = task_.steps.first_row(q1) - task_.steps.first_row(q0);
    for (int i = 0; i < count_; ++i) sums_[i].add(rows, team);
    h0_ = h0;
    c0_ = c0;
    if (task_.args.dx && !dx_comes_late(team)) input_gradient(rows, team);
  }

  void finish(Team& team) {
    if (dx_comes_late(team)) late_input_gradient(team);
    team.barrier();
    const RnnBackwardArgs<T>& out = task_.args;
    const index_t H = task_.dims.H;
    for (int i = 0; i < count_; ++i)
      sums_[i].finish(
          [&](int slot, index_t unit, T sum) {
            const index_t row = shape_.gate[slot] * H + unit;
            if (out.db_ih && slot < shape_.x_products) *out.db_ih.at(row) = sum;
            if (out.db_hh && shape_.recurrent_stage(slot) >= 0) *out.db_hh.at(row) = sum;
          },
          [&](int row, index_t unit, T sum) { *out.dw_peephole.at(row, unit) = sum; });
  }

 private:
  // Beside a call that has the same dx, whose part comes first, as when it runs before: it begins
  // with the steps that this call comes to last.
  bool dx_comes_late(const Team& team) const {
    return task_.args.dx && task_.args.add_dx && team.has_earlier();
  }
  FASTRNN_NOINLINE void late_input_gradient(Team& team) {
    team.wait_for_earlier();
    for (index_t q1 = task_.steps.count; q1 > 0;) {
      const index_t q0 = task_.steps.chunk_begin(q1, task_.plan.backward_rows);
      list_rows(q0, q1, h0_, c0_, team);
      input_gradient(task_.steps.first_row(q1) - task_.steps.first_row(q0), team);
      q1 = q0;
    }
  }

  bool wants_transposed() const { return task_.args.dx && task_.on.w_ih; }

  // As many rows of `width` elements as half of an L2 holds beside the weights of a few columns:
  // all weights are read again for the next ones.
  static index_t rows_rounded(index_t width) {
    constexpr index_t kBytes = index_t{1} << 20, kTiles = 32;
    return most(kTiles, least(8 * kTiles, kBytes / (2 * width) / kTiles * kTiles));
  }

  template <class Row>
  Row* take_list(Carver& carver, Row*) const {
    return carver.take<Row>(chunk_rows(task_));
  }

  WeightGradients<T>& lines(Carver& carver, const T** rows, int S, index_t H,
                            const typename WeightGradients<T>::Sums& sums) {
    return sums_[count_++] = WeightGradients<T>(carver, scratch_, rows, S, H, sums);
  }

  // Fills the list of weight gradients. With layer normalisation the gradients by W·x, by U·h and
  // by the normalised sum differ, and each has rows of its own.
  void collect(Carver& carver) {
    const RnnBackwardArgs<T>& out = task_.args;
    const index_t H = task_.dims.H;
    const int S = shape_.slots;
    typename WeightGradients<T>::Sums sums;
    sums.biases = out.db_ih || out.db_hh;
    sums.peepholes = bool(out.dw_peephole);
    sums.c = c_rows_;
    sums.c_before = c_before_rows_;
    WeightGradients<T>& gates = lines(carver, gate_rows_, S, H, sums);
    WeightGradients<T>& by_x = task_.on.norm ? lines(carver, normed_x_rows_, S, H, {}) : gates;
    WeightGradients<T>& by_h = task_.on.norm ? lines(carver, normed_h_rows_, S, H, {}) : gates;
    by_x.want({0, shape_.x_products, shape_.gate, {x_rows_}, out.dw_ih, rounds_});
    for (int s = 0; s < shape_.stages; ++s)
      for (int i = 0; i < shape_.stage[s].products; ++i) {
        const CellProduct& product = shape_.stage[s].product[i];
        const bool recurrent = product.matrix == Matrix::w_hh;
        (recurrent ? by_h : gates)
            .want({product.slot, product.count,
                   recurrent ? shape_.gate + product.slot : kBlocks + product.row,
                   operand(product.operand), recurrent ? out.dw_hh : out.dw_peephole_full,
                   rounds_ && recurrent});
      }
    if (task_.on.projection)
      lines(carver, dh_rows_, 1, task_.dims.P, {}).want({0, 1, kBlocks, {output_rows_}, out.dw_hr});
  }

  OperandRows<T> operand(Operand which) const {
    switch (which) {
      case Operand::h:
        return {h_rows_, mask_rows_};
      case Operand::aux:
        return {gate_rows_, nullptr, shape_.aux_slot * L, shape_.slots * L};
      case Operand::c:
        return {c_before_rows_};
      case Operand::c_after:
        break;
    }
    return {c_rows_};
  }

  void start_dx(Team& team) {
    const View<T, 3>& dx = task_.args.dx;
    if (!dx || task_.args.add_dx) return;
    const Range rows = share(dx.shape[1], team.rank(), team.size(), 1);
    if (!task_.in.ids)
      return zero_padding(dx, task_.dims.T, task_.steps, rows, {0, dx.shape[2]}, team);
    for (index_t r = rows.begin; r < rows.end; ++r) {  // a table of sums
      team.check();
      __builtin_memset(dx.at(0, r), 0, static_cast<std::size_t>(dx.shape[2]) * sizeof(T));
    }
  }

  // Fills this thread's share of the row lists.
  void list_rows(index_t q0, index_t q1, const T* h0, const T* c0, const Team& team) {
    const Steps& steps = task_.steps;
    const Kept<T>& kept = task_.kept;
    const index_t padded = J_ * L;
    const Range mine = share(q1 - q0, team.rank(), team.size(), 1);
    for (index_t q = q0 + mine.begin; q < q0 + mine.end; ++q)
      for (index_t r = 0; r < steps.rows(q); ++r) {
        const index_t at = steps.place_in_chunk(q, q1, r), n = steps.caller_row(r);
        const index_t row = steps.first_row(q) + r;
        const bool before = r < steps.rows(q - 1);
        gate_rows_[at] = lines_.gates(q, r);
        if (task_.on.norm) normed_x_rows_[at] = kept.normed + row * stride_;
        if (task_.on.norm) normed_h_rows_[at] = normed_x_rows_[at] + padded * shape_.slots;
        x_rows_[at] = row_at(task_.in.x, task_.in.ids, steps, q, r);
        if (task_.args.dx) dx_rows_[at] = row_at(task_.args.dx, task_.in.ids, steps, q, r);
        h_rows_[at] = before ? task_.y.at(steps.time(q - 1), n) : h0 + r * padded;
        if (task_.on.h_mask) mask_rows_[at] = task_.in.masks.h_mask.at(n);
        if (c_rows_ != nullptr) c_rows_[at] = lines_.cells(q, r);
        if (c_rows_ != nullptr)
          c_before_rows_[at] =
              before || lines_.halves() ? lines_.cells_before(q, r) : c0 + r * padded;
        if (!task_.on.projection) continue;
        dh_rows_[at] = dh(q, q1, r);
        output_rows_[at] = lines_.outputs(q, r);
      }
  }

  // The lines of the gradients by W·x.
  const T* const* input_lines() const { return task_.on.norm ? normed_x_rows_ : gate_rows_; }

  void input_gradient(index_t count, Team& team) {
    if (task_.in.ids) return add_gradient(count, team);
    const Range rows = share(count, team.rank(), team.size(), 1);
    if (!task_.on.w_ih) return copy_gradient(rows);
    if constexpr (kMayBeNarrow<T>)
      if (rounds_) return rounded_input_gradient(rows, team);
    const index_t I = task_.dims.I, panels = panels_of<T>(I);
    const int XP = shape_.x_products, S = shape_.slots;
    const index_t at_once = rows_at_once(J_ * XP * L, I * index_t{sizeof(T)});
    for (index_t j = 0; j < panels; j += kBackGroup) {
      index_t row = rows.begin;
      do {
        team.check();
        multiply<T>({least(at_once, rows.end - row),
                     least(kBackGroup, panels - j),
                     {input_lines() + row, 0},
                     {J_, XP * L, S * L},
                     transposed_ + j * J_ * XP * L * L,
                     task_.args.add_dx ? nullptr : kZeros<T>,
                     {dx_rows_ + row, j * L},
                     I - j * L});
      } while ((row += at_once) < rows.end);
    }
  }

  // The same in bfloat16, whose rows are rounded a few at a time.
  void rounded_input_gradient(Range rows, Team& team) {
    const index_t I = task_.dims.I, panels = panels_of<T>(I);
    const int XP = shape_.x_products, S = shape_.slots;
    for (index_t row = rows.begin; row < rows.end; row += rounded_at_once_) {
      team.check();
      const index_t count = least(rounded_at_once_, rows.end - row);
      for (index_t i = 0; i < count; ++i)
        rounded_.round(own_rounded_ + i, input_lines()[row + i], S, {0, XP}, {0, J_});
      for (index_t j = 0; j < panels; j += kBackGroup)
        rounded_.multiply({own_rounded_, own_rounded_ + count}, J_ * XP * L, transposed_, j,
                          least(kBackGroup, panels - j), task_.args.add_dx ? nullptr : kZeros<T>,
                          dx_rows_ + row, task_.plan.dots, I - j * L);
    }
  }

  // x came projected: its gradient is that of the pre-activations, in the caller's gate order.
  void copy_gradient(Range rows) const {
    const index_t H = task_.dims.H;
    for (index_t row = rows.begin; row < rows.end; ++row)
      for (index_t j = 0; j < J_; ++j)
        for (int s = 0; s < shape_.x_products; ++s)
          store(dx_rows_[row] + shape_.gate[s] * H + j * L,
                load(input_lines()[row] + (j * shape_.slots + s) * L), H - j * L);
  }

  // ... or, of a table, it is added to the row's that the symbol names: threads share the columns,
  // so that no two add to the same one, and each sum is one chain over falling steps.
  void add_gradient(index_t count, Team& team) const {
    const index_t H = task_.dims.H;
    const Range panels = share(J_, team.rank(), team.size(), 1);
    for (index_t row = 0; row < count; ++row) {
      team.check();
      for (index_t j = panels.begin; j < panels.end; ++j)
        for (int s = 0; s < shape_.x_products; ++s) {
          T* const sum = dx_rows_[row] + shape_.gate[s] * H + j * L;
          const index_t left = H - j * L;
          store(sum, load(sum, left) + load(input_lines()[row] + (j * shape_.slots + s) * L), left);
        }
    }
  }

  const CellShape& shape_;
  const BackwardTask<T>& task_;
  const KeptLines<T>& lines_;
  index_t J_, JP_;  // panels of c and of h
  index_t stride_;  // of the rows of Kept::normed
  GradientScratch<T> scratch_;
  const bool rounds_;  // products by w_ih and w_hh are in bfloat16
  index_t rounded_at_once_;
  [[no_unique_address]] RoundedRows<T> rounded_;  // by x_products, each thread's own
  index_t own_rounded_;
  // One pointer for each row of a chunk, the last step first; null where they are not needed.
  const T **gate_rows_, **normed_x_rows_, **normed_h_rows_, **x_rows_, **h_rows_, **mask_rows_,
      **c_rows_, **c_before_rows_, **dh_rows_, **output_rows_;
  T** dx_rows_;
  T* dh_ = nullptr;
  T* transposed_ = nullptr;                // w_ih, for dx
  const T *h0_ = nullptr, *c0_ = nullptr;  // as chunk() has them
  WeightGradients<T> sums_[4];
  int count_ = 0;
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
