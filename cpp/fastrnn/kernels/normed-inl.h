// Layer normalisation (Ba et al. 2016), row by row: of W·x, of U·h and of c.
//
// n = (a - mean)/sigma over the units of a group of slots, and the cell gets gain·n. Sums run in
// one order, and units beyond H take no part: a row's result depends on nothing but the row.
#pragma once

#include "fastrnn/kernels/pack-inl.h"
#include "fastrnn/kernels/rows-inl.h"

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
  // whose sum is the gradient by the gain, goes to `product`, which lies as the gains do. Of some
  // panels, as above.
  template <int G, int D>
  static FASTRNN_NOINLINE void backward(const T* d, const T* gain, const T* n, T scale, index_t H,
                                        Range panels, T* product, T* to) {
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
        store(product + (j * G + First + s) * L, by * value);
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
  if constexpr (C::norm_groups > 1) f(Int<1>{});
}

// Where what is kept of a row lies; see normed_row().
template <class C, class T>
struct NormedRow {
  static constexpr int L = kLanes<T>, S = C::slots;
  T* begin;
  index_t J;
  T* x() const { return begin; }
  T* h() const { return begin + J * S * L; }
  T* c() const { return begin + 2 * J * S * L; }
  T* scales() const { return begin + normed_row(J * L, S, C::cell_state) - kScales; }
};

// The rows of one thread at one step, and what the products of a normed cell become. Sums over a
// row take all of its panels whoever asks, so that threads which share units only have to meet.
template <class C, class T>
class NormedForward {
  static constexpr int L = kLanes<T>, S = C::slots, G = kGains<C>;

 public:
  NormedForward(const ForwardTask<T>& task, bool wanted, Carver& carver)
      : task_(task),
        J_(panels_of<T>(task.dims.H)),
        stride_(normed_row(J_ * L, S, C::cell_state)),
        wanted_(wanted) {
    const index_t N = wanted_ ? task.dims.N : 0;
    zeros_ = carver.take<T>(wanted_ ? J_ * S * L : 0);
    raw_ = carver.take<T>(N, J_ * L, S + 2 * C::cell_state);
    rows_ = carver.take<Row>(N, task.plan.threads);
    h_rows_ = carver.take<T*>(N, task.plan.threads);
  }
  explicit operator bool() const { return wanted_; }

  // The products start from zeros: the bias is added to what is normalised.
  void start(Panels<T>& panels, Range own_panels, bool shared, const Team& team) {
    if (!wanted_) return;
    rows_ += task_.dims.N * team.rank();
    h_rows_ += task_.dims.N * team.rank();
    own_panels_ = own_panels;
    in_place_ = task_.normed != nullptr && !shared;
    bias_ = panels.bias;
    gains_ = panels.gains;
    panels.bias = zeros_;
    if (team.rank() == 0)
      __builtin_memset(zeros_, 0, static_cast<std::size_t>(J_ * S * L) * sizeof(T));
  }

  // W·x in some gates; kept as row `row` of the tape.
  void add_x(T* gates, index_t row) const {
    const NormedRow<C, T> kept{tape(row), J_};
    for_norm_groups<C>([&](auto g) {
      constexpr Stage slots = C::norm_x[g.value];
      NormGroup<T, S, slots.slot, slots.products>::template forward<G>(
          gates, kept.begin != nullptr ? kept.x() : nullptr,
          kept.begin != nullptr ? kept.scales() + g.value : nullptr, task_.dims.H, {0, J_}, gains_,
          bias_, gates);
    });
    for (index_t j = 0; j < J_; ++j)  // only the recurrent product fills them
      for (int s = C::x_products; s < S; ++s)
        store(gates + (j * S + s) * L, load(bias_ + (j * S + s) * L));
  }

  // Row i of a step is sorted row r, row `row` of the tape; U·h goes to h_rows().
  void list(index_t i, index_t r, index_t row) {
    const NormedRow<C, T> kept{tape(row), J_};
    T* const raw = raw_ + r * J_ * L * (S + 2 * C::cell_state);
    const bool keep = kept.begin != nullptr;
    h_rows_[i] = in_place_ ? kept.h() : raw;
    rows_[i] = {keep ? kept.h() : nullptr, in_place_ ? kept.c() : raw + J_ * S * L,
                keep ? kept.c() : raw + J_ * (S + 1) * L, keep ? kept.scales() : nullptr};
  }
  T* const* h_rows() const { return h_rows_; }
  T* c(index_t i) const { return rows_[i].c; }

  // What a stage's product gives.
  template <class Number>
  void add_h(Number stage, index_t i, T* gates) const {
    const Row& row = rows_[i];
    for_norm_groups<C>([&](auto g) {
      constexpr auto slots = C::norm_h[g.value];
      if constexpr (C::stage[stage.value].fills(slots.slot))
        NormGroup<T, S, slots.slot, slots.products>::template forward<G>(
            h_rows_[i], row.h, row.scales != nullptr ? row.scales + 2 + g.value : nullptr,
            task_.dims.H, own_panels_, gains_ + S * L, gates, gates);
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
    return task_.normed != nullptr ? task_.normed + row * stride_ : nullptr;
  }

  const ForwardTask<T>& task_;
  index_t J_, stride_;
  bool wanted_, in_place_ = false;
  T* zeros_;
  T* raw_;  // U·h and c while others read them, and c's n if there is no tape
  Row* rows_;
  T** h_rows_;
  Range own_panels_{};
  const T* bias_ = nullptr;
  const T* gains_ = nullptr;
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
