// Vec<T>: one SIMD register of the width this ISA file asks for, and the whole vocabulary on it.
//
// Arithmetic and comparisons are the operators of GCC and Clang vector types; only what they
// cannot say stands here. Everything is in an unnamed namespace: no symbol of an ISA file may be
// picked by the linker for another one.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "fastrnn/view.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class T>
struct VecTraits;
template <>
struct VecTraits<float> {
  typedef float type __attribute__((vector_size(FASTRNN_VEC_BYTES)));
  typedef float unaligned __attribute__((vector_size(FASTRNN_VEC_BYTES), aligned(4), may_alias));
  typedef std::int32_t bits __attribute__((vector_size(FASTRNN_VEC_BYTES)));
  static constexpr float round_magic =
      0x1.8p23f;  // adding it leaves the nearest integer in the low bits
  static constexpr int mantissa = 23, bias = 127;
};
template <>
struct VecTraits<double> {
  typedef double type __attribute__((vector_size(FASTRNN_VEC_BYTES)));
  typedef double unaligned __attribute__((vector_size(FASTRNN_VEC_BYTES), aligned(8), may_alias));
  typedef std::int64_t bits __attribute__((vector_size(FASTRNN_VEC_BYTES)));
  static constexpr double round_magic = 0x1.8p52;
  static constexpr int mantissa = 52, bias = 1023;
};

template <class T>
using Vec = typename VecTraits<T>::type;
template <class T>
using Bits = typename VecTraits<T>::bits;
template <class T>
inline constexpr int kLanes = FASTRNN_VEC_BYTES / static_cast<int>(sizeof(T));

// Vector registers of the ISA: decides how many accumulators a tile may hold.
inline constexpr int kRegisters = FASTRNN_REGISTERS;

template <class T>
FASTRNN_INLINE Vec<T> set1(T x) {
  return x - Vec<T>{};  // x - 0 keeps -0 and NaN; compiles to one broadcast
}
template <class T>
FASTRNN_INLINE Vec<T> load(const T* p) {
  return *reinterpret_cast<const typename VecTraits<T>::unaligned*>(p);
}
template <class T>
FASTRNN_INLINE void store(T* p, Vec<T> v) {
  *reinterpret_cast<typename VecTraits<T>::unaligned*>(p) = v;
}

// A vector of packed weights as T. One of a narrower type has overloads of this and of store().
template <class T>
FASTRNN_INLINE Vec<T> load_as(const T* p) {
  return load(p);
}

// The first n lanes; the others read as zero and are not written. n >= kLanes is a full access.
template <class T>
FASTRNN_INLINE Vec<T> load(const T* p, index_t n) {
  if (__builtin_expect(n >= kLanes<T>, 1)) return load(p);
#ifdef FASTRNN_X86_AVX512
  if constexpr (sizeof(T) == 4)
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p);
  else
    return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1), p);
#else
  Vec<T> v{};
#pragma GCC unroll 8
  for (int i = 0; i < kLanes<T>; ++i)
    if (i < n) v[i] = p[i];
  return v;
#endif
}
template <class T>
FASTRNN_INLINE void store(T* p, Vec<T> v, index_t n) {
  if (__builtin_expect(n >= kLanes<T>, 1)) return store(p, v);
#ifdef FASTRNN_X86_AVX512
  if constexpr (sizeof(T) == 4)
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), v);
  else
    _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << n) - 1), v);
#else
#pragma GCC unroll 8
  for (int i = 0; i < kLanes<T>; ++i)
    if (i < n) p[i] = v[i];
#endif
}

// Loads as many numbers as a vector of double holds, converted to double.
FASTRNN_INLINE Vec<double> load_wide(const double* p) { return load(p); }
FASTRNN_INLINE Vec<double> load_wide(const double* p, index_t n) { return load(p, n); }
FASTRNN_INLINE Vec<double> load_wide(const float* p) {
  typedef float Half __attribute__((vector_size(FASTRNN_VEC_BYTES / 2), aligned(4), may_alias));
  return __builtin_convertvector(*reinterpret_cast<const Half*>(p), Vec<double>);
}
FASTRNN_INLINE Vec<double> load_wide(const float* p, index_t n) {
  if (__builtin_expect(n >= kLanes<double>, 1)) return load_wide(p);
  Vec<double> v{};
#pragma GCC unroll 8
  for (int i = 0; i < kLanes<double>; ++i)
    if (i < n) v[i] = p[i];
  return v;
}

