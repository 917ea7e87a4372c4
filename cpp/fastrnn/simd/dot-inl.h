// Dot products inside of each lane of a vector: of four bytes in int32, of two bfloat16 in float32.
//
// Both take 4 bytes a lane. An operand is one such word of a row, for all lanes; weights are a
// vector of words. A file for CPUs that have an instruction for it defines FASTRNN_X86_VNNI or
// FASTRNN_X86_BF16, FASTRNN_NEON_DOTPROD or FASTRNN_NEON_BF16; the others widen. Sums of bytes are
// exact, so their bits are the same.
#pragma once

#include "fastrnn/rnn/narrow.h"
#include "fastrnn/simd/vec.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

using Ints = Bits<float>;
typedef std::int32_t IntsAnywhere
    __attribute__((vector_size(FASTRNN_VEC_BYTES), aligned(1), may_alias));
typedef std::int16_t Shorts __attribute__((vector_size(FASTRNN_VEC_BYTES)));
typedef std::uint16_t UnsignedShorts __attribute__((vector_size(FASTRNN_VEC_BYTES)));

FASTRNN_INLINE Ints load_words(const void* p) { return *static_cast<const IntsAnywhere*>(p); }
FASTRNN_INLINE Ints repeat_word(const void* p) {
  std::int32_t word;
  __builtin_memcpy(&word, p, sizeof word);
  return word - Ints{};
}

// Both halves of every word, the lower one as an even element.
template <class V>
struct Halves {
  V even, odd;
};

// Keeps a sum in its register. Without it GCC 12 copies and stores each of vpdpbusd at every step:
// 301 instead of 1081 Gop/s on Zen 5.
template <class V>
FASTRNN_INLINE void tie([[maybe_unused]] V& sum) {
#if defined(__AVX512F__)
  asm("" : "+v"(sum));
#elif defined(__x86_64__)
  asm("" : "+x"(sum));
#endif
}

// u8 of a row by s8 weights. begin: what sums start with, where `start` is -128·(sum of weights).
struct ByteDot {
  static constexpr bool exact = true;
  using Sum = Ints;

#ifdef FASTRNN_NEON_DOTPROD
  // sdot takes s8 by s8: an operand is taken without its 128, so that nothing is left to begin
  // with. To flip it before it is repeated is one instruction less for the vector units.
  static constexpr bool widened = false;
  static FASTRNN_INLINE Ints begin(const std::int32_t*) { return Ints{}; }
  static FASTRNN_INLINE Ints weights(const void* p) { return load_words(p); }
  static FASTRNN_INLINE Ints operand(const void* p) {
    std::uint32_t word;
    __builtin_memcpy(&word, p, sizeof word);
    return static_cast<std::int32_t>(word ^ 0x80808080) - Ints{};
  }
  static FASTRNN_INLINE void add(Sum& sum, Ints a, Ints w) {
    sum = vdotq_s32(sum, vreinterpretq_s8_s32(w), vreinterpretq_s8_s32(a));
  }
#else
  static FASTRNN_INLINE Ints begin(const std::int32_t* start) { return load_words(start); }
#ifdef FASTRNN_X86_VNNI
  static constexpr bool widened = false;
  static FASTRNN_INLINE Ints weights(const void* p) { return load_words(p); }
  static FASTRNN_INLINE Ints operand(const void* p) { return repeat_word(p); }
  static FASTRNN_INLINE void add(Sum& sum, Ints a, Ints w) {
#if FASTRNN_VEC_BYTES == 64
    sum = reinterpret_cast<Ints>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sum),
                                                     reinterpret_cast<__m512i>(a),
                                                     reinterpret_cast<__m512i>(w)));
    tie(sum);
#else
    sum = reinterpret_cast<Ints>(_mm256_dpbusd_avx_epi32(reinterpret_cast<__m256i>(sum),
                                                         reinterpret_cast<__m256i>(a),
                                                         reinterpret_cast<__m256i>(w)));
    tie(sum);
#endif
  }
