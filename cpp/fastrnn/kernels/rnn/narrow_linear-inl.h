// A linear layer by narrow weights: y = x·wᵀ + b, x converted row by row as the recurrent layers'
// input is; of a batch, or of rows that lie anywhere. A row's result depends neither on its batch
// nor on the thread count.
#pragma once

#include "fastrnn/kernels/rnn/operands-inl.h"
#include "fastrnn/kernels/rnn/pack-inl.h"
#include "fastrnn/nn/narrow_linear.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class W>
class NarrowLinearLayer {
  static constexpr index_t L = kLanes<float>;
  static constexpr Products kRows{kBlocks, 1, 4};
  static constexpr index_t kWidth = kRows.per_group * L;  // outputs of a group
  // Rows of x that are converted at a time: with I = 512 they and a group stay in the second cache.
  static constexpr index_t kAtOnce = 256;

 public:
  static std::size_t packed_bytes(index_t O, index_t I) {
    Carver sizes(nullptr);
    carve(sizes, O, I);
    return sizes.bytes();
  }

  static void pack(const NarrowMatrix& m, unsigned char* block, Team& team) {
    const auto w = Narrow<W>::of(m);
    const auto& shape = Narrow<W>::scaled ? m.q.shape : m.w.shape;
    Carver carver(block);
    const Panel to = carve(carver, shape[0], shape[1]);
    for (index_t g = 0; g < groups_of(shape[0]); ++g) {
      team.check();
      pack_narrow_group(w, shape[0], shape[1], kRows, g, to.w, to.scales, team);
    }
  }

  static std::size_t bytes(const NarrowLinearArgs& a, int threads) {
    Carver sizes(nullptr);
    NarrowLinearLayer(matrix_of(a), rows_of(a), sizes, 0, threads);
    return sizes.bytes();
  }

  static void run(const NarrowLinearArgs& a, unsigned char* scratch, Team& team) {
    Carver carver(scratch);
    const index_t M = a.x.shape[0], all = groups_of(a.y.shape[1]);
    NarrowLinearLayer layer(matrix_of(a), rows_of(a), carver, team.rank(), team.size());
    const bool by_rows = all < 2 * team.size();
    const Range whole{0, all};
    const Range rows = by_rows ? share(M, team.rank(), team.size(), 1) : Range{0, M};
    const Range groups = by_rows ? whole : share(all, team.rank(), team.size(), 1);
    for (index_t row = rows.begin; row < rows.end; row += layer.at_once_) {
      const index_t count = least(layer.at_once_, rows.end - row);
      for (index_t i = 0; i < count; ++i) layer.set(i, a.x.at(row + i), a.y.at(row + i));
      layer.multiply(count, groups, a.b, false, team);
    }
  }

  static std::size_t rows_bytes(index_t rows, index_t O, index_t I) {
    Carver sizes(nullptr);
    NarrowLinearLayer({O, I, nullptr, Dots::none}, rows, sizes, 0, 1);
    return sizes.bytes();
  }

  static void multiply_rows(const NarrowRowsArgs& a, unsigned char* scratch, Team& team) {
    Carver carver(scratch);
    NarrowLinearLayer layer({a.O, a.I, a.packed, a.dots}, a.rows, carver, 0, 1);
    for (index_t i = 0; i < a.rows; ++i) layer.set(i, a.from[i], a.to[i]);
    const View<const float, 1> b{a.b, {a.O}, {1}};
    layer.multiply(a.rows, {0, groups_of(a.O)}, b, a.b == nullptr, team);
  }

 private:
  // A packed matrix (O, I).
  struct Packed {
    index_t O, I;
    const unsigned char* block;
    Dots dots;
  };
  static Packed matrix_of(const NarrowLinearArgs& a) {
    return {a.y.shape[1], a.x.shape[1], a.packed, a.dots};
  }
  static index_t rows_of(const NarrowLinearArgs& a) {
    const index_t row = a.y.shape[1] * index_t{sizeof(float)};
    return least(a.x.shape[0], least(kAtOnce, rows_at_once(a.x.shape[1], row)));
  }