#if defined(__x86_64__)
#if FASTRNN_VEC_BYTES == 64  // only how the functions on vectors of this width are called
#define FASTRNN_X86(op) _mm512_##op
#elif FASTRNN_VEC_BYTES == 32
#define FASTRNN_X86(op) _mm256_##op
#else
#define FASTRNN_X86(op) _mm_##op
#endif
#endif

#if defined(FASTRNN_ALWAYS_FUSED) && !defined(FASTRNN_X86_FMA) && !defined(__aarch64__)
// a·b + c, rounded once, by arithmetic of double: a·b is exact there, and a sum whose last bit is
// set where anything was lost ("rounded to odd": S. Boldo, G. Melquiond 2008) rounds to float32 as
// the exact one does. TwoSum gives what was lost; of infinite numbers it is NaN, which is neither.
FASTRNN_NOINLINE Vec<float> fused(Vec<float> a, Vec<float> b, Vec<float> c) {
  typedef double Wide __attribute__((vector_size(2 * FASTRNN_VEC_BYTES)));
  typedef std::int64_t WideBits __attribute__((vector_size(2 * FASTRNN_VEC_BYTES)));
  const Wide product = __builtin_convertvector(a, Wide) * __builtin_convertvector(b, Wide);
  const Wide addend = __builtin_convertvector(c, Wide), sum = product + addend;
  const Wide part = sum - product, lost = (product - (sum - part)) + (addend - part);
  const WideBits bits = reinterpret_cast<WideBits>(sum);
  const WideBits away = (lost < 0.0) ^ (sum < 0.0) ? WideBits{} - 1 : WideBits{} + 1;
  const WideBits even = ((lost < 0.0) | (lost > 0.0)) & ((bits & 1) - 1);
  return __builtin_convertvector(reinterpret_cast<Wide>(bits + (even & away)), Vec<float>);
}
#endif

// a·b + c. Fused wherever the ISA has it; baseline x86-64 rounds twice, but where a file defines
// FASTRNN_ALWAYS_FUSED.
FASTRNN_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
#ifdef FASTRNN_X86_FMA
  return FASTRNN_X86(fmadd_ps)(a, b, c);
#elif defined(__aarch64__)
  return vfmaq_f32(c, a, b);
#elif defined(FASTRNN_ALWAYS_FUSED)
  return fused(a, b, c);
#else
  return a * b + c;
#endif
}
FASTRNN_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
#ifdef FASTRNN_X86_FMA
  return FASTRNN_X86(fmadd_pd)(a, b, c);
#elif defined(__aarch64__)
  return vfmaq_f64(c, a, b);
#else
  return a * b + c;
#endif
}

// c < x ? c : x and c > x ? c : x, by which a NaN in x comes through. GCC 12 makes compare and
// blend of the expression when c is a constant, hence the intrinsics: they return their second
// operand when one is NaN.
#if defined(__x86_64__)
FASTRNN_INLINE Vec<float> min(Vec<float> x, Vec<float> c) { return FASTRNN_X86(min_ps)(c, x); }
FASTRNN_INLINE Vec<double> min(Vec<double> x, Vec<double> c) { return FASTRNN_X86(min_pd)(c, x); }
FASTRNN_INLINE Vec<float> max(Vec<float> x, Vec<float> c) { return FASTRNN_X86(max_ps)(c, x); }
FASTRNN_INLINE Vec<double> max(Vec<double> x, Vec<double> c) { return FASTRNN_X86(max_pd)(c, x); }
#else
template <class V>
FASTRNN_INLINE V min(V x, V c) {
  return c < x ? c : x;
}
template <class V>
FASTRNN_INLINE V max(V x, V c) {
  return c > x ? c : x;
}
#endif

