// int8 weights: whole numbers times a scale of each row, and operands of bytes.
#pragma once

#include "fastrnn/cpu.h"
#include "fastrnn/kernels/rnn/dots.h"
#include "fastrnn/kernels/rnn/narrow-inl.h"
#include "fastrnn/kernels/rnn/narrow_tile-inl.h"
#include "fastrnn/nn/narrow_linear.h"
#include "fastrnn/rnn/layer.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// The largest |x| of a row by its bits, whose order is that of the numbers: infinite numbers lie
// above all others, and those that are none above them.
FASTRNN_INLINE float largest_of(const float* x, index_t count) {
  Ints most{};
  for (index_t i = 0; i < count; i += kLanes<float>) {
    const Ints bits = reinterpret_cast<Ints>(abs<float>(load(x + i, count - i)));
    most = bits > most ? bits : most;
  }
  std::int32_t largest = 0;
  for (int i = 0; i < kLanes<float>; ++i) largest = most[i] > largest ? most[i] : largest;
  float value;
  __builtin_memcpy(&value, &largest, sizeof value);
  return value;
}

// Operands are u8: 128 + a whole number of -127 .. 127. h is this many 127ths, x so many 127ths of
// the largest |x| of its row. So is h where it can leave -1 .. 1, and all that full peepholes and
// projections multiply. 0, which no number becomes, marks what is none: the factor of a row with
// such an h, or with an infinite x, is NaN, and so are its products.
template <>
struct Narrow<std::int8_t> {
  using Dot = ByteDot;
  static constexpr Precision precision = Precision::int8;
#ifdef FASTRNN_INT8_DOTS
  static constexpr bool CpuFeatures::* words = &CpuFeatures::FASTRNN_INT8_DOTS;
#else
  static constexpr bool CpuFeatures::* words = nullptr;
#endif
#ifdef FASTRNN_INT8_TILES
  static constexpr bool CpuFeatures::* tiles = &CpuFeatures::FASTRNN_INT8_TILES;
#else
  static constexpr bool CpuFeatures::* tiles = nullptr;
#endif
  static constexpr bool scaled = true;
  static constexpr int bytes = 1;               // of an element of an operand
  static constexpr int together = 4;            // elements of a word
  static constexpr float smallest = 0x1p-100f;  // of x; below, 127/x is no finite number

  static FASTRNN_INLINE void store_h(unsigned char* to, Vec<float> h) {
    const Vec<float> x = h * 127.0f, low = set1(-128.0f), high = set1(127.0f);
    const Vec<float> above = x > low ? x : low;
    store_bytes(to, round<float>(above < high ? above : high));
  }
  // A whole row; returns its largest |x|, or 0 where that is too small.
  static FASTRNN_INLINE float store_row(unsigned char* to, const float* x, index_t count) {
    const float most = largest_of(x, count);
    const bool number = most <= __FLT_MAX__, none = !number || most < smallest;
    const Vec<float> by = set1(none ? 0.0f : 127.0f / most);
    for (index_t i = 0; i < count; i += kLanes<float>, to += kLanes<float>)
      store_bytes(to, none ? Vec<float>{} : round<float>(load(x + i, count - i) * by));
    return number ? (none ? 0.0f : most) : __builtin_nanf("");
  }
  static float store_x(unsigned char* to, const float* x, index_t count) {
    return store_row(to, x, count) / 127.0f;
  }
  // Of the products of a row of h, of whole vectors of units.
  static float factor(const unsigned char* h, index_t units) {
    ByteLanes marks{};
    for (index_t i = 0; i < units; i += kLanes<float>) {
      ByteLanes some;
      __builtin_memcpy(&some, h + i, sizeof some);
      marks |= reinterpret_cast<ByteLanes>(some == 0);
    }
    bool any = false;
    for (int i = 0; i < kLanes<float>; ++i) any |= marks[i] != 0;
    return any ? __builtin_nanf("") : 1.0f;
  }

  // w_ih and w_hh as they come. Scales are divided by `part`.
  struct Matrix {
    View<const std::int8_t, 2> w;
    View<const float, 1> scale;
    float part;
  };
  static Matrix ih(const RnnWeights<float>& w) { return {w.q_ih, w.scale_ih, 1}; }
  static Matrix hh(const RnnWeights<float>& w) { return {w.q_hh, w.scale_hh, 127}; }
  static Matrix peephole(const RnnWeights<float>& w) {
    return {w.q_peephole, w.scale_peephole, 127};
  }
  static Matrix hr(const RnnWeights<float>& w) { return {w.q_hr, w.scale_hr, 127}; }
  static Matrix of(const NarrowMatrix& m) { return {m.q, m.scale, 1}; }

  // A row into words `apart` elements from one to the next.
  static void pack_row(const Matrix& m, index_t row, index_t K, index_t apart, std::int8_t* to) {
    for (index_t k = 0; k < K; ++k) to[k / together * apart + k % together] = *m.w.at(row, k);
  }
  static float scale(const Matrix& m, index_t row) { return *m.scale.at(row) / m.part; }
  static std::int32_t start(const Matrix& m, index_t row, index_t K) {
    std::int32_t sum = 0;
    for (index_t k = 0; k < K; ++k) sum += *m.w.at(row, k);
    return -128 * sum;
  }

  static FASTRNN_INLINE void multiply(const NarrowProduct& p, [[maybe_unused]] Dots dots) {
#ifdef FASTRNN_INT8_TILES
    if (dots == Dots::tiles) return multiply_int8_tiles(p);
#endif
#ifdef FASTRNN_INT8_DOTS
    if (dots != Dots::none) return multiply_int8_dots(p);
#endif
    narrow_product<Dot>(p);
  }
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