  // [group of 4 panels of O][word of I][panel][lane], and what goes with it.
  struct Panel {
    W* w;
    Scales<float> scales;
  };
  static Panel carve(Carver& carver, index_t O, index_t I) {
    const index_t padded = panels_of<float>(O) * L;
    Panel panel{carver.take<W>(padded, words_of<W>(I), Narrow<W>::together), {}};
    if constexpr (Narrow<W>::scaled)
      panel.scales = {carver.take<float>(padded), carver.take<std::int32_t>(padded)};
    return panel;
  }
  static index_t groups_of(index_t O) { return ceil_div(O, kWidth); }

  // A thread's rows, at most `at_once` of them.
  NarrowLinearLayer(const Packed& matrix, index_t at_once, Carver& carver, int rank, int threads)
      : matrix_(matrix),
        at_once_(at_once),
        operands_(carver, 0, 0, at_once, matrix.I, rank, threads),
        to_(carver.take<float*>(threads, at_once) + rank * at_once),
        out_(carver.take<float*>(threads, at_once) + rank * at_once),
        last_(carver.take<float>(threads, at_once, kWidth) + rank * at_once * kWidth) {}

  void set(index_t i, const float* from, float* to) {
    operands_.put_x(i, from);
    to_[i] = to;
  }

  // Of the rows that were set, these groups of outputs.
  void multiply(index_t count, Range groups, const View<const float, 1>& b, bool add, Team& team) {
    for (index_t g = groups.begin; g < groups.end; ++g) {
      team.check();
      multiply_group(count, g, b, add);
    }
  }

  void multiply_group(index_t count, index_t group, const View<const float, 1>& b, bool add) {
    const index_t first = group * kWidth, exist = matrix_.O - first;
    const index_t vectors = group_width(group, kRows.per_group, panels_of<float>(matrix_.O));
    const bool cut = exist < vectors * L;  // tiles write whole vectors
    for (index_t i = 0; i < count; ++i) {
      out_[i] = cut ? last_ + i * kWidth : to_[i] + first;
      for (index_t v = 0; cut && add && v < vectors; ++v)
        store(out_[i] + v * L, load(to_[i] + first + v * L, exist - v * L));
    }
    alignas(64) float init[kWidth] = {};
    for (index_t v = 0; b && v < vectors; ++v)
      store(init + v * L, load(b.at(first + v * L), exist - v * L));
    const index_t steps = words_of<W>(matrix_.I);
    Carver carver(const_cast<unsigned char*>(matrix_.block));
    const Panel from = carve(carver, matrix_.O, matrix_.I);
    NarrowProduct p{count,
                    vectors,
                    operands_.x().list,
                    steps,
                    nullptr,
                    nullptr,
                    nullptr,
                    add ? nullptr : init,
                    operands_.x().factors,
                    out_,
                    0};
    p.w = reinterpret_cast<const unsigned char*>(from.w + first * steps * Narrow<W>::together);
    if constexpr (Narrow<W>::scaled)
      p.start = from.scales.start + first, p.scale = from.scales.scale + first;
    Narrow<W>::multiply(p, matrix_.dots);
    for (index_t i = 0; cut && i < count; ++i)
      for (index_t v = 0; v < vectors; ++v)
        store(to_[i] + first + v * L, load(out_[i] + v * L), exist - v * L);
  }

  const Packed matrix_;
  index_t at_once_;
  Operands<W> operands_;
  float **to_, **out_;
  float* last_;  // of the group that is not whole
};

template <class W>
constexpr NarrowLinear narrow_linear_of(const KernelTable<float>& row) {
  using Layer = NarrowLinearLayer<W>;
  return {&row,
          Layer::packed_bytes,
          Layer::pack,
          {Layer::bytes, Layer::run},
          Layer::rows_bytes,
          Layer::multiply_rows};
}

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
