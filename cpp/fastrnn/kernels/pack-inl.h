// Weights into panel order and into transposed panel order.
//
// Forward order, for the products of slots slot .. slot + P: [group][k][panel in group][product]
// [lane]. A tile reads one k as one stretch. Units beyond H are zeros, so there is no second code
// path for tails.
#pragma once

#include "fastrnn/args.h"
#include "fastrnn/cells/stage.h"
#include "fastrnn/kernel_table.h"
#include "fastrnn/kernels/carver.h"
#include "fastrnn/kernels/gemm_tile-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class T>
FASTRNN_INLINE index_t panels_of(index_t units) {
  return ceil_div(units, kLanes<T>);
}

// Panels whose products are packed side by side so that a tile is up to 4 vectors wide. Several
// only where the workspace has them side by side too, which is with one slot.
template <class C>
inline constexpr int kGroup = C::slots == 1 ? 4 : 1;

// How many panels group g really has: the last one may be narrower.
FASTRNN_INLINE index_t group_width(index_t group, int per_group, index_t panels) {
  return least(per_group, panels - group * per_group);
}

// Which of the caller's gates the products of a panel are, and how many panels make a group.
struct Products {
  const int* gate;
  int count, per_group;
};
template <class C>
FASTRNN_INLINE Products products(int slot, int count) {
  return {C::gate + slot, count, kGroup<C>};
}

// `count` elements of a row from column k on, in whatever stride; 0 beyond.
template <class T>
FASTRNN_INLINE Vec<T> load_row(const View<const T, 2>& w, index_t row, index_t k, index_t count) {
  if (w.stride[1] == 1) return load(w.at(row, k), count);
  alignas(64) T lanes[kLanes<T>] = {};
  for (index_t i = 0; i < least(count, kLanes<T>); ++i) lanes[i] = *w.at(row, k + i);
  return load(lanes);
}

// The same, and fetches what lies `rows` and `columns` further on: so many streams at once are
// beyond the processor's own foresight (training at N = 1: 5 % at H = 512 and 1024 on Zen 5).
template <class T>
FASTRNN_INLINE Vec<T> load_ahead(const View<const T, 2>& w, index_t row, index_t k, index_t count,
                                 index_t rows, index_t columns) {
  __builtin_prefetch(w.at(row + rows, k + columns));
  return load_row(w, row, k, count);
}

// One group of one set of products, square by square of lanes x lanes weights.
template <class T>
FASTRNN_NOINLINE void pack_group(const View<const T, 2>& w, index_t H, index_t K, Products set,
                                 index_t group, T* packed, Team& team) {
  constexpr index_t L = kLanes<T>;
  const index_t width = group_width(group, set.per_group, panels_of<T>(H)) * set.count;
  packed += group * set.per_group * K * set.count * L;
  for (index_t k = 0; k < K; k += L) {
    if (k % 256 == 0) team.check();
    for (index_t v = 0; v < width; ++v) {
      const index_t unit = (group * set.per_group + v / set.count) * L;
      const index_t row = set.gate[v % set.count] * H + unit;
      Vec<T> square[L];
      FASTRNN_UNROLL
      for (index_t i = 0; i < L; ++i)
        square[i] = i < H - unit ? load_ahead(w, row + i, k, K - k, 0, 2 * L) : Vec<T>{};
      transpose<T>(square);
      FASTRNN_UNROLL
      for (index_t i = 0; i < L; ++i)
        if (i < K - k) store(packed + ((k + i) * width + v) * L, square[i]);
    }
  }
}

// Elements before stage s of the recurrent weights.
template <class C, class T>
constexpr index_t stage_offset(int s, index_t H) {
  index_t at = 0;
  for (int i = 0; i < s; ++i) at += panels_of<T>(H) * H * C::stage[i].products * kLanes<T>;
  return at;
}

template <class C>
constexpr bool is_recurrent(int slot) {
  for (const Stage& stage : C::stage)
    if (stage.fills(slot)) return true;
  return false;
}

// bias[slot][lane] of one panel: what a pre-activation starts from. A slot that both products fill
// starts from the sum of the two biases.
template <class C, class T>
void pack_bias(const RnnWeights<T>& w, index_t H, index_t panel, T* bias) {
  for (int slot = 0; slot < C::slots; ++slot)
    for (index_t lane = 0; lane < kLanes<T>; ++lane) {
      const index_t unit = panel * kLanes<T> + lane, row = C::gate[slot] * H + unit;
      T value = 0;
      if (unit < H && slot < C::x_products && w.b_ih) value += *w.b_ih.at(row);
      if (unit < H && is_recurrent<C>(slot) && w.b_hh) value += *w.b_hh.at(row);
      bias[slot * kLanes<T> + lane] = value;
    }
}

// [i f o][lane] of one panel
template <class T>
void pack_peephole(const View<const T, 2>& w, index_t H, index_t panel, T* packed) {
  for (int row = 0; row < 3; ++row)
    store(packed + row * kLanes<T>, load_row(w, row, panel * kLanes<T>, H - panel * kLanes<T>));
}

// Layer normalisation has so many vectors of gains in a panel; the one for each is this row of
// w_norm, -1 where nothing is normalised.
template <class C>
inline constexpr int kGains = 2 * C::slots + 2 * C::cell_state;
template <class C>
constexpr int gain_row(int v) {
  const int slot = v % C::slots;
  if (v >= 2 * C::slots) return 2 * C::gates + slot;
  if (v < C::slots) return slot < C::x_products ? C::gate[slot] : -1;
  return is_recurrent<C>(slot) ? C::gates + C::gate[slot] : -1;
}

