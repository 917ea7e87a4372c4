// bfloat16 weights and operands: float32 without its lower half.
#pragma once

#include "fastrnn/cpu.h"
#include "fastrnn/kernels/rnn/dots.h"
#include "fastrnn/kernels/rnn/narrow-inl.h"
#include "fastrnn/kernels/rnn/narrow_tile-inl.h"
#include "fastrnn/nn/narrow_linear.h"
#include "fastrnn/rnn/layer.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// Operands are rounded.
template <>
struct Narrow<BFloat16> {
  using Dot = BFloat16Dot;
  static constexpr Precision precision = Precision::bfloat16;
#ifdef FASTRNN_BFLOAT16_DOTS
  static constexpr bool CpuFeatures::* words = &CpuFeatures::FASTRNN_BFLOAT16_DOTS;
#else
  static constexpr bool CpuFeatures::* words = nullptr;
#endif
#ifdef FASTRNN_BFLOAT16_TILES
  static constexpr bool CpuFeatures::* tiles = &CpuFeatures::FASTRNN_BFLOAT16_TILES;
#else
  static constexpr bool CpuFeatures::* tiles = nullptr;
#endif
  static constexpr bool scaled = false;
  static constexpr int bytes = 2, together = 2;

  static FASTRNN_INLINE void store_h(unsigned char* to, Vec<float> h) { store_bfloat16(to, h); }
  static float store_x(unsigned char* to, const float* x, index_t count) {
    for (index_t i = 0; i < count; i += kLanes<float>, to += 2 * kLanes<float>)
      store_bfloat16(to, load(x + i, count - i));
    return 1;
  }

  static const View<const float, 2>& ih(const RnnWeights<float>& w) { return w.w_ih; }
  static const View<const float, 2>& hh(const RnnWeights<float>& w) { return w.w_hh; }
  static const View<const float, 2>& of(const NarrowMatrix& m) { return m.w; }

  static FASTRNN_INLINE void multiply(const NarrowProduct& p, [[maybe_unused]] Dots dots) {
#ifdef FASTRNN_BFLOAT16_TILES
    if (dots == Dots::tiles) return multiply_bfloat16_tiles(p);
#endif
#ifdef FASTRNN_BFLOAT16_DOTS
    if (dots != Dots::none) return multiply_bfloat16_dots(p);
#endif
    narrow_product<Dot>(p);
  }
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
