// exp, sigmoid and tanh on Vec<T>: at most 4 ULP, NaN comes through, the ends are exact.
//
// All three rest on e^x = 2^n·(1 + p(r)), x = n·ln 2 + r, |r| <= ln 2 / 2. p is expm1 by a minimax
// polynomial: r + r²·q(r). Divisions stay divisions: a reciprocal estimate with a Newton step was
// slower and less exact on Zen 4.
#pragma once

#include "fastrnn/simd/vec.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class T>
struct ExpConstants;
template <>
struct ExpConstants<float> {
  // ln 2 in two parts: n·ln2_high is exact for |n| <= 2^9.
  static constexpr float log2e = 0x1.715476p0f, ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f;
  static constexpr int terms = 5;  // of q; relative error 2e-8 of the smallest term kept
  static constexpr float q[terms] = {0.50000000583580834589f, 0.16666545449092528163f,
                                     0.041666290298712512054f, 0.0083663473889480010022f,
                                     0.0013946009419377949125f};
  static constexpr float exp_low = -87.0f, exp_high = 88.0f;
  static constexpr float tanh_high = 9.05f;  // tanh rounds to 1 from here on
};
template <>
struct ExpConstants<double> {
  static constexpr double log2e = 0x1.71547652b82fep0, ln2_high = 0x1.62e42feep-1,
                          ln2_low = 0x1.a39ef35793c76p-33;
  static constexpr int terms = 11;
  static constexpr double q[terms] = {
      0.49999999999999999988,     0.16666666666666675789,   0.041666666666666698669,
      0.0083333333333221851683,   0.001388888888886783218,  0.00019841269884850166989,
      0.000024801587358983940548, 2.7557245399246888569e-6, 2.7557243883363556481e-7,
      2.5108648073142380801e-8,   2.0924144328791697329e-9};
  static constexpr double exp_low = -708.0, exp_high = 709.0;
  static constexpr double tanh_high = 19.1;
};

// n and p with e^x = 2^n·(1 + p); x within the clamps.
template <class T>
FASTRNN_INLINE void reduce(Vec<T> x, Vec<T>& n, Vec<T>& p) {
  using C = ExpConstants<T>;
  n = round<T>(x * set1(C::log2e));
  Vec<T> r = fma(n, set1(-C::ln2_high), x);
  r = fma(n, set1(-C::ln2_low), r);
  Vec<T> q = set1(C::q[C::terms - 1]);
#pragma GCC unroll 16
  for (int i = C::terms - 2; i >= 0; --i) q = fma(q, r, set1(C::q[i]));
  p = fma(q, r * r, r);
}

// The same for several x side by side, which hide the latency of each other's chain: LSTM's
// pointwise pass takes 7 to 15 % less time on Zen 5. One x would come out the same, but made the
// products of word2vec spill on AVX2.
#define FASTRNN_EACH _Pragma("GCC unroll 8") for (int i = 0; i < N; ++i)
template <class T, int N>
FASTRNN_INLINE void reduce(const Vec<T> (&x)[N], Vec<T> (&n)[N], Vec<T> (&p)[N]) {
  using C = ExpConstants<T>;
  Vec<T> r[N], q[N];
  FASTRNN_EACH n[i] = round<T>(x[i] * set1(C::log2e));
  FASTRNN_EACH r[i] = fma(n[i], set1(-C::ln2_high), x[i]);
  FASTRNN_EACH r[i] = fma(n[i], set1(-C::ln2_low), r[i]);
  FASTRNN_EACH q[i] = set1(C::q[C::terms - 1]);
#pragma GCC unroll 16
  for (int k = C::terms - 2; k >= 0; --k) FASTRNN_EACH q[i] = fma(q[i], r[i], set1(C::q[k]));
  FASTRNN_EACH p[i] = fma(q[i], r[i] * r[i], r[i]);
}

// e^x; below exp_low it is e^exp_low, above exp_high e^exp_high (both normal numbers).
template <class T>
FASTRNN_INLINE Vec<T> exp(Vec<T> x) {
  using C = ExpConstants<T>;
  Vec<T> n, p;
  reduce<T>(max(min(x, set1(C::exp_high)), set1(C::exp_low)), n, p);
  return scale2<T>(p + T(1), n);
}

// e^x - 1 = 2^n·p + (2^n - 1), exact near 0; x within exp()'s clamps.
template <class T>
FASTRNN_INLINE Vec<T> expm1_within(Vec<T> x) {
  Vec<T> n, p;
  reduce<T>(x, n, p);
  const Vec<T> power = scale2<T>(set1(T(1)), n);
  return fma(power, p, power - T(1));
}
template <class T>
FASTRNN_INLINE Vec<T> expm1(Vec<T> x) {
  using C = ExpConstants<T>;
  return expm1_within<T>(max(min(x, set1(C::exp_high)), set1(C::exp_low)));
}

// 1 / (1 + e^-x). Where the result would be subnormal, x < -87 (-708), it is flushed to 0.
template <class T>
FASTRNN_INLINE Vec<T> sigmoid(Vec<T> x) {
  return T(1) / (exp<T>(-x) + T(1));
}

// e / (e + 2) with e = expm1(2|x|): exact near 0, where 1 - 2/(e^2x + 1)
// loses everything. The sign is put back on the bits, so tanh is odd to the last of them.
template <class T>
FASTRNN_INLINE Vec<T> tanh(Vec<T> x) {
  using C = ExpConstants<T>;
  const Vec<T> twice = min(abs<T>(x), set1(C::tanh_high)) * T(2);
  const Vec<T> e = expm1_within<T>(twice);
  return copysign<T>(e / (e + T(2)), x);
}

// sigmoid of all but the last of s, tanh of that one, side by side; the bits of the functions
// above.
template <class T, int N>
FASTRNN_INLINE void activate(Vec<T> (&s)[N]) {
  using C = ExpConstants<T>;
  Vec<T> x[N], n[N], p[N];
  FASTRNN_EACH x[i] = i < N - 1 ? max(min(-s[i], set1(C::exp_high)), set1(C::exp_low))
                                : min(abs<T>(s[i]), set1(C::tanh_high)) * T(2);
  reduce<T, N>(x, n, p);
  const Vec<T> power = scale2<T>(set1(T(1)), n[N - 1]);
  const Vec<T> e = fma(power, p[N - 1], power - T(1)), last = s[N - 1];
  FASTRNN_EACH s[i] = i < N - 1 ? T(1) / (scale2<T>(p[i] + T(1), n[i]) + T(1)) : e / (e + T(2));
  s[N - 1] = copysign<T>(s[N - 1], last);
}
#undef FASTRNN_EACH

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