template <class C, class T>
void pack_gains(const View<const T, 2>& w, index_t H, index_t panel, T* packed) {
  for (int v = 0; v < kGains<C>; ++v)
    store(packed + v * kLanes<T>,
          gain_row<C>(v) < 0
              ? Vec<T>{}
              : load_row(w, gain_row<C>(v), panel * kLanes<T>, H - panel * kLanes<T>));
}

template <class C, class T>
Panels<T> carve_panels(Carver& carver, const RnnWeights<T>& w, index_t I, index_t H) {
  const index_t panels = panels_of<T>(H);
  Panels<T> p;
  p.I = I;
  p.H = H;
  p.P = w.w_hr ? w.w_hr.shape[0] : H;
  p.projected = !w.w_ih;
  if (!p.projected) p.w_ih = carver.take<T>(panels * C::x_products * kLanes<T>, I);
  int products = 0;
  for (const Stage& s : C::stage) products += s.products;
  p.w_hh = carver.take<T>(panels * products * kLanes<T>, p.P);
  p.bias = carver.take<T>(panels * C::slots * kLanes<T>);
  if (w.w_peephole) p.peephole = carver.take<T>(panels * 3 * kLanes<T>);
  if (w.w_peephole_full) p.peephole_if = carver.take<T>(panels * 2 * kLanes<T>, H);
  if (w.w_peephole_full) p.peephole_o = carver.take<T>(panels * kLanes<T>, H);
  if (w.w_hr) p.w_hr = carver.take<T>(panels_of<T>(p.P) * kLanes<T>, H);
  if (w.w_norm) p.gains = carver.take<T>(panels * kGains<C> * kLanes<T>);
  return p;
}

// Blocks of rows of w_peephole_full and w_hr, as Products name them.
inline constexpr int kBlocks[3] = {0, 1, 2};
inline constexpr Products kPeepholeIf{kBlocks, 2, 1}, kPeepholeO{kBlocks + 2, 1, 1};
inline constexpr Products kProjection{kBlocks, 1, 4};

// f(Int<s>) for every stage of the cell.
template <class C, class F>
FASTRNN_INLINE void for_stages(F&& f) {
  f(Int<0>{});
  if constexpr (C::stages == 2) f(Int<1>{});
}

// Everything of one group of panels.
template <class C, class T>
void fill_group(const RnnWeights<T>& w, const Panels<T>& p, index_t group, Team& team) {
  if (!p.projected)
    pack_group(w.w_ih, p.H, p.I, products<C>(0, C::x_products), group, p.w_ih, team);
  for (int s = 0; s < C::stages; ++s)
    pack_group(w.w_hh, p.H, p.P, products<C>(C::stage[s].slot, C::stage[s].products), group,
               p.w_hh + stage_offset<C, T>(s, p.H), team);
  if (p.peephole_if != nullptr) {  // a group of the LSTM is one panel
    pack_group(w.w_peephole_full, p.H, p.H, kPeepholeIf, group, p.peephole_if, team);
    pack_group(w.w_peephole_full, p.H, p.H, kPeepholeO, group, p.peephole_o, team);
  }
  const index_t first = group * kGroup<C>;
  for (index_t j = first; j < least(first + kGroup<C>, panels_of<T>(p.H)); ++j) {
    pack_bias<C>(w, p.H, j, p.bias + j * C::slots * kLanes<T>);
    if (p.peephole != nullptr) pack_peephole(w.w_peephole, p.H, j, p.peephole + j * 3 * kLanes<T>);
    if (p.gains != nullptr) pack_gains<C>(w.w_norm, p.H, j, p.gains + j * kGains<C> * kLanes<T>);
  }
}

// Group by group of the projection.
template <class T>
void fill_projection(const RnnWeights<T>& w, const Panels<T>& p, index_t group, Team& team) {
  pack_group(w.w_hr, p.P, p.H, kProjection, group, p.w_hr, team);
}
template <class T>
index_t projection_groups(const Panels<T>& p) {
  return p.w_hr == nullptr ? 0 : ceil_div(panels_of<T>(p.P), kProjection.per_group);
}

// Transposed order for the road back: [group of 4 column panels][k][column panel][lane], k running
// over (unit panel, product, lane) as the gradients of the pre-activations lie in the workspace.
inline constexpr int kBackGroup = 4;

template <class T>
FASTRNN_NOINLINE void pack_back_group(const View<const T, 2>& w, index_t H, index_t columns,
                                      Products set, index_t group, T* packed, Team& team) {
  constexpr index_t L = kLanes<T>;
  const index_t panels = panels_of<T>(H);
  const index_t width = group_width(group, kBackGroup, panels_of<T>(columns));
  T* to = packed + group * kBackGroup * panels * set.count * L * L;
  for (index_t panel = 0; panel < panels; ++panel) {
    team.check();
    for (int p = 0; p < set.count; ++p)
      for (index_t unit = panel * L; unit < (panel + 1) * L; ++unit)
        for (index_t v = 0; v < width; ++v, to += L) {
          const index_t column = (group * kBackGroup + v) * L, row = set.gate[p] * H + unit;
          store(to, unit < H ? load_ahead(w, row, column, columns - column, 8, 0) : Vec<T>{});
        }
  }
}

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
