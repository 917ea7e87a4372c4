// linear: y = x·wᵀ + b, and its gradients dx = dy·w, dw = dyᵀ·x, db = the sum of dy's rows.
#pragma once

#include "fastrnn/kernels/product-inl.h"
#include "fastrnn/nn_table.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class T>
struct LinearForward {
  using Args = LinearForwardArgs<T>;

  static std::size_t bytes(const Args&, int threads) {
    Carver sizes(nullptr);
    sizes.take<T>(threads, kPackedSize<T>);
    return sizes.bytes();
  }

  static void run(const Args& a, unsigned char* scratch, Team& team) {
    Carver carver(scratch);
    T* const packed = carver.take<T>(team.size(), kPackedSize<T>) + team.rank() * kPackedSize<T>;
    multiply_share<T>({a.x, a.w, true, a.b, a.y}, packed, team);
  }
};

// The weights' gradients: rows of dw are units, four vectors of them at a time. Both sides are
// packed: lines of dy may lie a power of two apart and fight for the same cache lines.
template <class T>
class LinearBackward {
  static constexpr int L = kLanes<T>;

 public:
  using Args = LinearBackwardArgs<T>;

  static std::size_t bytes(const Args&, int threads) {
    Carver sizes(nullptr);
    sizes.take<T>(threads, kPackedSize<T>);
    sizes.take<T>(threads, kPackedSize<T>);
    return sizes.bytes();
  }

  static void run(const Args& args, unsigned char* scratch, Team& team) {
    Carver carver(scratch);
    T* const right = carver.take<T>(team.size(), kPackedSize<T>) + team.rank() * kPackedSize<T>;
    T* const left = carver.take<T>(team.size(), kPackedSize<T>) + team.rank() * kPackedSize<T>;
    if (args.dx) multiply_share<T>({args.dy, args.w, false, {}, args.dx}, right, team);
    if (args.dw || args.db) LinearBackward(args, right, left).weights(team);
  }

 private:
  LinearBackward(const Args& args, T* right, T* left)
      : args_(args),
        right_(right),
        left_(left),
        M_(args.dy.shape[0]),
        O_(args.dy.shape[1]),
        // db alone is one item for each block of units
        groups_(args.dw ? most(1, column_groups<T>(args.dw.shape[1])) : 1) {}

  void weights(Team& team) {
    const Range mine = share(column_groups<T>(O_) * groups_, team.rank(), team.size(), 1);
    for (index_t item = mine.begin; item < mine.end;) {
      const index_t first = item % groups_;
      const index_t last = least(first + mine.end - item, groups_);
      unit_block(item / groups_ * kGroupColumns<T>, {first, last}, team);
      item += last - first;
    }
  }

  // The rows of dw from `unit` on, in these groups of its columns; with the first group, db.
  void unit_block(index_t unit, Range groups, Team& team) {
    const index_t units = least(kGroupColumns<T>, O_ - unit);
    const index_t line = panels_of<T>(units) * L;
    const T* from[kGroupColumns<T>];
    T* to[kGroupColumns<T>];
    for (index_t u = 0; u < units; ++u) {
      from[u] = left_ + u;
      to[u] = args_.dw ? args_.dw.at(unit + u) : nullptr;
    }
    Vec<T> sums[kMostVectors] = {};
    for (index_t row = 0; row == 0 || row < M_; row += kDepth) {
      team.check();
      const index_t count = least(kDepth, M_ - row);
      pack_right(args_.dy, false, row, count, unit, left_, team);
      if (groups.begin == 0) add_lines(count, line, sums);
      for (index_t g = groups.begin; args_.dw && g < groups.end; ++g) {
        const index_t column = g * kGroupColumns<T>, left = args_.dw.shape[1] - column;
        if (left <= 0) break;  // I = 0
        pack_right(args_.x, false, row, count, column, right_, team);
        multiply<T>({units,
                     least(kMostVectors, panels_of<T>(left)),
                     {from, 0},
                     {1, count, 0, line},
                     right_,
                     row == 0 ? kZeros<T> : nullptr,
                     {to, column},
                     left});
      }
    }
    if (!args_.db || groups.begin != 0) return;
    for (index_t v = 0; v * L < units; ++v)
      store(args_.db.at(unit + v * L), sums[v], units - v * L);
  }

  // sums += the `count` packed lines of dy, one after the other
  void add_lines(index_t count, index_t line, Vec<T> (&sums)[kMostVectors]) const {
    with_int<kMostVectors>(line / L, [&](auto n) {
      for (index_t i = 0; i < count; ++i) {
        FASTRNN_UNROLL
        for (int v = 0; v < n.value; ++v) sums[v] += load(left_ + i * line + v * L);
      }
    });
  }

  const Args& args_;
  T *right_, *left_;  // packed, this thread's
  index_t M_, O_, groups_;
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