// √x, rounded correctly, as every ISA has it.
#if defined(__x86_64__)
FASTRNN_INLINE Vec<float> sqrt(Vec<float> x) { return FASTRNN_X86(sqrt_ps)(x); }
FASTRNN_INLINE Vec<double> sqrt(Vec<double> x) { return FASTRNN_X86(sqrt_pd)(x); }
#elif defined(__aarch64__)
FASTRNN_INLINE Vec<float> sqrt(Vec<float> x) { return vsqrtq_f32(x); }
FASTRNN_INLINE Vec<double> sqrt(Vec<double> x) { return vsqrtq_f64(x); }
#endif

// The nearest integer (ties to even), for |x| below 2^22 (float) or 2^51 (double); and x · 2^n for
// an integral n whose power is a normal number. A NaN in x stays one: the power multiplies, it is
// not added to the exponent bits. AVX-512 has instructions for both, to the same bits: sigmoid and
// tanh take a seventh less time.
#ifdef FASTRNN_X86_AVX512
FASTRNN_INLINE Vec<float> nearest(Vec<float> x) { return _mm512_roundscale_ps(x, 8); }
FASTRNN_INLINE Vec<double> nearest(Vec<double> x) { return _mm512_roundscale_pd(x, 8); }
FASTRNN_INLINE Vec<float> scaled(Vec<float> x, Vec<float> n) { return _mm512_scalef_ps(x, n); }
FASTRNN_INLINE Vec<double> scaled(Vec<double> x, Vec<double> n) { return _mm512_scalef_pd(x, n); }
template <class T>
FASTRNN_INLINE Vec<T> round(Vec<T> x) {
  return nearest(x);
}
template <class T>
FASTRNN_INLINE Vec<T> scale2(Vec<T> x, Vec<T> n) {
  return scaled(x, n);
}
#else
template <class T>
FASTRNN_INLINE Vec<T> round(Vec<T> x) {
  const Vec<T> magic = set1(VecTraits<T>::round_magic);
  return (x + magic) - magic;
}
template <class T>
FASTRNN_INLINE Vec<T> scale2(Vec<T> x, Vec<T> n) {
  using Tr = VecTraits<T>;
  const Bits<T> low = reinterpret_cast<Bits<T>>(n + set1(Tr::round_magic));
  return x * reinterpret_cast<Vec<T>>((low + Tr::bias) << Tr::mantissa);
}
#endif

// Lanes of a and b by constant numbers, those of b after those of a.
#ifdef __clang__
#define FASTRNN_SHUFFLE(T, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define FASTRNN_SHUFFLE(T, a, b, ...) __builtin_shuffle(a, b, Bits<T>{__VA_ARGS__})
#endif

