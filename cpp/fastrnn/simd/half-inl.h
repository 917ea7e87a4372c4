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

// A vector's worth of them in a register, from and to floats. CPUs with FMA have F16C as well
// (cpu.cpp asks for both).
#if defined(FASTRNN_X86_AVX512)
using HalfRegister = __m256i;
FASTRNN_INLINE HalfRegister narrowed(Vec<float> x) {
  return _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT);
}
FASTRNN_INLINE Vec<float> widened(HalfRegister x) { return _mm512_cvtph_ps(x); }
#elif defined(FASTRNN_X86_FMA)
using HalfRegister = __m128i;
FASTRNN_INLINE HalfRegister narrowed(Vec<float> x) {
  return _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT);
}
FASTRNN_INLINE Vec<float> widened(HalfRegister x) { return _mm256_cvtph_ps(x); }
#elif defined(__aarch64__)
using HalfRegister = float16x4_t;
FASTRNN_INLINE HalfRegister narrowed(Vec<float> x) { return vcvt_f16_f32(x); }
FASTRNN_INLINE Vec<float> widened(HalfRegister x) { return vcvt_f32_f16(x); }
#else
// Of float16 the exponent is 112 less, and the last 13 bits are not there. Below 2^-14 it counts
// steps of 2^-24, which are those of the numbers from 0.5 on.
typedef std::uint16_t HalfRegister __attribute__((vector_size(FASTRNN_VEC_BYTES / 2)));
FASTRNN_INLINE HalfRegister narrowed(Vec<float> x) {
  const Bits<float> bits = reinterpret_cast<Bits<float>>(x);
  const Bits<float> size = bits & 0x7fffffff, sign = bits >> 16 & 0x8000;
  const Bits<float> normal = (size - (112 << 23) + 0xfff + (size >> 13 & 1)) >> 13;
  const Vec<float> steps = reinterpret_cast<Vec<float>>(size) + 0.5f;
  const Bits<float> small = reinterpret_cast<Bits<float>>(steps) - (126 << 23);
  const Bits<float> number = size < (113 << 23) ? small : normal;
  return __builtin_convertvector(sign | (size > 0x7f800000 ? number * 0 + 0x7e00 : number),
                                 HalfRegister);
}
FASTRNN_INLINE Vec<float> widened(HalfRegister x) {
  const Bits<float> bits = __builtin_convertvector(x, Bits<float>);
  const Bits<float> size = bits & 0x7fff, sign = (bits & 0x8000) << 16;
  const Vec<float> small = __builtin_convertvector(size, Vec<float>) * 0x1p-24f;
  const Bits<float> bias = size < 0x7c00 ? size * 0 + (112 << 23) : size * 0 + (224 << 23);
  const Bits<float> normal = (size << 13) + bias;
  return reinterpret_cast<Vec<float>>(
      sign | (size < 0x400 ? reinterpret_cast<Bits<float>>(small) : normal));
}
#endif

FASTRNN_INLINE void store_half(Half* p, Vec<float> x) {
  const HalfRegister halves = narrowed(within_half(x));
  __builtin_memcpy(p, &halves, sizeof halves);
}
FASTRNN_INLINE Vec<float> load_half(const Half* p) {
  HalfRegister halves;
  __builtin_memcpy(&halves, p, sizeof halves);
  return widened(halves);
}

// Whole vectors of floats as halves, and the other way round: in one place for all cells.
[[maybe_unused]] FASTRNN_NOINLINE void store_halves(Half* to, const float* from, index_t count) {
  for (index_t i = 0; i < count; i += kLanes<float>) store_half(to + i, load(from + i));
}
[[maybe_unused]] FASTRNN_NOINLINE void load_halves(float* to, const Half* from, index_t count) {
  for (index_t i = 0; i < count; i += kLanes<float>) store(to + i, load_half(from + i));
}

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