#else
  static constexpr bool widened = true;
  static FASTRNN_INLINE Halves<Shorts> weights(const void* p) {
    const Shorts w = reinterpret_cast<Shorts>(load_words(p));
    return {(w << 8) >> 8, w >> 8};
  }
  static FASTRNN_INLINE Halves<Shorts> operand(const void* p) {
    const UnsignedShorts a = reinterpret_cast<UnsignedShorts>(repeat_word(p));
    return {reinterpret_cast<Shorts>((a << 8) >> 8), reinterpret_cast<Shorts>(a >> 8)};
  }
  // 255·127 fits 16 bits, and two of them fit 32.
  static FASTRNN_INLINE void add(Sum& sum, Halves<Shorts> a, Halves<Shorts> w) {
    sum = add_pairs(add_pairs(sum, a.even, w.even), a.odd, w.odd);
    tie(sum);
  }
  static FASTRNN_INLINE Ints add_pairs(Ints sum, Shorts a, Shorts w) {
#if defined(__aarch64__)
    return vpadalq_s16(sum, vmulq_s16(a, w));
#else
#if FASTRNN_VEC_BYTES == 64
    using Register = __m512i;
#elif FASTRNN_VEC_BYTES == 32
    using Register = __m256i;
#else
    using Register = __m128i;
#endif
    return sum + reinterpret_cast<Ints>(FASTRNN_X86(madd_epi16)(reinterpret_cast<Register>(a),
                                                                reinterpret_cast<Register>(w)));
#endif
  }
#endif
#endif
};

// Both bfloat16.
struct BFloat16Dot {
  static constexpr bool exact = false;
  using Sum = Vec<float>;

#if defined(FASTRNN_X86_BF16) || defined(FASTRNN_NEON_BF16)
  static constexpr bool widened = false;
  static FASTRNN_INLINE Ints weights(const void* p) { return load_words(p); }
  static FASTRNN_INLINE Ints operand(const void* p) { return repeat_word(p); }
  static FASTRNN_INLINE void add(Sum& sum, Ints a, Ints w) {
#ifdef FASTRNN_NEON_BF16
    sum = vbfdotq_f32(sum, vreinterpretq_bf16_s32(a), vreinterpretq_bf16_s32(w));
#else
    sum = _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(w));
    tie(sum);
#endif
  }
#else
  static constexpr bool widened = true;
  static FASTRNN_INLINE Halves<Vec<float>> floats(Ints words) {
    return {reinterpret_cast<Vec<float>>(words << 16),
            reinterpret_cast<Vec<float>>(words & static_cast<std::int32_t>(0xffff0000))};
  }
  static FASTRNN_INLINE Halves<Vec<float>> weights(const void* p) { return floats(load_words(p)); }
  static FASTRNN_INLINE Halves<Vec<float>> operand(const void* p) { return floats(repeat_word(p)); }
  static FASTRNN_INLINE void add(Sum& sum, Halves<Vec<float>> a, Halves<Vec<float>> w) {
    sum = fma(a.odd, w.odd, fma(a.even, w.even, sum));
  }
#endif
};

// Vectors of floats as as many elements of an operand.
typedef std::uint8_t ByteLanes __attribute__((vector_size(FASTRNN_VEC_BYTES / 4), aligned(1)));
typedef std::uint16_t HalfLanes __attribute__((vector_size(FASTRNN_VEC_BYTES / 2), aligned(2)));

// Whole numbers -128 .. 127 in float32 as bytes, 128 added.
FASTRNN_INLINE void store_bytes(unsigned char* to, Vec<float> x) {
  const ByteLanes bytes =
      __builtin_convertvector(__builtin_convertvector(x, Ints) + 128, ByteLanes);
  __builtin_memcpy(to, &bytes, sizeof bytes);
}
// The nearest bfloat16, ties to even, in the upper halves; what is no number stays none.
FASTRNN_INLINE Ints nearest_bfloat16(Vec<float> x) {
  const Ints bits = reinterpret_cast<Ints>(x);
  return x == x ? bits + 0x7fff + ((bits >> 16) & 1) : (bits | 0x00400000);
}
FASTRNN_INLINE void store_bfloat16(unsigned char* to, Vec<float> x) {
  const HalfLanes halves = __builtin_convertvector(nearest_bfloat16(x) >> 16, HalfLanes);
  __builtin_memcpy(to, &halves, sizeof halves);
}
// Words of two: of each lane `even` below and `odd` above. They are bits, which no arithmetic sees.
FASTRNN_INLINE Vec<float> pair_bfloat16(Vec<float> even, Vec<float> odd) {
  const Ints upper = nearest_bfloat16(odd) & static_cast<std::int32_t>(0xffff0000);
  return reinterpret_cast<Vec<float>>(upper | (nearest_bfloat16(even) >> 16 & 0xffff));
}

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
