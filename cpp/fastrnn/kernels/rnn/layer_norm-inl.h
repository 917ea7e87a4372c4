// Layer normalisation (Ba et al. 2016), row by row: of W·x, of U·h and of c.
//
// n = (a - mean)/sigma over the units of a group of slots, and the cell gets gain·n. Sums run in
// one order, and units beyond H take no part: a row's result depends on nothing but the row. On the
// way back three lines of a row hold gradients: `gates` those by what the cell got, and in the
// tape's row those by W·x and by U·h. The first give the biases and peepholes, the others w_ih, x
// and w_hh.
#pragma once

#include "fastrnn/kernels/nn/rows-inl.h"
#include "fastrnn/kernels/rnn/pack-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// 0 in the lanes from `columns` on.
template <class T>
FASTRNN_INLINE Vec<T> within(Vec<T> x, index_t columns) {
  if (__builtin_expect(columns >= kLanes<T>, 1)) return x;
  return load(kLaneNumbers<T>) < set1(T(columns)) ? x : Vec<T>{};
}

template <class T, int Count>
FASTRNN_INLINE Vec<T> mean_of(const Vec<T> (&sums)[Count], index_t H) {
  Vec<T> all = sums[0];
  for (int s = 1; s < Count; ++s) all += sums[s];
  return set1(sum_lanes<T>(all) / static_cast<T>(Count * H));
}

// Slots First .. First + Count of a row, which is [panel][slot of S][lane].
template <class T, int S, int First, int Count>
struct NormGroup {
  static constexpr int L = kLanes<T>;

  // Of some panels n of a, 1/sigma, and into = base + gain·n; n and into may be null; a panel of
  // gains is G vectors. Any two of these rows may be the same, where the panels are all there are.
  template <int G>
  static FASTRNN_NOINLINE void forward(const T* a, T* n, T* scale, index_t H, Range panels,
                                       const T* gain, const T* base, T* into) {
    constexpr T epsilon = T(1e-5);
    const index_t J = panels_of<T>(H);
    Vec<T> sums[Count] = {}, squares[Count] = {};
    for (index_t j = 0; j < J; ++j) {
      FASTRNN_UNROLL
      for (int s = 0; s < Count; ++s) sums[s] += load(a + at(j, s), H - j * L);
    }
    const Vec<T> mean = mean_of<T>(sums, H);
    for (index_t j = 0; j < J; ++j) {
      FASTRNN_UNROLL
      for (int s = 0; s < Count; ++s) {
        const Vec<T> centred = within<T>(load(a + at(j, s)) - mean, H - j * L);
        squares[s] = fma(centred, centred, squares[s]);
      }
    }
    const Vec<T> by = T(1) / sqrt(mean_of<T>(squares, H) + epsilon);
    for (index_t j = panels.begin; j < panels.end; ++j) {
      FASTRNN_UNROLL
      for (int s = 0; s < Count; ++s) {
        const Vec<T> value = within<T>(load(a + at(j, s)) - mean, H - j * L) * by;
        if (n != nullptr) store(n + at(j, s), value);
        if (into != nullptr)
          store(into + at(j, s),
                fma(load(gain + (j * G + First + s) * L), value, load(base + at(j, s))));
      }
    }
    if (scale != nullptr && panels.begin == 0) store(scale, by, 1);
  }

  // From d, that by gain·n with D vectors to a panel, `to`, the gradient by a, which may be n. d·n,
  // whose sum is the gradient by the gain, is added to `sum`, which lies as the gains do. Of some
  // panels, as above.
  template <int G, int D>
  static FASTRNN_NOINLINE void backward(const T* d, const T* gain, const T* n, T scale, index_t H,
                                        Range panels, T* sum, T* to) {
    const index_t J = panels_of<T>(H);
    Vec<T> sums[Count] = {}, along[Count] = {};
    for (index_t j = 0; j < J; ++j) {
      FASTRNN_UNROLL
      for (int s = 0; s < Count; ++s) {
        const Vec<T> by = load(d + (j * D + First + s) * L), value = load(n + at(j, s));
        const Vec<T> dn = by * load(gain + (j * G + First + s) * L);
        sums[s] += dn;
        along[s] = fma(dn, value, along[s]);
      }
    }
    const Vec<T> mean = mean_of<T>(sums, H), slope = mean_of<T>(along, H);
    for (index_t j = panels.begin; j < panels.end; ++j) {
      FASTRNN_UNROLL
      for (int s = 0; s < Count; ++s) {
        const Vec<T> by = load(d + (j * D + First + s) * L), value = load(n + at(j, s));
        const Vec<T> dn = by * load(gain + (j * G + First + s) * L);
        T* const gain_sum = sum + (j * G + First + s) * L;
        store(gain_sum, fma(by, value, load(gain_sum)));
        const Vec<T> da = (dn - mean - value * slope) * scale;
        store(to + at(j, s), within<T>(da, H - j * L));
      }
    }
  }

