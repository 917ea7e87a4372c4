// The road back through layer normalisation, and the gradients of the weights around it.
//
// Three lines of a row hold gradients: `gates` those by what the cell got, and in the tape's row
// those by W·x and by U·h. The first give the biases and peepholes, the others w_ih, x and w_hh. A
// chunk keeps the products whose sums over all rows are the gradients of the gains.
#pragma once

#include "fastrnn/kernels/normed-inl.h"
#include "fastrnn/kernels/weight_gradients-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// The task of one of the three; what is left out is absent.
template <class T>
BackwardTask<T> by_x(BackwardTask<T> task) {
  if (!task.weights.w_norm) return task;
  task.args.dw_hh = {};
  task.args.db_ih = task.args.db_hh = {};
  task.args.dw_peephole = {};
  return task;
}
template <class T>
struct SweepTask {  // what the sweep itself is to do
  BackwardTask<T> own;
};
template <class T>
BackwardTask<T> by_h(BackwardTask<T> task) {
  RnnBackwardArgs<T> args;
  args.dw_hh = task.args.dw_hh;
  task.args = args;
  return task;
}
template <class T>
BackwardTask<T> by_sums(BackwardTask<T> task) {
  RnnBackwardArgs<T> args;
  args.db_ih = task.args.db_ih;
  args.db_hh = task.args.db_hh;
  args.dw_peephole = task.args.dw_peephole;
  task.args = args;
  return task;
}

template <class C, class T>
class NormedBackward {
  using Shape = typename C::Shape;
  static constexpr int L = kLanes<T>, S = C::slots, G = kGains<C>;

 public:
  NormedBackward(const BackwardTask<T>& task, Carver& carver)
      : task_(task),
        J_(panels_of<T>(task.dims.H)),
        stride_(normed_row(J_ * L, S, C::cell_state)),
        wanted_(bool(task.weights.w_norm)),
        h_task_(by_h(task)),
        sums_task_(by_sums(task)),
        h_weights_(h_task_, carver),
        sums_(sums_task_, carver) {
    const index_t N = wanted_ ? task.dims.N : 0;
    const index_t rows = wanted_ ? least(task.plan.backward_rows, task.steps.count * N) + N : 0;
    gains_ = carver.take<T>(wanted_ ? G : 0, J_, L);
    gain_sums_ = carver.take<T>(wanted_ ? G : 0, J_, L);
    by_c_ = carver.take<T>(C::cell_state ? N : 0, J_, L);
    products_ = carver.take<T>(rows, J_ * L, G);
    gate_list_ = carver.take<const T*>(rows);
    h_list_ = carver.take<const T*>(rows);
  }
  explicit operator bool() const { return wanted_; }

  void start(Team& team) {
    if (!wanted_) return;
    own_panels_ = share(J_, team.rank(), team.size(), 1);
    for (index_t j = own_panels_.begin; j < own_panels_.end; ++j) {
      pack_gains<C>(task_.weights.w_norm, task_.dims.H, j, gains_ + j * G * L);
      for (int v = 0; v < G; ++v) store(gain_sums_ + (j * G + v) * L, Vec<T>{});
    }
    h_weights_.start(team);
    sums_.start(team);
  }

  // The gradients by U·h of sorted row r at step q.
  const T* h_row(index_t q, index_t r) const { return kept(q, r).h(); }

  // c as the output saw it, the gradient by it, and what that gives for c.
  FASTRNN_INLINE Vec<T> seen(index_t q, index_t r, index_t j) const {
    const T* const gain = gains_ + (j * G + 2 * S) * L;
    return fma(load(gain), load(kept(q, r).c() + j * L), load(gain + L));
  }
  FASTRNN_INLINE void keep_dseen(index_t q, index_t q1, index_t r, index_t j, Vec<T> d) const {
    store(products(q, q1, r) + (j * G + 2 * S + 1) * L, d);
  }
  FASTRNN_INLINE Vec<T> by_c(index_t r, index_t j) const { return load(by_c_ + (r * J_ + j) * L); }
  void through_c(index_t q, index_t q1, Range rows, Range panels) const {
    for (index_t r = rows.begin; r < rows.end; ++r) {
      const NormedRow<C, T> row = kept(q, r);
      T* const line = products(q, q1, r) + 2 * S * L;
      NormGroup<T, 1, 0, 1>::template backward<G, G>(line + L, gains_ + 2 * S * L, row.c(),
                                                     row.scales()[4], task_.dims.H, panels, line,
                                                     by_c_ + r * J_ * L);
    }
  }

  // From the gradients in the gates of step q, complete as far as the second stage's product fills
  // them, to those by that product. Threads that share the units share the rows out for it.
  void through_second(index_t q, index_t q1, Range rows, bool shared, Team& team) const {
    for (index_t r = rows.begin + (shared ? team.rank() : 0); r < rows.end;
         r += shared ? team.size() : 1)
      through_h<C::stages - 1>(q, q1, r);
    if (shared) team.barrier();
  }

