// Vectors of float32 from and to memory of float16, rounded to nearest, ties to even.
#pragma once

#include "fastrnn/rnn/narrow.h"
#include "fastrnn/simd/vec.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// What is larger than every float16 becomes the largest: a tape of a cell whose h has no bounds
// must not turn into Inf. NaN stays NaN.
FASTRNN_INLINE Vec<float> within_half(Vec<float> x) {
  return max(min(x, set1(65504.f)), set1(-65504.f));
}

// CPUs with FMA have F16C as well (cpu.cpp asks for both).
#if defined(FASTRNN_X86_AVX512)
FASTRNN_INLINE void store_half(Half* p, Vec<float> x) {
  const __m256i halves = _mm512_cvtps_ph(within_half(x), _MM_FROUND_TO_NEAREST_INT);
  __builtin_memcpy(p, &halves, sizeof halves);
}
FASTRNN_INLINE Vec<float> load_half(const Half* p) {
  __m256i halves;
  __builtin_memcpy(&halves, p, sizeof halves);
  return _mm512_cvtph_ps(halves);
}
#elif defined(FASTRNN_X86_FMA)
FASTRNN_INLINE void store_half(Half* p, Vec<float> x) {
  const __m128i halves = _mm256_cvtps_ph(within_half(x), _MM_FROUND_TO_NEAREST_INT);
  __builtin_memcpy(p, &halves, sizeof halves);
}
FASTRNN_INLINE Vec<float> load_half(const Half* p) {
  __m128i halves;
  __builtin_memcpy(&halves, p, sizeof halves);
  return _mm256_cvtph_ps(halves);
}
#elif defined(__aarch64__)
FASTRNN_INLINE void store_half(Half* p, Vec<float> x) {
  const float16x4_t halves = vcvt_f16_f32(within_half(x));
  __builtin_memcpy(p, &halves, sizeof halves);
}
FASTRNN_INLINE Vec<float> load_half(const Half* p) {
  float16x4_t halves;
  __builtin_memcpy(&halves, p, sizeof halves);
  return vcvt_f32_f16(halves);
}
#else
// Of float16 the exponent is 112 less, and the last 13 bits are not there. Below 2^-14 it counts
// steps of 2^-24, which are those of the numbers from 0.5 on.
typedef std::uint16_t HalfBits __attribute__((vector_size(FASTRNN_VEC_BYTES / 2)));
FASTRNN_INLINE void store_half(Half* p, Vec<float> x) {
  const Bits<float> bits = reinterpret_cast<Bits<float>>(within_half(x));
  const Bits<float> size = bits & 0x7fffffff, sign = bits >> 16 & 0x8000;
  const Bits<float> normal = (size - (112 << 23) + 0xfff + (size >> 13 & 1)) >> 13;
  const Vec<float> steps = reinterpret_cast<Vec<float>>(size) + 0.5f;
  const Bits<float> small = reinterpret_cast<Bits<float>>(steps) - (126 << 23);
  const Bits<float> number = size < (113 << 23) ? small : normal;
  const HalfBits halves =
      __builtin_convertvector(sign | (size > 0x7f800000 ? number * 0 + 0x7e00 : number), HalfBits);
  __builtin_memcpy(p, &halves, sizeof halves);
}
FASTRNN_INLINE Vec<float> load_half(const Half* p) {
  HalfBits halves;
  __builtin_memcpy(&halves, p, sizeof halves);
  const Bits<float> bits = __builtin_convertvector(halves, Bits<float>);
  const Bits<float> size = bits & 0x7fff, sign = (bits & 0x8000) << 16;
  const Vec<float> small = __builtin_convertvector(size, Vec<float>) * 0x1p-24f;
  const Bits<float> bias = size < 0x7c00 ? size * 0 + (112 << 23) : size * 0 + (224 << 23);
  const Bits<float> normal = (size << 13) + bias;
  return reinterpret_cast<Vec<float>>(
      sign | (size < 0x400 ? reinterpret_cast<Bits<float>>(small) : normal));
}
#endif

// Whole vectors of floats as halves, and the other way round: in one place for all cells.
[[maybe_unused]] FASTRNN_NOINLINE void store_halves(Half* to, const float* from, index_t count) {
  for (index_t i = 0; i < count; i += kLanes<float>) store_half(to + i, load(from + i));
}
[[maybe_unused]] FASTRNN_NOINLINE void load_halves(float* to, const Half* from, index_t count) {
  for (index_t i = 0; i < count; i += kLanes<float>) store(to + i, load_half(from + i));
}

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