 private:
  static FASTRNN_INLINE index_t at(index_t j, int s) { return (j * S + First + s) * L; }
};

// f(Int<g>) for every group of the cell's pre-activations.
template <class C, class F>
FASTRNN_INLINE void for_norm_groups(F&& f) {
  f(Int<0>{});
  if constexpr (C::shape.norm_groups > 1) f(Int<1>{});
}

// The parts of one row of Kept::normed; see normed_row().
template <class T>
struct NormedRow {
  static constexpr int L = kLanes<T>;
  T* begin;
  index_t J;
  const CellShape& shape;
  T* x() const { return begin; }
  T* h() const { return begin + J * shape.slots * L; }
  T* c() const { return begin + 2 * J * shape.slots * L; }
  T* scales() const { return begin + normed_row(J * L, shape.slots, shape.cell_state) - kScales; }
};

// The rows of one thread at one step, and what the products of a normed cell become. Sums over a
// row take all of its panels whoever asks, so that threads which share units only have to meet.
template <class C, class T>
class NormedForward {
  static constexpr CellShape kShape = C::shape;
  static constexpr int L = kLanes<T>, S = kShape.slots, G = gains_of(kShape);
  static constexpr int kRaw = S + 2 * kShape.cell_state;

 public:
  NormedForward(const ForwardTask<T>& task, Carver& carver, int rank)
      : task_(task),
        J_(panels_of<T>(task.dims.H)),
        stride_(normed_row(J_ * L, S, kShape.cell_state)),
        first_(rank == 0) {
    if (!C::general || !task.on.norm) return;
    const index_t N = task.dims.N;
    zeros_ = carver.take<T>(J_ * S * L);
    raw_ = carver.take<T>(N, J_ * L, kRaw);
    rows_ = carver.take<Row>(N, task.plan.threads) + N * rank;
    h_rows_ = carver.take<T*>(N, task.plan.threads) + N * rank;
  }

  // Returns what the products start from: zeros, because the bias is added after normalising.
  template <class W>
  T* start(const Panels<T, W>& panels, Range own_panels, bool shared) {
    own_panels_ = own_panels;
    in_place_ = task_.kept.normed != nullptr && !shared;
    bias_ = panels.bias;
    gains_ = panels.gains;
    if (first_) __builtin_memset(zeros_, 0, static_cast<std::size_t>(J_ * S * L) * sizeof(T));
    return zeros_;
  }

  // W·x in some gates; kept as row `row` of the tape.
  void add_x(T* gates, index_t row) const {
    const NormedRow<T> kept{tape(row), J_, kShape};
    for_norm_groups<C>([&](auto g) {
      constexpr Slots slots = kShape.norm_x[decltype(g)::value];
      NormGroup<T, S, slots.slot, slots.count>::template forward<G>(
          gates, kept.begin != nullptr ? kept.x() : nullptr,
          kept.begin != nullptr ? kept.scales() + decltype(g)::value : nullptr, task_.dims.H,
          {0, J_}, gains_, bias_, gates);
    });
    for (index_t j = 0; j < J_; ++j)  // only the recurrent product fills them
      for (int s = kShape.x_products; s < S; ++s)
        store(gates + (j * S + s) * L, load(bias_ + (j * S + s) * L));
  }

  // Row i of a step is sorted row r, row `row` of the tape; U·h goes to h_rows().
  void list(index_t i, index_t r, index_t row) {
    const NormedRow<T> kept{tape(row), J_, kShape};
    T* const raw = raw_ + r * J_ * L * kRaw;
    const bool keep = kept.begin != nullptr;
    h_rows_[i] = in_place_ ? kept.h() : raw;
    rows_[i] = {keep ? kept.h() : nullptr, in_place_ ? kept.c() : raw + J_ * S * L,
                keep ? kept.c() : raw + J_ * (S + 1) * L, keep ? kept.scales() : nullptr};
  }
  T* const* h_rows() const { return h_rows_; }
  FASTRNN_INLINE T* c(index_t i) const { return rows_[i].c; }

