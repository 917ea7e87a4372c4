// Weights into panel order and into transposed panel order.
//
// Forward order, for the products of slots slot .. slot + P: [group][k][panel in group][product]
// [lane]. A tile reads one k as one stretch. Units beyond H are zeros, so there is no second code
// path for tails.
#pragma once

#include "fastrnn/cells/shapes.h"
#include "fastrnn/kernels/rnn/narrow-inl.h"
#include "fastrnn/kernels/rnn/ranges-inl.h"
#include "fastrnn/memory/carver.h"
#include "fastrnn/rnn/args.h"
#include "fastrnn/rnn/table.h"
#include "fastrnn/simd/dot-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class T>
FASTRNN_INLINE index_t panels_of(index_t units) {
  return ceil_div(units, kLanes<T>);
}

// Panels whose products are packed side by side so that a tile is up to 4 vectors wide. Several
// only where the workspace has them side by side too, which is with one slot.
constexpr int panels_in_group(int slots) { return slots == 1 ? 4 : 1; }
template <class C>
inline constexpr int kGroup = panels_in_group(C::shape.slots);

// The number of panels in a group: the last group may be narrower.
FASTRNN_INLINE index_t group_width(index_t group, int per_group, index_t panels) {
  return least(per_group, panels - group * per_group);
}

// Which blocks of H rows of a matrix the products of a panel are, and how many panels make a group.
struct Products {
  const int* block;
  int count, per_group;
};
inline constexpr int kBlocks[3] = {0, 1, 2};
FASTRNN_INLINE Products input_products(const CellShape& shape) {
  return {shape.gate, shape.x_products, panels_in_group(shape.slots)};
}
FASTRNN_INLINE Products products_of(const CellShape& shape, const CellProduct& p) {
  const bool recurrent = p.matrix == Matrix::w_hh;
  return {recurrent ? shape.gate + p.slot : kBlocks + p.row, p.count, panels_in_group(shape.slots)};
}
inline constexpr Products kProjection{kBlocks, 1, 4};

// f(stage, product) for every product of a cell by this matrix.
template <class F>
FASTRNN_INLINE void for_products(const CellShape& shape, Matrix matrix, F&& f) {
  for (int s = 0; s < shape.stages; ++s)
    for (int i = 0; i < shape.stage[s].products; ++i)
      if (shape.stage[s].product[i].matrix == matrix) f(s, shape.stage[s].product[i]);
}

// `count` elements of a row from column k on, in whatever stride; 0 beyond.
template <class T>
FASTRNN_NOINLINE Vec<T> gather_row(const View<const T, 2>& w, index_t row, index_t k,
                                   index_t count) {
  alignas(64) T lanes[kLanes<T>] = {};
  for (index_t i = 0; i < least(count, kLanes<T>); ++i) lanes[i] = *w.at(row, k + i);
  return load(lanes);
}
template <class T>
FASTRNN_INLINE Vec<T> load_row(const View<const T, 2>& w, index_t row, index_t k, index_t count) {
  return w.stride[1] == 1 ? load(w.at(row, k), count) : gather_row(w, row, k, count);
}

// The same, and prefetches the element `rows` and `columns` further on: the processor's own
// prefetcher cannot follow so many streams (training at N = 1: 5 % at H = 512 and 1024 on Zen 5).
template <class T>
FASTRNN_INLINE Vec<T> load_ahead(const View<const T, 2>& w, index_t row, index_t k, index_t count,
                                 index_t rows, index_t columns) {
  __builtin_prefetch(w.at(row + rows, k + columns));
  return load_row(w, row, k, count);
}