// The lower, or the upper, halves of two vectors with their lanes taken in turns.
template <class T>
FASTRNN_INLINE Vec<T> interleave_low(Vec<T> a, Vec<T> b) {
  if constexpr (kLanes<T> == 2) return FASTRNN_SHUFFLE(T, a, b, 0, 2);
  if constexpr (kLanes<T> == 4) return FASTRNN_SHUFFLE(T, a, b, 0, 4, 1, 5);
  if constexpr (kLanes<T> == 8) return FASTRNN_SHUFFLE(T, a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  if constexpr (kLanes<T> == 16)
    return FASTRNN_SHUFFLE(T, a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
template <class T>
FASTRNN_INLINE Vec<T> interleave_high(Vec<T> a, Vec<T> b) {
  if constexpr (kLanes<T> == 2) return FASTRNN_SHUFFLE(T, a, b, 1, 3);
  if constexpr (kLanes<T> == 4) return FASTRNN_SHUFFLE(T, a, b, 2, 6, 3, 7);
  if constexpr (kLanes<T> == 8) return FASTRNN_SHUFFLE(T, a, b, 4, 12, 5, 13, 6, 14, 7, 15);
  if constexpr (kLanes<T> == 16)
    return FASTRNN_SHUFFLE(T, a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
#undef FASTRNN_SHUFFLE

// m[i] lane j <-> m[j] lane i. Every round takes the lanes of two vectors half the square apart in
// turns; after log2(lanes) rounds all have arrived.
template <class T>
FASTRNN_INLINE void transpose(Vec<T> (&m)[kLanes<T>]) {
#pragma GCC unroll 4
  for (int round = 1; round < kLanes<T>; round *= 2) {
    Vec<T> next[kLanes<T>];
#pragma GCC unroll 16
    for (int i = 0; i < kLanes<T> / 2; ++i) {
      next[2 * i] = interleave_low<T>(m[i], m[i + kLanes<T> / 2]);
      next[2 * i + 1] = interleave_high<T>(m[i], m[i + kLanes<T> / 2]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kLanes<T>; ++i) m[i] = next[i];
  }
}

// Columns of 16 bytes: as many as load_columns() has of them.
template <class T>
inline constexpr int kColumns = 16 / static_cast<int>(sizeof(T));

// The 16 bytes at p, and at each next stride, until the register is full.
template <class T>
FASTRNN_INLINE Vec<T> load_pieces(const T* p, [[maybe_unused]] index_t stride) {
#if FASTRNN_VEC_BYTES == 16
  return load(p);
#else
  const auto pair = [stride](const T* q) {
    const auto piece = [](const T* at) {
      return _mm_loadu_pd(static_cast<const double*>(static_cast<const void*>(at)));
    };
    return _mm256_insertf128_pd(_mm256_castpd128_pd256(piece(q)), piece(q + stride), 1);
  };
#if FASTRNN_VEC_BYTES == 32
  return reinterpret_cast<Vec<T>>(pair(p));
#else
  return reinterpret_cast<Vec<T>>(
      _mm512_insertf64x4(_mm512_castpd256_pd512(pair(p)), pair(p + 2 * stride), 1));
#endif
#endif
}

// As interleave_low() and interleave_high(), in every 16 bytes for themselves.
template <class T>
FASTRNN_INLINE Vec<T> interleave_pieces_low(Vec<T> a, Vec<T> b) {
#if FASTRNN_VEC_BYTES == 16
  return interleave_low<T>(a, b);
#else
  if constexpr (sizeof(T) == 4)
    return FASTRNN_X86(unpacklo_ps)(a, b);
  else
    return FASTRNN_X86(unpacklo_pd)(a, b);
#endif
}
template <class T>
FASTRNN_INLINE Vec<T> interleave_pieces_high(Vec<T> a, Vec<T> b) {
#if FASTRNN_VEC_BYTES == 16
  return interleave_high<T>(a, b);
#else
  if constexpr (sizeof(T) == 4)
    return FASTRNN_X86(unpackhi_ps)(a, b);
  else
    return FASTRNN_X86(unpackhi_pd)(a, b);
#endif
}

// columns[k] lane i = p[i·stride + k]: memory puts pieces of rows where they belong, so that half
// of the rounds of transpose() are left, and none that crosses 16 bytes.
template <class T>
FASTRNN_INLINE void load_columns(const T* p, index_t stride, Vec<T> (&columns)[kColumns<T>]) {
  constexpr int C = kColumns<T>;
#pragma GCC unroll 4
  for (int i = 0; i < C; ++i) columns[i] = load_pieces(p + i * stride, C * stride);
#pragma GCC unroll 2
  for (int round = 1; round < C; round *= 2) {
    Vec<T> next[C];
#pragma GCC unroll 2
    for (int i = 0; i < C / 2; ++i) {
      next[2 * i] = interleave_pieces_low<T>(columns[i], columns[i + C / 2]);
      next[2 * i + 1] = interleave_pieces_high<T>(columns[i], columns[i + C / 2]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < C; ++i) columns[i] = next[i];
  }
}

// |x| and a value with the sign of another, on the bits: the sign of zero and of NaN too.
template <class T>
FASTRNN_INLINE Bits<T> sign_mask() {
  return reinterpret_cast<Bits<T>>(set1(T(-0.0)));
}
template <class T>
FASTRNN_INLINE Vec<T> abs(Vec<T> x) {
  return reinterpret_cast<Vec<T>>(reinterpret_cast<Bits<T>>(x) & ~sign_mask<T>());
}
template <class T>
FASTRNN_INLINE Vec<T> copysign(Vec<T> magnitude, Vec<T> sign) {
  return reinterpret_cast<Vec<T>>((reinterpret_cast<Bits<T>>(magnitude) & ~sign_mask<T>()) |
                                  (reinterpret_cast<Bits<T>>(sign) & sign_mask<T>()));
}

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
