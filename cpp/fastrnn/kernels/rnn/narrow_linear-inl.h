// A linear layer by narrow weights: y = x·wᵀ + b, x converted row by row as the recurrent layers'
// input is. A row's result depends neither on its batch nor on the thread count.
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
    NarrowLinearLayer(a, sizes, 0, threads);
    return sizes.bytes();
  }

  static void run(const NarrowLinearArgs& a, unsigned char* scratch, Team& team) {
    Carver carver(scratch);
    NarrowLinearLayer(a, carver, team.rank(), team.size()).multiply(team);
  }

 private:
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

  NarrowLinearLayer(const NarrowLinearArgs& a, Carver& carver, int rank, int threads)
      : args_(a),
        M_(a.x.shape[0]),
        O_(a.y.shape[1]),
        I_(a.x.shape[1]),
        at_once_(least(M_, least(kAtOnce, rows_at_once(I_, O_ * index_t{sizeof(float)})))),
        operands_(carver, 0, 0, at_once_, I_, rank, threads),
        out_(carver.take<float*>(threads, at_once_) + rank * at_once_),
        last_(carver.take<float>(threads, at_once_, kWidth) + rank * at_once_ * kWidth) {}

  void multiply(Team& team) {
    const index_t all = groups_of(O_);
    const bool by_rows = all < 2 * team.size();
    const Range whole{0, all};
    const Range rows = by_rows ? share(M_, team.rank(), team.size(), 1) : Range{0, M_};
    const Range groups = by_rows ? whole : share(all, team.rank(), team.size(), 1);
    for (index_t row = rows.begin; row < rows.end; row += at_once_) {
      const index_t count = least(at_once_, rows.end - row);
      team.check();
      for (index_t i = 0; i < count; ++i) operands_.put_x(i, args_.x.at(row + i));
      for (index_t g = groups.begin; g < groups.end; ++g) {
        team.check();
        multiply_group({row, row + count}, g);
      }
    }
  }

  void multiply_group(Range rows, index_t group) {
    const index_t first = group * kWidth, count = rows.end - rows.begin, exist = O_ - first;
    const index_t vectors = group_width(group, kRows.per_group, panels_of<float>(O_));
    const bool cut = exist < vectors * L;  // tiles write whole vectors
    for (index_t i = 0; i < count; ++i)
      out_[i] = cut ? last_ + i * kWidth : args_.y.at(rows.begin + i, first);
    alignas(64) float init[kWidth] = {};
    for (index_t v = 0; args_.b && v < vectors; ++v)
      store(init + v * L, load(args_.b.at(first + v * L), exist - v * L));
    const index_t steps = words_of<W>(I_);
    Carver carver(const_cast<unsigned char*>(args_.packed));
    const Panel from = carve(carver, O_, I_);
    NarrowProduct p{count,   vectors, operands_.x().list,    steps, nullptr, nullptr,
                    nullptr, init,    operands_.x().factors, out_,  0};
    p.w = reinterpret_cast<const unsigned char*>(from.w + first * steps * Narrow<W>::together);
    if constexpr (Narrow<W>::scaled)
      p.start = from.scales.start + first, p.scale = from.scales.scale + first;
    Narrow<W>::multiply(p, args_.dots);
    for (index_t i = 0; cut && i < count; ++i)
      for (index_t v = 0; v < vectors; ++v)
        store(args_.y.at(rows.begin + i, first + v * L), load(out_[i] + v * L), exist - v * L);
  }

  const NarrowLinearArgs& args_;
  index_t M_, O_, I_, at_once_;
  Operands<W> operands_;
  float** out_;
  float* last_;  // of the group that is not whole
};

template <class W>
constexpr NarrowLinear narrow_linear_of(const KernelTable<float>& row) {
  using Layer = NarrowLinearLayer<W>;
  return {&row, Layer::packed_bytes, Layer::pack, {Layer::bytes, Layer::run}};
}

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