// One group of one set of products, square by square of lanes x lanes weights. With words of two
// bfloat16 k is counted in these, of which the last one may lack its upper half.
template <class T, bool words = false>
FASTRNN_NOINLINE void pack_group(const View<const T, 2>& w, index_t H, index_t K, Products set,
                                 index_t group, T* packed, Team& team) {
  constexpr index_t L = kLanes<T>;
  const index_t width = group_width(group, set.per_group, panels_of<T>(H)) * set.count;
  packed += group * set.per_group * (words ? ceil_div(K, 2) : K) * set.count * L;
  for (index_t k = 0; k < K; k += L) {
    if (k % 256 == 0) team.check();
    for (index_t v = 0; v < width; ++v) {
      const index_t unit = (group * set.per_group + v / set.count) * L;
      const index_t row = set.block[v % set.count] * H + unit;
      Vec<T> square[L];
      FASTRNN_UNROLL
      for (index_t i = 0; i < L; ++i)
        square[i] = i < H - unit ? load_ahead(w, row + i, k, K - k, 0, 2 * L) : Vec<T>{};
      transpose<T>(square);
      FASTRNN_UNROLL
      for (index_t i = 0; i < L; ++i) {
        if (i >= K - k) break;
        if constexpr (!words)
          store(packed + ((k + i) * width + v) * L, square[i]);
        else if (i % 2 == 0)
          store(packed + ((k + i) / 2 * width + v) * L, pair_bfloat16(square[i], square[i + 1]));
      }
    }
  }
}

// The same of bytes: [step][vector][lane][element of a word].
template <class W, class Matrix>
FASTRNN_NOINLINE void pack_byte_group(const Matrix& matrix, index_t H, index_t K, Products set,
                                      index_t group, W* packed, Scales<float> scales, Team& team) {
  constexpr index_t L = kLanes<float>, word = Narrow<W>::together;
  const index_t steps = words_of<W>(K), first = group * set.per_group * set.count * L;
  const index_t lanes = group_width(group, set.per_group, panels_of<float>(H)) * set.count * L;
  packed += first * steps * word;
  for (index_t i = 0; i < lanes * steps * word; ++i) packed[i] = W{};
  for (index_t i = 0; i < lanes; ++i) {
    if (i % L == 0) team.check();
    const index_t unit = (group * set.per_group + i / L / set.count) * L + i % L;
    const index_t row = set.block[i / L % set.count] * H + unit;
    if (unit < H) Narrow<W>::pack_row(matrix, row, K, lanes * word, packed + i * word);
    scales.scale[first + i] = unit < H ? Narrow<W>::scale(matrix, row) : 0;
    scales.start[first + i] = unit < H ? Narrow<W>::start(matrix, row, K) : 0;
  }
}
// The same of either type of narrow weights.
template <class W, class Matrix>
FASTRNN_INLINE void pack_narrow_group(const Matrix& matrix, index_t H, index_t K, Products set,
                                      index_t group, W* packed, Scales<float> scales, Team& team) {
  if constexpr (Narrow<W>::scaled)
    pack_byte_group(matrix, H, K, set, group, packed, scales, team);
  else
    pack_group<float, true>(matrix, H, K, set, group, reinterpret_cast<float*>(packed), team);
}