  // Normalises a stage's product by w_hh and adds it to the gates.
  template <int Stage>
  void add_h(index_t i, T* gates) const {
    const Row& row = rows_[i];
    for_norm_groups<C>([&](auto g) {
      constexpr Slots slots = kShape.norm_h[decltype(g)::value];
      if constexpr (kShape.recurrent(Stage).fills(slots.slot))
        NormGroup<T, S, slots.slot, slots.count>::template forward<G>(
            h_rows_[i], row.h,
            row.scales != nullptr ? row.scales + 2 + decltype(g)::value : nullptr, task_.dims.H,
            own_panels_, gains_ + S * L, gates, gates);
    });
  }

  void normalise_c(index_t i) const {
    const Row& row = rows_[i];
    NormGroup<T, 1, 0, 1>::template forward<G>(
        row.c, row.normed_c, row.scales != nullptr ? row.scales + 4 : nullptr, task_.dims.H,
        own_panels_, nullptr, nullptr, nullptr);
  }
  // c as the output sees it
  FASTRNN_INLINE Vec<T> seen(index_t i, index_t j) const {
    const T* const gain = gains_ + (j * G + 2 * S) * L;
    return fma(load(gain), load(rows_[i].normed_c + j * L), load(gain + L));
  }

 private:
  // Null where nothing is kept.
  struct Row {
    T* h;
    T* c;  // before it is normalised
    T* normed_c;
    T* scales;
  };
  T* tape(index_t row) const {
    return task_.kept.normed != nullptr ? task_.kept.normed + row * stride_ : nullptr;
  }

  const ForwardTask<T>& task_;
  index_t J_, stride_;
  bool first_, in_place_ = false;
  T* zeros_ = nullptr;
  T* raw_ = nullptr;  // U·h and c while others read them, and c's n if there is no tape
  Row* rows_ = nullptr;
  T** h_rows_ = nullptr;
  Range own_panels_{};
  const T* bias_ = nullptr;
  const T* gains_ = nullptr;
};

// Each row of the batch sums its gradients by the gains over its own steps, so that the sums do not
// depend on who owns which rows, and stay in the cache.
template <class C, class T>
class NormedBackward {
  static constexpr CellShape kShape = C::shape;
  static constexpr int L = kLanes<T>, S = kShape.slots, G = gains_of(kShape);

 public:
  NormedBackward(const BackwardTask<T>& task, Carver& carver, int rank, int size)
      : task_(task),
        J_(panels_of<T>(task.dims.H)),
        stride_(normed_row(J_ * L, S, kShape.cell_state)),
        own_panels_(share(J_, rank, size, 1)) {
    if (!C::general || !task.on.norm) return;
    const index_t N = task.dims.N;
    gains_ = carver.take<T>(G, J_, L);
    by_seen_ = carver.take<T>(kShape.cell_state ? N : 0, J_, L);
    by_c_ = carver.take<T>(kShape.cell_state ? N : 0, J_, L);
    sums_ = carver.take<T>(N, J_ * L, G);
  }

  void start() {
    for (index_t j = own_panels_.begin; j < own_panels_.end; ++j) {
      pack_gains(kShape, task_.layer.weights.w_norm, task_.dims.H, j, gains_ + j * G * L);
      for (index_t r = 0; r < task_.dims.N; ++r)
        for (int v = 0; v < G; ++v) store(sums(r) + (j * G + v) * L, Vec<T>{});
    }
  }

  // The gradients by U·h of sorted row r at step q.
  const T* h_row(index_t q, index_t r) const { return kept(q, r).h(); }

