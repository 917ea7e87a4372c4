// Matrix products of any size from the tile; the right side is packed where it is used.
//
// A thread packs kDepth steps of k of a group of columns into a buffer of its own, which stays in
// the L2, and multiplies all its rows by it: no thread waits for another one. Every output is one
// chain of fma() in ascending k, kept in the caller's array between two blocks, so that neither
// the blocks nor the split show in the result.
#pragma once

#include "fastrnn/kernels/rnn/pack-inl.h"
#include "fastrnn/kernels/rnn/ranges-inl.h"
#include "fastrnn/kernels/rnn/row_product-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

inline constexpr index_t kDepth = 256;      // packed: 64 kB of the widest vectors
inline constexpr index_t kWholeTiles = 42;  // rows: 7 tiles of 6, 6 of 7
inline constexpr index_t kRowsInList = 6 * kWholeTiles;
inline constexpr index_t kGroupsAtOnce = 8;  // of columns, for which a block of `a` is read once
inline constexpr index_t kRowsToShare = 64;  // so many times each packed element is used, or more

template <class T>
inline constexpr index_t kGroupColumns = kMostVectors * kLanes<T>;

// Steps of k in a packed block of a product over K: whole vectors, as transposed squares end.
template <class T>
FASTRNN_INLINE index_t packed_depth(index_t K) {
  return least(kDepth, panels_of<T>(K) * kLanes<T>);
}

template <class T>
FASTRNN_INLINE index_t column_groups(index_t columns) {
  return ceil_div(columns, kGroupColumns<T>);
}

// out (R, C) = b + a (R, K) · right (K, C)
template <class T>
struct MatrixProduct {
  View<const T, 2> a;
  View<const T, 2> w;  // right = w, (K, C)...
  bool transposed;     // ... or wᵀ, w being (C, K)
  View<const T, 1> b;  // (C,); absent: zeros
  View<T, 2> out;
};

inline constexpr int kNoGates[] = {0};

// [k][vector][lane] of right: `count` steps from k on, the group of columns that begins at column.
template <class T>
void pack_right(const View<const T, 2>& w, bool transposed, index_t k, index_t count,
                index_t column, T* packed, Team& team) {
  const Products all{kNoGates, 1, kMostVectors};
  const index_t left = w.shape[transposed ? 0 : 1] - column;
  if (transposed) {
    const View<const T, 2> part{w.at(column, k), {left, count}, {w.stride[0], w.stride[1]}};
    pack_group(part, left, count, all, 0, packed, team);
  } else {
    const View<const T, 2> part{w.at(k, column), {count, left}, {w.stride[0], w.stride[1]}};
    pack_back_group(part, count, left, all, 0, packed, team);
  }
}

// `width` elements of b from `column` on, zeros after the last.
template <class T>
FASTRNN_INLINE void load_bias(const View<const T, 1>& b, index_t column, index_t width, T* to) {
  for (index_t i = 0; i < width; ++i)
    to[i] = b && column + i < b.shape[0] ? *b.at(column + i) : T(0);
}

// How many of at most `limit` rows, `stride` elements apart, are multiplied between two looks for
// Ctrl-C: whole tiles, whatever their height.
template <class T>
FASTRNN_INLINE index_t listed_rows(index_t stride, index_t limit) {
  const index_t rows = least(rows_at_once(kDepth, stride * index_t{sizeof(T)}), limit);
  return most(1, rows / kWholeTiles) * kWholeTiles;
}

// The outputs in these rows and groups of columns; packed is this thread's.
template <class T>
void multiply_part(const MatrixProduct<T>& p, Range rows, Range groups, T* packed, Team& team) {
  const index_t K = p.a.shape[1], C = p.out.shape[1];
  const T* from[kRowsInList];
  T* to[kRowsInList];
  alignas(64) T bias[kGroupColumns<T>];
  if (rows.begin == rows.end) return;
  const index_t at_once = listed_rows<T>(p.out.stride[0], kRowsInList);
  for (index_t first = groups.begin; first < groups.end; first += kGroupsAtOnce) {
    for (index_t k = 0; k == 0 || k < K; k += kDepth) {
      const index_t count = least(kDepth, K - k);
      for (index_t g = first; g < least(first + kGroupsAtOnce, groups.end); ++g) {
        const index_t column = g * kGroupColumns<T>, left = C - column;
        const index_t vectors = least(kMostVectors, panels_of<T>(left));
        if (k == 0) load_bias(p.b, column, kGroupColumns<T>, bias);
        pack_right(p.w, p.transposed, k, count, column, packed, team);
        for (index_t row = rows.begin; row < rows.end; row += at_once) {
          team.check();
          const index_t n = least(at_once, rows.end - row);
          for (index_t r = 0; r < n; ++r) {
            from[r] = p.a.at(row + r);
            to[r] = p.out.at(row + r);
          }
          multiply<T>({n,
                       vectors,
                       {from, k},
                       {1, count, 0},
                       packed,
                       k == 0 ? bias : nullptr,
                       {to, column},
                       left});
        }
      }
    }
  }
}

// A few rows by wᵀ as it lies: nobody would use packed weights again. One row by 1024 x 1024 takes
// less than half of the time.
inline constexpr int kFewRows = 4;

template <class T, int R>
void multiply_few(const MatrixProduct<T>& p, Range panels, Team& team) {
  constexpr index_t most = kPanelsUnpacked<T, R>, L = kLanes<T>;
  alignas(64) T bias[most * L], sums[R][most * L];
  const T* from[R];
  T* to[R];
  for (int r = 0; r < R; ++r) from[r] = p.a.at(r), to[r] = sums[r];
  for (index_t j = panels.begin; j < panels.end; j += most) {
    team.check();
    const index_t column = j * L, left = p.out.shape[1] - column;
    const index_t count = least(most, panels.end - j);
    load_bias(p.b, column, count * L, bias);
    multiply_unpacked<R, T>(p.w, column, left, count, from, bias, {to, 0, L});
    for (int r = 0; r < R; ++r)
      for (index_t v = 0; v < count; ++v)
        store(p.out.at(r) + column + v * L, load(sums[r] + v * L), left - v * L);
  }
}

// This thread's part of a product: of the rows where there are many, else of the columns.
template <class T>
void multiply_share(const MatrixProduct<T>& p, T* packed, Team& team) {
  if (p.transposed && p.out.shape[0] >= 1 && p.out.shape[0] <= kFewRows) {
    const Range panels = share(panels_of<T>(p.out.shape[1]), team.rank(), team.size(), 1);
    return with_int<kFewRows>(p.out.shape[0],
                              [&](auto r) { multiply_few<T, r.value>(p, panels, team); });
  }
  const index_t R = p.out.shape[0], groups = column_groups<T>(p.out.shape[1]);
  const bool by_rows = R >= kRowsToShare * team.size() || groups < team.size();
  const Range all_rows{0, R}, all_groups{0, groups};
  multiply_part(p, by_rows ? share(R, team.rank(), team.size(), 1) : all_rows,
                by_rows ? all_groups : share(groups, team.rank(), team.size(), 1), packed, team);
}

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