// bias[slot][lane] of one panel: what a pre-activation starts from. A slot that both products fill
// starts from the sum of the two biases.
template <class T>
void pack_bias(const CellShape& shape, const RnnWeights<T>& w, index_t H, index_t panel, T* bias) {
  for (int slot = 0; slot < shape.slots; ++slot)
    for (index_t lane = 0; lane < kLanes<T>; ++lane) {
      const index_t unit = panel * kLanes<T> + lane, row = shape.gate[slot] * H + unit;
      T value = 0;
      if (unit < H && slot < shape.x_products && w.b_ih) value += *w.b_ih.at(row);
      if (unit < H && shape.recurrent_stage(slot) >= 0 && w.b_hh) value += *w.b_hh.at(row);
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
constexpr int gains_of(const CellShape& shape) { return 2 * shape.slots + 2 * shape.cell_state; }
constexpr int gain_row(const CellShape& shape, int v) {
  const int slot = v % shape.slots;
  if (v >= 2 * shape.slots) return 2 * shape.gates + slot;
  if (v < shape.slots) return slot < shape.x_products ? shape.gate[slot] : -1;
  return shape.recurrent_stage(slot) >= 0 ? shape.gates + shape.gate[slot] : -1;
}

template <class T>
void pack_gains(const CellShape& shape, const View<const T, 2>& w, index_t H, index_t panel,
                T* packed) {
  for (int v = 0; v < gains_of(shape); ++v) {
    const int row = gain_row(shape, v);
    store(packed + v * kLanes<T>,
          row < 0 ? Vec<T>{} : load_row(w, row, panel * kLanes<T>, H - panel * kLanes<T>));
  }
}

// The type of the weights that are not those of x and of h.
template <class T, class W, bool bytes>
struct OtherWeight {
  using Type = T;
};
template <class T, class W>
struct OtherWeight<T, W, true> {
  using Type = W;
};

// Weights in panel order; J = ceil(H / lanes) unit panels, padded with zeros. A "group" is what one
// tile reads side by side: for forward, panels x products of the cell. Null: not there.
// Narrow weights are those of x and of h, and bytes all others, too; k is counted in words then.
template <class T, class W>
struct Panels {
  using Other = typename OtherWeight<T, W, scaled<W>()>::Type;

  W* w_ih = nullptr;          // [group][k < I][vector][lane], slots 0 .. x_products
  W* w_hh[2] = {};            // of each stage: [group][k][vector][lane]
  Scales<T> of_ih, of_hh[2];  // of bytes: [group][vector][lane]
  Scales<T> of_peephole[2], of_hr;
  Other* w_peephole[2] = {};  // full, of each stage: [panel][k < H][vector][lane]
  Other* w_hr = nullptr;      // [group of 4 panels of P][k < H][vector][lane]
  T* bias = nullptr;          // [panel][slot][lane]
  T* peephole = nullptr;      // [panel][i f o][lane]
  T* gains = nullptr;         // [panel][slots of W·x, slots of U·h, c's gain and shift][lane]
};

// Without the weights by x and by h where those are multiplied as they lie.
template <class T, class W>
Panels<T, W> carve_panels(const CellShape& shape, Carver& carver, const Options& on,
                          const Dims& dims, bool unpacked = false) {
  const index_t H = dims.H, panels = panels_of<T>(H), padded = panels * kLanes<T>;
  Panels<T, W> p;
  const auto matrix = [&]<class Weight>(Weight*& to, Scales<T>& of, index_t rows, index_t K) {
    if constexpr (kNarrow<Weight>)
      to = carver.take<Weight>(rows, words_of<Weight>(K), Narrow<Weight>::together);
    else
      to = carver.take<Weight>(rows, K);
    if constexpr (scaled<Weight>()) of = {carver.take<T>(rows), carver.take<std::int32_t>(rows)};
  };
  if (on.w_ih && !unpacked) matrix(p.w_ih, p.of_ih, padded * shape.x_products, dims.I);
  for_products(shape, Matrix::w_hh, [&](int s, const CellProduct& product) {
    if (unpacked) return;
    const index_t K = product.operand == Operand::h ? dims.P : H;
    matrix(p.w_hh[s], p.of_hh[s], padded * product.count, K);
  });
  p.bias = carver.take<T>(padded * shape.slots);
  if (on.peephole) p.peephole = carver.take<T>(padded * 3);
  if (on.full_peephole)
    for_products(shape, Matrix::w_peephole, [&](int s, const CellProduct& product) {
      matrix(p.w_peephole[s], p.of_peephole[s], padded * product.count, H);
    });
  if (on.projection) matrix(p.w_hr, p.of_hr, panels_of<T>(dims.P) * kLanes<T>, H);
  if (on.norm) p.gains = carver.take<T>(padded * gains_of(shape));
  return p;
}

// Everything of one group of panels of H; the groups of the projection are those of P.
template <class T, class W>
void fill_group(const CellShape& shape, const RnnWeights<T>& w, const Options& on, const Dims& dims,
                const Panels<T, W>& p, index_t group, Team& team) {
  const index_t H = dims.H;
  if (p.w_ih != nullptr) {
    const Products set = input_products(shape);
    if constexpr (kNarrow<W>)
      pack_narrow_group(Narrow<W>::ih(w), H, dims.I, set, group, p.w_ih, p.of_ih, team);
    else
      pack_group(w.w_ih, H, dims.I, set, group, p.w_ih, team);
  }
  for_products(shape, Matrix::w_hh, [&](int s, const CellProduct& product) {
    if (p.w_hh[s] == nullptr) return;
    const index_t K = product.operand == Operand::h ? dims.P : H;
    const Products set = products_of(shape, product);
    if constexpr (kNarrow<W>)
      pack_narrow_group(Narrow<W>::hh(w), H, K, set, group, p.w_hh[s], p.of_hh[s], team);
    else
      pack_group(w.w_hh, H, K, set, group, p.w_hh[s], team);
  });
  if (on.full_peephole)
    for_products(shape, Matrix::w_peephole, [&](int s, const CellProduct& product) {
      const Products set = products_of(shape, product);
      if constexpr (scaled<W>())
        pack_narrow_group(Narrow<W>::peephole(w), H, H, set, group, p.w_peephole[s],
                          p.of_peephole[s], team);
      else
        pack_group(w.w_peephole_full, H, H, set, group, p.w_peephole[s], team);
    });
  const int width = panels_in_group(shape.slots);
  for (index_t j = group * width; j < least((group + 1) * width, panels_of<T>(H)); ++j) {
    pack_bias(shape, w, H, j, p.bias + j * shape.slots * kLanes<T>);
    if (on.peephole) pack_peephole(w.w_peephole, H, j, p.peephole + j * 3 * kLanes<T>);
    if (!scaled<W>() && on.norm)
      pack_gains(shape, w.w_norm, H, j, p.gains + j * gains_of(shape) * kLanes<T>);
  }
}

// This thread's share of all that there is to pack.
template <class T, class W>
FASTRNN_NOINLINE void fill_panels(const CellShape& shape, const RnnWeights<T>& w, const Options& on,
                                  const Dims& dims, const Panels<T, W>& p, Team& team) {
  const index_t all = ceil_div(panels_of<T>(dims.H), panels_in_group(shape.slots));
  const Range groups = share(all, team.rank(), team.size(), 1);
  for (index_t g = groups.begin; g < groups.end; ++g) {
    team.check();
    fill_group(shape, w, on, dims, p, g, team);
  }
  if (!on.projection) return;
  const Range mine =
      share(ceil_div(panels_of<T>(dims.P), kProjection.per_group), team.rank(), team.size(), 1);
  for (index_t g = mine.begin; g < mine.end; ++g) {
    if constexpr (scaled<W>())
      pack_narrow_group(Narrow<W>::hr(w), dims.P, dims.H, kProjection, g, p.w_hr, p.of_hr, team);
    else
      pack_group(w.w_hr, dims.P, dims.H, kProjection, g, p.w_hr, team);
  }
}

// Transposed order for backward: [group of 4 column panels][k][column panel][lane], k running
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
          const index_t column = (group * kBackGroup + v) * L, row = set.block[p] * H + unit;
          store(to, unit < H ? load_ahead(w, row, column, columns - column, 8, 0) : Vec<T>{});
        }
  }
}

