// What only an extended cell has, full peepholes and the projection: transposed for the road back,
// and their gradients.
#pragma once

#include "fastrnn/kernels/weight_gradients-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// How WeightGradients sees the matrices that are not w_ih and w_hh. Full peepholes: i and f with
// the old c as the operand x, o with the new one as the operand h, in the LSTM's lines.
struct PeepholeShape {
  static constexpr int gates = 3, slots = 4, x_products = 2, stages = 1;
  static constexpr bool cell_state = true, peephole = false, carries_h = false;
  static constexpr int aux_slot = -1;
  static constexpr Stage stage[stages] = {{3, 1}};
  static constexpr int gate[slots] = {0, 1, -1, 2};
};
// The projection: dh with the cell's output as the operand x.
struct ProjectionShape {
  static constexpr int gates = 1, slots = 1, x_products = 1, stages = 1;
  static constexpr bool cell_state = false, peephole = false, carries_h = false;
  static constexpr int aux_slot = -1;
  static constexpr Stage stage[stages] = {{0, 1}};
  static constexpr int gate[slots] = {0};
};

template <class T>
BackwardTask<T> peephole_task(BackwardTask<T> task) {
  RnnBackwardArgs<T> args;
  args.dw_ih = args.dw_hh = task.args.dw_peephole_full;
  task.args = args;
  return task;
}
template <class T>
BackwardTask<T> projection_task(BackwardTask<T> task) {
  RnnBackwardArgs<T> args;
  args.dw_ih = task.args.dw_hr;
  task.args = args;
  task.dims.I = task.dims.H;
  task.dims.H = task.dims.P;
  return task;
}

// Chunk by chunk beside Gradients; dh before w_hr is kept for the length of a chunk.
template <class T>
class ExtendedGradients {
  static constexpr int L = kLanes<T>;

 public:
  ExtendedGradients(const BackwardTask<T>& task, Carver& carver)
      : task_(task),
        J_(panels_of<T>(task.dims.H)),
        JP_(panels_of<T>(task.dims.P)),
        peephole_task_(peephole_task(task)),
        projection_task_(projection_task(task)),
        peepholes_(peephole_task_, carver),
        projection_(projection_task_, carver) {
    const index_t N = task.dims.N, padded = J_ * L;
    const bool full = bool(task.weights.w_peephole_full);
    peephole_if_ = carver.take<T>(full ? padded * 2 : 0, padded);
    peephole_o_ = carver.take<T>(full ? padded : 0, padded);
    w_hr_ = carver.take<T>(task.weights.w_hr ? JP_ * L : 0, padded);
    const index_t rows =
        task.weights.w_hr ? least(task.plan.backward_rows, task.steps.count * N) + N : 0;
    dh_ = carver.take<T>(rows, JP_ * L);
    dh_list_ = carver.take<const T*>(rows);
    output_list_ = carver.take<const T*>(rows);
  }

  void start(Team& team) {
    const RnnWeights<T>& w = task_.weights;
    const index_t H = task_.dims.H;
    const Range groups = share(ceil_div(J_, kBackGroup), team.rank(), team.size(), 1);
    for (index_t g = groups.begin; g < groups.end; ++g) {
      if (w.w_peephole_full) {
        pack_back_group(w.w_peephole_full, H, H, kPeepholeIf, g, peephole_if_, team);
        pack_back_group(w.w_peephole_full, H, H, kPeepholeO, g, peephole_o_, team);
      }
      if (w.w_hr) pack_back_group(w.w_hr, task_.dims.P, H, kProjection, g, w_hr_, team);
    }
    peepholes_.start(team);
    projection_.start(team);
  }

  // The matrices transposed, as pack_back_group() lays them.
  const T* peephole_if() const { return peephole_if_; }
  const T* peephole_o() const { return peephole_o_; }
  const T* w_hr() const { return w_hr_; }

  // Where dh of step q, sorted row r lies until the end of the chunk, which ends at q1; steps fall.
  T* dh(index_t q, index_t q1, index_t r) const {
    const Steps& steps = task_.steps;
    return dh_ + (steps.first_row(q1) - steps.first_row(q + 1) + r) * JP_ * L;
  }

  // The rows of steps q0 .. q1, in the order of Gradients; before the barrier that ends the steps.
  void list(index_t q0, index_t q1, const Team& team) {
    if (!task_.weights.w_hr) return;
    const Steps& steps = task_.steps;
    const Range mine = share(q1 - q0, team.rank(), team.size(), 1);
    for (index_t q = q0 + mine.begin; q < q0 + mine.end; ++q)
      for (index_t r = 0; r < steps.rows(q); ++r) {
        const index_t at = steps.first_row(q1) - steps.first_row(q + 1) + r;
        dh_list_[at] = dh(q, q1, r);
        output_list_[at] = task_.outputs + (steps.first_row(q) + r) * J_ * L;
      }
  }

  void add(const ChunkRows<T>& rows, Team& team) {
    ChunkRows<T> seen = rows;
    if (task_.args.dw_peephole_full) {
      seen.x = rows.c_before;
      seen.h = rows.c;
      peepholes_.add(seen, team);
    }
    if (!task_.weights.w_hr) return;
    seen.grads = dh_list_;
    seen.x = output_list_;
    if (task_.args.dw_hr) projection_.add(seen, team);
    team.barrier();  // the next chunk writes to the same dh
  }

 private:
  const BackwardTask<T>& task_;
  index_t J_, JP_;
  BackwardTask<T> peephole_task_, projection_task_;
  WeightGradients<PeepholeShape, T> peepholes_;
  WeightGradients<ProjectionShape, T> projection_;
  T *peephole_if_, *peephole_o_, *w_hr_;
  T* dh_;
  const T** dh_list_;
  const T** output_list_;
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
