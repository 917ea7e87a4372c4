// What a chunk of steps leaves to do once its gradients are complete: the weights' gradients and
// dx.
#pragma once

#include "fastrnn/kernels/weight_gradients-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class C, class T>
class Gradients {
  static constexpr int L = kLanes<T>, S = C::slots, XP = C::x_products;

 public:
  Gradients(const BackwardTask<T>& task, Carver& carver)
      : task_(task),
        J_(panels_of<T>(task.dims.H)),
        projected_(!task.weights.w_ih),
        normed_(bool(task.weights.w_norm)),
        stride_(normed_ ? normed_row(J_ * L, S, C::cell_state) : J_ * S * L),
        weights_(task, carver) {
    const index_t most_rows =
        least(task.plan.backward_rows, task.steps.count * task.dims.N) + task.dims.N;
    rows_.grads = carver.take<const T*>(most_rows);
    rows_.h = carver.take<const T*>(most_rows);
    rows_.x = carver.take<const T*>(most_rows);
    rows_.dx = carver.take<T*>(most_rows);
    if (C::peephole) rows_.c = carver.take<const T*>(most_rows);
    if (C::peephole) rows_.c_before = carver.take<const T*>(most_rows);
    if (wants_dx()) transposed_ = carver.take<T>(J_ * L * XP, panels_of<T>(task.dims.I) * L);
  }

  void start(Team& team) {
    weights_.start(team);
    zero_padding(team);
    if (!wants_dx()) return;
    const index_t groups = ceil_div(panels_of<T>(task_.dims.I), kBackGroup);
    const Range mine = share(groups, team.rank(), team.size(), 1);
    for (index_t g = mine.begin; g < mine.end; ++g)
      pack_back_group(task_.weights.w_ih, task_.dims.H, task_.dims.I, products<C>(0, XP), g,
                      transposed_, team);
  }

  // Steps q0 .. q1, whose gradients are complete. h0 and c0 are the padded initial states.
  void chunk(index_t q0, index_t q1, const T* h0, const T* c0, Team& team) {
    list_rows(q0, q1, h0, c0, team);
    team.barrier();
    weights_.add(rows_, team);
    if (task_.args.dx) input_gradient(team);
  }

  void finish(Team& team) { weights_.finish(team); }

  const ChunkRows<T>& rows() const { return rows_; }  // of the last chunk

 private:
  bool wants_dx() const { return task_.args.dx && !projected_; }

  void zero_padding(Team& team) {
    const View<T, 3>& dx = task_.args.dx;
    const bool table = task_.ids != nullptr;  // of sums: all of it begins as zeros
    const Range rows = share(dx.shape[1], team.rank(), team.size(), 1);
    for (index_t r = rows.begin; dx && !task_.args.add_dx && r < rows.end; ++r)
      for (index_t t = table ? 0 : task_.steps.row_length(r); t < dx.shape[0]; ++t) {
        team.check();
        __builtin_memset(dx.at(t, table ? r : task_.steps.caller_row(r)), 0,
                         static_cast<std::size_t>(dx.shape[2]) * sizeof(T));
      }
  }

  // Steps fall, so that the order of the rows does not depend on where the chunk begins.
  void list_rows(index_t q0, index_t q1, const T* h0, const T* c0, const Team& team) {
    const Steps& steps = task_.steps;
    rows_.count = steps.first_row(q1) - steps.first_row(q0);
    const Range mine = share(q1 - q0, team.rank(), team.size(), 1);
    for (index_t q = q0 + mine.begin; q < q0 + mine.end; ++q) {
      const index_t first = steps.first_row(q);
      for (index_t r = 0; r < steps.rows(q); ++r) {
        const index_t at = steps.first_row(q1) - steps.first_row(q + 1) + r;
        const index_t n = steps.caller_row(r);
        const bool before = r < steps.rows(q - 1);
        rows_.grads[at] = (normed_ ? task_.normed : task_.gates) + (first + r) * stride_;
        rows_.h[at] = task_.operands != nullptr ? task_.operands + (first + r) * J_ * L
                      : before                  ? task_.y.at(steps.time(q - 1), n)
                                                : h0 + r * J_ * L;
        if (C::peephole) {
          rows_.c[at] = task_.cells + (first + r) * J_ * L;
          rows_.c_before[at] =
              before ? task_.cells + (steps.first_row(q - 1) + r) * J_ * L : c0 + r * J_ * L;
        }
        rows_.x[at] = row_at(task_.x, task_.ids, steps, q, r);
        if (task_.args.dx) rows_.dx[at] = row_at(task_.args.dx, task_.ids, steps, q, r);
      }
    }
  }

  void input_gradient(Team& team) {
    if (task_.ids != nullptr) return add_gradient(team);
    const Range rows = share(rows_.count, team.rank(), team.size(), 1);
    if (projected_) return copy_gradient(rows);
    const index_t I = task_.dims.I, panels = panels_of<T>(I);
    const index_t at_once = rows_at_once(J_ * XP * L, I * index_t{sizeof(T)});
    for (index_t j = 0; j < panels; j += kBackGroup) {
      index_t row = rows.begin;
      do {
        team.check();
        multiply<T>({least(at_once, rows.end - row),
                     least(kBackGroup, panels - j),
                     {rows_.grads + row, 0},
                     {J_, XP * L, S * L},
                     transposed_ + j * J_ * XP * L * L,
                     task_.args.add_dx ? nullptr : kZeros<T>,
                     {rows_.dx + row, j * L},
                     I - j * L});
      } while ((row += at_once) < rows.end);
    }
  }

  // x came projected: its gradient is that of the pre-activations, in the caller's gate order.
  void copy_gradient(Range rows) const {
    const index_t H = task_.dims.H;
    for (index_t row = rows.begin; row < rows.end; ++row)
      for (index_t j = 0; j < J_; ++j)
        for (int s = 0; s < XP; ++s)
          store(rows_.dx[row] + C::gate[s] * H + j * L, load(rows_.grads[row] + (j * S + s) * L),
                H - j * L);
  }

  // ... or, of a table, it is added to the row's that the symbol names: threads share the columns,
  // so that no two add to the same one, and each sum is one chain over falling steps.
  void add_gradient(Team& team) const {
    const index_t H = task_.dims.H;
    const Range panels = share(J_, team.rank(), team.size(), 1);
    for (index_t row = 0; row < rows_.count; ++row) {
      team.check();
      for (index_t j = panels.begin; j < panels.end; ++j)
        for (int s = 0; s < XP; ++s) {
          T* const sum = rows_.dx[row] + C::gate[s] * H + j * L;
          const index_t left = H - j * L;
          store(sum, load(sum, left) + load(rows_.grads[row] + (j * S + s) * L), left);
        }
    }
  }

  const BackwardTask<T>& task_;
  index_t J_;
  bool projected_;
  bool normed_;     // gradients by W·x are not those by the pre-activations
  index_t stride_;  // of their rows
  ChunkRows<T> rows_{};
  WeightGradients<C, T> weights_;
  T* transposed_ = nullptr;  // w_ih, for dx
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
