// linear: y = x·wᵀ + b, and its gradients dx = dy·w, dw = dyᵀ·x, db = the sum of dy's rows.
#pragma once

#include "fastrnn/kernels/nn/product-inl.h"
#include "fastrnn/nn/table.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class T>
class LinearForward {
 public:
  using Args = LinearForwardArgs<T>;

  static std::size_t bytes(const Args& a, int threads) {
    Carver sizes(nullptr);
    sizes.take<T>(threads, size(a));
    return sizes.bytes();
  }

  static void run(const Args& a, unsigned char* scratch, Team& team) {
    T* const packed = Carver(scratch).take<T>(team.size(), size(a)) + team.rank() * size(a);
    multiply_share<T>({a.x, a.w, true, a.b, a.y}, packed, team);
  }

 private:
  static index_t size(const Args& a) { return packed_depth<T>(a.x.shape[1]) * kGroupColumns<T>; }
};

// The weights' gradients: a block of units (rows of dw) by a group of columns is an item. Both
// sides are packed; dy as one line of rows for each unit, which the tile reads as it reads x in
// forward.
template <class T>
class LinearBackward {
  static constexpr int L = kLanes<T>;
  // Packed: 480 kB. With an eighth of it, packing x over and over cost 15 % of the time.
  static constexpr index_t kMostUnits = 480 * 4 / sizeof(T);

 public:
  using Args = LinearBackwardArgs<T>;

  static std::size_t bytes(const Args& a, int threads) {
    Carver sizes(nullptr);
    sizes.take<T>(threads, right_size(a));
    sizes.take<T>(threads, left_size(a));
    return sizes.bytes();
  }

  static void run(const Args& a, unsigned char* scratch, Team& team) {
    Carver carver(scratch);
    T* const right = carver.take<T>(team.size(), right_size(a)) + team.rank() * right_size(a);
    T* const left = carver.take<T>(team.size(), left_size(a)) + team.rank() * left_size(a);
    if (a.dx) multiply_share<T>({a.dy, a.w, false, {}, a.dx}, right, team);
    if (a.dw || a.db) LinearBackward(a, right, left).weights(team);
  }

 private:
  static index_t right_size(const Args& a) {
    return packed_depth<T>(most(a.dy.shape[0], a.dy.shape[1])) * kGroupColumns<T>;
  }
  static index_t left_size(const Args& a) {
    return packed_depth<T>(a.dy.shape[0]) * least(kMostUnits, a.dy.shape[1]);
  }

  LinearBackward(const Args& args, T* right, T* left)
      : args_(args),
        right_(right),
        left_(left),
        M_(args.dy.shape[0]),
        O_(args.dy.shape[1]),
        // db alone is one item for each block of units
        groups_(args.dw ? most(1, column_groups<T>(args.dw.shape[1])) : 1) {}

  void weights(Team& team) {
    // Large blocks are best, but there must be enough items for everybody.
    if (O_ == 0) return;
    const index_t wanted = ceil_div(4 * team.size(), groups_);
    const index_t blocks = least(ceil_div(O_, L), most(wanted, ceil_div(O_, kMostUnits)));
    units_ = ceil_div(O_, blocks * L) * L;
    const Range mine = share(ceil_div(O_, units_) * groups_, team.rank(), team.size(), 1);
    for (index_t item = mine.begin; item < mine.end;) {
      const index_t first = item % groups_;
      const index_t last = least(first + mine.end - item, groups_);
      unit_block(item / groups_ * units_, {first, last}, team);
      item += last - first;
    }
  }

  // The rows of dw from `unit` on, in these groups of its columns; with the first group, db.
  void unit_block(index_t unit, Range groups, Team& team) {
    const index_t units = least(units_, O_ - unit);
    const T* from[kMostUnits];
    T* to[kMostUnits];
    const index_t at_once = listed_rows<T>(args_.dw ? args_.dw.stride[0] : 0, kMostUnits);
    for (index_t row = 0; row == 0 || row < M_; row += kDepth) {
      team.check();
      const index_t count = least(kDepth, M_ - row), line = panels_of<T>(count) * L;
      const View<const T, 2> part{
          args_.dy.at(row, unit), {count, units}, {args_.dy.stride[0], args_.dy.stride[1]}};
      if (args_.db && groups.begin == 0) add_rows(part, row == 0 && !args_.adds, args_.db.at(unit));
      if (!args_.dw) continue;
      pack_left(part, line);
      for (index_t u = 0; u < units; ++u) {
        from[u] = left_ + u * line;
        to[u] = args_.dw.at(unit + u);
      }
      for (index_t g = groups.begin; g < groups.end; ++g) {
        const index_t column = g * kGroupColumns<T>, left = args_.dw.shape[1] - column;
        if (left <= 0) break;  // I = 0
        pack_right(args_.x, false, row, count, column, right_, team);
        for (index_t u = 0; u < units; u += at_once) {
          team.check();
          multiply<T>({least(at_once, units - u),
                       least(kMostVectors, panels_of<T>(left)),
                       {from + u, 0},
                       {1, count, 0},
                       right_,
                       row == 0 && !args_.adds ? kZeros<T> : nullptr,
                       {to + u, column},
                       left});
        }
      }
    }
  }

  // left[unit][row], row panel by row panel: what lies side by side in memory is read side by side.
  void pack_left(const View<const T, 2>& rows, index_t line) {
    const index_t count = rows.shape[0], units = rows.shape[1];
    for (index_t row = 0; row < count; row += L)
      for (index_t unit = 0; unit < units; unit += L) {
        Vec<T> square[L];
        FASTRNN_UNROLL
        for (index_t i = 0; i < L; ++i)
          square[i] = row + i < count ? load(rows.at(row + i, unit), units - unit) : Vec<T>{};
        transpose<T>(square);
        FASTRNN_UNROLL
        for (index_t i = 0; i < L; ++i)
          if (i < units - unit) store(left_ + (unit + i) * line + row, square[i]);
      }
  }

  // sums += (or, first, =) the rows, one after the other
  static void add_rows(const View<const T, 2>& rows, bool first, T* sums) {
    const index_t units = rows.shape[1];
    if (first) __builtin_memset(sums, 0, static_cast<std::size_t>(units) * sizeof(T));
    for (index_t i = 0; i < rows.shape[0]; ++i)
      for (index_t unit = 0; unit < units; unit += L) {
        const index_t left = units - unit;
        store(sums + unit, load(sums + unit, left) + load(rows.at(i, unit), left), left);
      }
  }

  const Args& args_;
  T *right_, *left_;  // packed, this thread's
  index_t M_, O_, groups_, units_ = 0;
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
