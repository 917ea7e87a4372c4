// Weights into panel order, into transposed panel order, and gradients back.
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

// Visits every element of groups [first, last) in packed order of one product set:
// f(packed element, weight row, k), row = -1 in the padding.
template <class C, class T, int Slot, int P, class F>
void for_packed(index_t H, index_t K, index_t first, index_t last, F&& f) {
  constexpr int per_group = kGroup<C>, lanes = kLanes<T>;
  constexpr index_t block = 16;  // k's at a time: keeps the scattered side in the first cache
  const index_t panels = panels_of<T>(H);
  for (index_t g = first; g < last; ++g) {
    const index_t width = group_width(g, per_group, panels), base = g * per_group * K * P * lanes;
    for (index_t k0 = 0; k0 < K; k0 += block)
      for (index_t v = 0; v < width * P; ++v)
        for (index_t lane = 0; lane < lanes; ++lane) {
          const index_t unit = (g * per_group + v / P) * lanes + lane;
          const index_t row = unit < H ? C::gate[Slot + v % P] * H + unit : -1;
          for (index_t k = k0; k < least(k0 + block, K); ++k)
            f(base + (k * width * P + v) * lanes + lane, row, k);
        }
  }
}

template <class C, class T, int Slot, int P>
void pack_products(const View<const T, 2>& w, index_t H, index_t K, Range groups, T* packed) {
  for_packed<C, T, Slot, P>(
      H, K, groups.begin, groups.end,
      [&](index_t at, index_t row, index_t k) { packed[at] = row < 0 ? T(0) : *w.at(row, k); });
}

template <class C, class T, int Slot, int P>
void unpack_products(const T* packed, index_t H, index_t K, Range groups, const View<T, 2>& w) {
  for_packed<C, T, Slot, P>(H, K, groups.begin, groups.end,
                            [&](index_t at, index_t row, index_t k) {
                              if (row >= 0) *w.at(row, k) = packed[at];
                            });
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

// bias[panel][slot][lane]: what a pre-activation starts from. A slot that both products fill starts
// from the sum of the two biases.
template <class C, class T>
void pack_bias(const RnnWeights<T>& w, index_t H, T* bias) {
  for (index_t j = 0; j < panels_of<T>(H); ++j)
    for (int slot = 0; slot < C::slots; ++slot)
      for (index_t lane = 0; lane < kLanes<T>; ++lane) {
        const index_t unit = j * kLanes<T> + lane, row = C::gate[slot] * H + unit;
        T value = 0;
        if (unit < H && slot < C::x_products && w.b_ih) value += *w.b_ih.at(row);
        if (unit < H && is_recurrent<C>(slot) && w.b_hh) value += *w.b_hh.at(row);
        bias[(j * C::slots + slot) * kLanes<T> + lane] = value;
      }
}

// [panel][i f o][lane]
template <class T>
void pack_peephole(const View<const T, 2>& w, index_t H, T* packed) {
  for (index_t j = 0; j < panels_of<T>(H); ++j)
    for (int row = 0; row < 3; ++row)
      for (index_t lane = 0; lane < kLanes<T>; ++lane) {
        const index_t unit = j * kLanes<T> + lane;
        packed[(j * 3 + row) * kLanes<T> + lane] = unit < H ? *w.at(row, unit) : T(0);
      }
}

template <class C, class T>
Panels<T> carve_panels(Carver& carver, index_t I, index_t H, bool projected) {
  const index_t panels = panels_of<T>(H);
  Panels<T> p;
  p.I = I;
  p.H = H;
  p.projected = projected;
  p.w_ih = projected ? nullptr : carver.take<T>(panels * C::x_products * kLanes<T>, I);
  int products = 0;
  for (const Stage& s : C::stage) products += s.products;
  p.w_hh = carver.take<T>(panels * products * kLanes<T>, H);
  p.bias = carver.take<T>(panels * C::slots * kLanes<T>);
  p.peephole = C::peephole ? carver.take<T>(panels * 3 * kLanes<T>) : nullptr;
  return p;
}

// f(Int<s>) for every stage of the cell.
template <class C, class F>
FASTRNN_INLINE void for_stages(F&& f) {
  f(Int<0>{});
  if constexpr (C::stages == 2) f(Int<1>{});
}

// Fills the share of one thread. Unit ranges of the sweep are multiples of every group.
template <class C, class T>
void fill_panels(const RnnWeights<T>& w, const Panels<T>& p, int rank, int size) {
  const Range groups = share(ceil_div(panels_of<T>(p.H), kGroup<C>), rank, size, 1);
  if (!p.projected) pack_products<C, T, 0, C::x_products>(w.w_ih, p.H, p.I, groups, p.w_ih);
  for_stages<C>([&](auto s) {
    constexpr Stage stage = C::stage[decltype(s)::value];
    pack_products<C, T, stage.slot, stage.products>(w.w_hh, p.H, p.H, groups,
                                                    p.w_hh + stage_offset<C, T>(s.value, p.H));
  });
  if (rank == 0) pack_bias<C>(w, p.H, p.bias);
  if constexpr (C::peephole)
    if (rank == 0) pack_peephole(w.w_peephole, p.H, p.peephole);
}

// Transposed order for the road back: [group of 4 column panels][k][column panel][lane], k running
// over (unit panel, product, lane) as the gradients of the pre-activations lie in the workspace.
inline constexpr int kBackGroup = 4;

template <class C, class T, int Slot, int P>
void pack_transposed(const View<const T, 2>& w, index_t H, index_t columns, Range groups,
                     T* packed) {
  constexpr int lanes = kLanes<T>;
  const index_t panels = panels_of<T>(H), column_panels = panels_of<T>(columns);
  const index_t K = panels * P * lanes;
  for (index_t g = groups.begin; g < groups.end; ++g) {
    const index_t width = group_width(g, kBackGroup, column_panels);
    T* to = packed + g * kBackGroup * K * lanes;
    for (index_t k = 0; k < K; ++k) {
      const index_t unit = k / (P * lanes) * lanes + k % lanes;
      const index_t row = C::gate[Slot + k / lanes % P] * H + unit;
      for (index_t v = 0; v < width; ++v, to += lanes) {
        const index_t column = (g * kBackGroup + v) * lanes, count = columns - column;
        if (unit >= H)
          store(to, Vec<T>{});
        else if (w.stride[1] == 1)
          store(to, load(w.at(row, column), count));
        else
          for (index_t lane = 0; lane < lanes; ++lane)
            to[lane] = lane < count ? *w.at(row, column + lane) : T(0);
      }
    }
  }
}

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