// The same in words of two bfloat16, weights of two units each, which k counts then.
template <class T>
FASTRNN_NOINLINE void pack_back_words(const View<const T, 2>& w, index_t H, index_t columns,
                                      Products set, index_t group, T* packed, Team& team) {
  constexpr index_t L = kLanes<T>;
  const index_t panels = panels_of<T>(H);
  const index_t width = group_width(group, kBackGroup, panels_of<T>(columns));
  T* to = packed + group * kBackGroup * panels * set.count * L * L / 2;
  for (index_t panel = 0; panel < panels; ++panel) {
    team.check();
    for (int p = 0; p < set.count; ++p)
      for (index_t unit = panel * L; unit < (panel + 1) * L; unit += 2)
        for (index_t v = 0; v < width; ++v, to += L) {
          const index_t column = (group * kBackGroup + v) * L, row = set.block[p] * H + unit;
          const auto weights = [&](index_t i) {
            return unit + i < H ? load_ahead(w, row + i, column, columns - column, 8, 0) : Vec<T>{};
          };
          store(to, pair_bfloat16(weights(0), weights(1)));
        }
  }
}

// This thread's share of a matrix in that order.
template <class T>
void pack_back(const View<const T, 2>& w, index_t H, index_t columns, Products set, T* packed,
               Team& team, [[maybe_unused]] bool words = false) {
  const index_t groups = ceil_div(panels_of<T>(columns), kBackGroup);
  const Range mine = share(groups, team.rank(), team.size(), 1);
  for (index_t g = mine.begin; g < mine.end; ++g) {
    if constexpr (kMayBeNarrow<T>)
      if (words) {
        pack_back_words(w, H, columns, set, g, packed, team);
        continue;
      }
    pack_back_group(w, H, columns, set, g, packed, team);
  }
}

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
