// GRU, with the reset gate after the product (the form of PyTorch and of Keras since 2) or before
// it (Cho et al. 2014):
//
//   after:  r, z = sigmoid(a_r, a_z), n = tanh(a_n + r∘(U_n·h + b_hn)), h' = (1 - z)∘n + z∘h
//   before: r, z = sigmoid(a_r, a_z), n = tanh(a_n + U_n·(r∘h) + b_hn), h' = (1 - z)∘n + z∘h
#pragma once

#include "fastrnn/cells/activation-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

struct gru_after {
  static constexpr CellShape shape = kGruAfterShape;
  static constexpr bool general = false, bounded = true;
  static constexpr int slots = shape.slots;
  enum { N, R, Z, HN };

  template <class A, int, int, class T>
  static FASTRNN_INLINE void forward(Vec<T> (&s)[slots], ForwardUnit<T>& u) {
    s[R] = A::template f<T>(u, s[R]);
    s[Z] = A::template f<T>(u, s[Z]);
    s[N] = A::template g<T>(u, fma(s[R], s[HN], s[N]));
    u.h = fma(s[Z], u.h_before - s[N], s[N]);
  }

  template <class A, int, int, class T>
  static FASTRNN_INLINE void backward(Vec<T> (&s)[slots], BackwardUnit<T>& u) {
    const Vec<T> n = s[N], r = s[R], z = s[Z], hn = s[HN];
    s[N] = u.clipped(u.dh * (T(1) - z) * A::template g_slope<T>(u, n));
    s[Z] = u.clipped(u.dh * (u.h_before - n) * A::template f_slope<T>(u, z));
    s[R] = u.clipped(s[N] * hn * A::template f_slope<T>(u, r));
    s[HN] = s[N] * r;
    u.carry = u.dh * z;
  }
};

struct gru_before {
  static constexpr CellShape shape = kGruBeforeShape;
  static constexpr bool general = false, bounded = true;
  static constexpr int slots = shape.slots;
  enum { N, R, Z, RH };

  template <class A, int Begin, int, class T>
  static FASTRNN_INLINE void forward(Vec<T> (&s)[slots], ForwardUnit<T>& u) {
    if constexpr (Begin == 0) {
      s[R] = A::template f<T>(u, s[R]);
      s[Z] = A::template f<T>(u, s[Z]);
      s[RH] = s[R] * u.h_before;
      u.aux = s[RH];
    } else {
      s[N] = A::template g<T>(u, s[N]);
      u.h = fma(s[Z], u.h_before - s[N], s[N]);
    }
  }

  template <class A, int Begin, int, class T>
  static FASTRNN_INLINE void backward(Vec<T> (&s)[slots], BackwardUnit<T>& u) {
    if constexpr (Begin == 1) {
      const Vec<T> n = s[N], z = s[Z];
      s[N] = u.clipped(u.dh * (T(1) - z) * A::template g_slope<T>(u, n));
      s[Z] = u.clipped(u.dh * (u.h_before - n) * A::template f_slope<T>(u, z));
      u.carry = u.dh * z;
    } else {
      const Vec<T> r = s[R];
      s[RH] = r * u.h_before;  // as it was made, of the r that is kept
      s[R] = u.clipped(u.daux * u.h_before * A::template f_slope<T>(u, r));
      u.carry = fma(u.daux, r, u.carry);
    }
  }
};

struct gru_after_general : gru_after {
  static constexpr bool general = true;
};
struct gru_before_general : gru_before {
  static constexpr bool general = true;
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