  // The same of what is left, once all of them are complete. Of each row W·x is one piece of work
  // and U·h another.
  void through_products(index_t q, index_t q1, Range rows, bool shared, Team& team) const {
    for (index_t i = shared ? team.rank() : 0; i < 2 * (rows.end - rows.begin);
         i += shared ? team.size() : 1) {
      const index_t r = rows.begin + i / 2;
      if (i % 2 == 0)
        through_x(q, q1, r);
      else
        through_h<0>(q, q1, r);
    }
    if (shared) team.barrier();
  }

  // The rows of steps q0 .. q1, in the order of Gradients; before the barrier that ends the steps.
  void list(index_t q0, index_t q1, const Team& team) {
    if (!wanted_) return;
    const Range mine = share(q1 - q0, team.rank(), team.size(), 1);
    for (index_t q = q0 + mine.begin; q < q0 + mine.end; ++q)
      for (index_t r = 0; r < task_.steps.rows(q); ++r) {
        gate_list_[place(q, q1, r)] = gates(q, r);
        h_list_[place(q, q1, r)] = h_row(q, r);
      }
  }

  // The sums of a chunk. `rows` become those whose gradients are the gates.
  void add(ChunkRows<T>& rows, Team& team) {
    if (!wanted_) return;
    rows.grads = h_list_;
    if (task_.args.dw_hh) h_weights_.add(rows, team);
    rows.grads = gate_list_;
    sums_.add(rows, team);
    for (index_t j = own_panels_.begin; j < own_panels_.end; ++j) {
      team.check();
      Vec<T> sums[G];
      T* const into = gain_sums_ + j * G * L;
      FASTRNN_UNROLL
      for (int v = 0; v < G; ++v) sums[v] = load(into + v * L);
      const T* line = products_ + j * G * L;
      for (index_t i = 0; i < rows.count; ++i, line += J_ * G * L) {
        FASTRNN_UNROLL
        for (int v = 0; v < G; ++v) sums[v] += load(line + v * L);
      }
      FASTRNN_UNROLL
      for (int v = 0; v < G; ++v) store(into + v * L, sums[v]);
    }
    team.barrier();  // the next chunk writes to the same products
  }

  void finish(Team& team) {
    if (!wanted_) return;
    sums_.finish(team);
    const View<T, 2>& out = task_.args.dw_norm;
    for (index_t j = own_panels_.begin; out && j < own_panels_.end; ++j)
      for (int v = 0; v < G; ++v)
        if (gain_row<C>(v) >= 0)
          store(out.at(gain_row<C>(v), j * L), load(gain_sums_ + (j * G + v) * L),
                task_.dims.H - j * L);
  }

 private:
  template <int Stage>
  void through_h(index_t q, index_t q1, index_t r) const {
    const NormedRow<C, T> row = kept(q, r);
    for_norm_groups<C>([&](auto g) {
      constexpr auto h = C::norm_h[g.value];
      if constexpr (C::stage[Stage].fills(h.slot))
        NormGroup<T, S, h.slot, h.products>::template backward<G, S>(
            gates(q, r), gains_ + S * L, row.h(), row.scales()[2 + g.value], task_.dims.H, {0, J_},
            products(q, q1, r) + S * L, row.h());
    });
  }
  void through_x(index_t q, index_t q1, index_t r) const {
    const NormedRow<C, T> row = kept(q, r);
    for_norm_groups<C>([&](auto g) {
      constexpr auto x = C::norm_x[g.value];
      NormGroup<T, S, x.slot, x.products>::template backward<G, S>(
          gates(q, r), gains_, row.x(), row.scales()[g.value], task_.dims.H, {0, J_},
          products(q, q1, r), row.x());
    });
    if constexpr (C::stages == 2)  // the gradient of w_hh finds the operand there
      for (index_t at = C::aux_slot * L; at < J_ * S * L; at += S * L)
        store(row.h() + at, load(gates(q, r) + at));
  }

  NormedRow<C, T> kept(index_t q, index_t r) const {
    return {task_.normed + (task_.steps.first_row(q) + r) * stride_, J_};
  }
  const T* gates(index_t q, index_t r) const {
    return task_.gates + (task_.steps.first_row(q) + r) * J_ * S * L;
  }
  // Of a row among those of the chunk that ends at q1; steps fall.
  index_t place(index_t q, index_t q1, index_t r) const {
    return task_.steps.first_row(q1) - task_.steps.first_row(q + 1) + r;
  }
  T* products(index_t q, index_t q1, index_t r) const {
    return products_ + place(q, q1, r) * J_ * G * L;
  }

  const BackwardTask<T>& task_;
  index_t J_, stride_;
  bool wanted_;
  BackwardTask<T> h_task_, sums_task_;
  WeightGradients<Shape, T> h_weights_, sums_;
  T* gains_;
  T* gain_sums_;  // as the gains lie
  T* by_c_;       // of the rows of one step
  T* products_;   // of a chunk, as the gains lie; that of c's shift is the gradient itself
  const T** gate_list_;
  const T** h_list_;
  Range own_panels_{};
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