  // c as the output saw it, the gradient by it, and what that gives for c.
  FASTRNN_INLINE Vec<T> seen(index_t q, index_t r, index_t j) const {
    const T* const gain = gains_ + (j * G + 2 * S) * L;
    return fma(load(gain), load(kept(q, r).c() + j * L), load(gain + L));
  }
  FASTRNN_INLINE void keep_by_seen(index_t r, index_t j, Vec<T> d) const {
    T* const shift_sum = sums(r) + (j * G + 2 * S + 1) * L;
    store(by_seen_ + (r * J_ + j) * L, d);
    store(shift_sum, load(shift_sum) + d);
  }
  FASTRNN_INLINE Vec<T> by_c(index_t r, index_t j) const { return load(by_c_ + (r * J_ + j) * L); }
  void through_c(index_t q, Range rows, Range panels) const {
    for (index_t r = rows.begin; r < rows.end; ++r) {
      const NormedRow<T> row = kept(q, r);
      const index_t at = r * J_ * L;
      NormGroup<T, 1, 0, 1>::template backward<G, 1>(by_seen_ + at, gains_ + 2 * S * L, row.c(),
                                                     row.scales()[4], task_.dims.H, panels,
                                                     sums(r) + 2 * S * L, by_c_ + at);
    }
  }

  // From the gradients in the gates of step q, complete as far as the second stage's product fills
  // them, to those by that product. Threads that share the units share the rows out for it.
  void through_second(index_t q, Range rows, bool shared, Team& team) const {
    for (index_t r = rows.begin + (shared ? team.rank() : 0); r < rows.end;
         r += shared ? team.size() : 1)
      through_h<kShape.stages - 1>(q, r);
    if (shared) team.barrier();
  }

  // The same of what is left, once all of them are complete. Of each row W·x is one piece of work
  // and U·h another.
  void through_products(index_t q, Range rows, bool shared, Team& team) const {
    for (index_t i = shared ? team.rank() : 0; i < 2 * (rows.end - rows.begin);
         i += shared ? team.size() : 1) {
      const index_t r = rows.begin + i / 2;
      if (i % 2 == 0)
        through_x(q, r);
      else
        through_h<0>(q, r);
    }
    if (shared) team.barrier();
  }

  // Once everybody has added to the sums, and all have met after that.
  void finish(Team& team) const {
    const View<T, 2>& out = task_.args.dw_norm;
    for (index_t j = own_panels_.begin; out && j < own_panels_.end; ++j) {
      team.check();
      Vec<T> all[G] = {};
      for (index_t r = 0; r < task_.dims.N; ++r) {
        FASTRNN_UNROLL
        for (int v = 0; v < G; ++v) all[v] += load(sums(r) + (j * G + v) * L);
      }
      for (int v = 0; v < G; ++v)
        if (const int row = gain_row(kShape, v); row >= 0)
          store(out.at(row, j * L), all[v], task_.dims.H - j * L);
    }
  }

 private:
  template <int Stage>
  void through_h(index_t q, index_t r) const {
    const NormedRow<T> row = kept(q, r);
    for_norm_groups<C>([&](auto g) {
      constexpr Slots h = kShape.norm_h[decltype(g)::value];
      if constexpr (kShape.recurrent(Stage).fills(h.slot))
        NormGroup<T, S, h.slot, h.count>::template backward<G, S>(
            gates(q, r), gains_ + S * L, row.h(), row.scales()[2 + decltype(g)::value],
            task_.dims.H, {0, J_}, sums(r) + S * L, row.h());
    });
  }
  void through_x(index_t q, index_t r) const {
    const NormedRow<T> row = kept(q, r);
    for_norm_groups<C>([&](auto g) {
      constexpr Slots x = kShape.norm_x[decltype(g)::value];
      NormGroup<T, S, x.slot, x.count>::template backward<G, S>(
          gates(q, r), gains_, row.x(), row.scales()[decltype(g)::value], task_.dims.H, {0, J_},
          sums(r), row.x());
    });
  }

  NormedRow<T> kept(index_t q, index_t r) const {
    return {task_.kept.normed + (task_.steps.first_row(q) + r) * stride_, J_, kShape};
  }
  const T* gates(index_t q, index_t r) const {
    return task_.kept.gates + (task_.steps.first_row(q) + r) * J_ * S * L;
  }
  T* sums(index_t r) const { return sums_ + r * J_ * G * L; }

  const BackwardTask<T>& task_;
  index_t J_, stride_;
  Range own_panels_;
  T* gains_ = nullptr;
  T *by_seen_ = nullptr, *by_c_ = nullptr;  // of the rows of one step
  T* sums_ = nullptr;                       // of each row of the batch, as the gains lie
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
