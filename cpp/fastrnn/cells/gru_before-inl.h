// GRU with the reset gate before the product (Cho et al. 2014):
//
//   r, z = sigmoid(a_r, a_z), n = tanh(a_n + U_n·(r∘h) + b_hn), h' = (1 - z)∘n + z∘h
//
// Two stages: r and z first, then n from all of r∘h. Four slots n r z rh; rh is kept because the
// gradient of U_n needs it.
#pragma once

#include "fastrnn/cells/activation-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

struct GruBeforeShape {
  static constexpr int gates = 3, slots = 4, x_products = 3, stages = 2;
  static constexpr bool cell_state = false, peephole = false, carries_h = true;
  static constexpr int aux_slot = 3;
  static constexpr Stage stage[stages] = {{1, 2}, {0, 1}};
  static constexpr int norm_groups = 2;  // as in gru_after; each is all that one stage fills
  static constexpr Stage norm_x[norm_groups] = {{1, 2}, {0, 1}};
  static constexpr Stage norm_h[norm_groups] = {{1, 2}, {0, 1}};
  static constexpr int gate[slots] = {2, 0, 1, -1};  // the caller's order is r z n; rh is no gate
  enum { N, R, Z, RH };
};

template <class A>  // Usual or Chosen
struct GruBefore : GruBeforeShape {
  using Shape = GruBeforeShape;
  static constexpr bool general = A::general;

  template <int S, class T>
  static FASTRNN_INLINE void forward(Vec<T> (&s)[slots], ForwardUnit<T>& u) {
    if constexpr (S == 0) {
      s[R] = A::template f<T>(u, s[R]);
      s[Z] = A::template f<T>(u, s[Z]);
      s[RH] = s[R] * u.h_before;
      u.aux = s[RH];
    } else {
      s[N] = A::template g<T>(u, s[N]);
      u.h = fma(s[Z], u.h_before - s[N], s[N]);
    }
  }

  template <int S, class T>
  static FASTRNN_INLINE void backward(Vec<T> (&s)[slots], BackwardUnit<T>& u) {
    if constexpr (S == 0) {
      const Vec<T> n = s[N], z = s[Z];
      s[N] = u.clipped(u.dh * (T(1) - z) * A::template g_slope<T>(u, n));
      s[Z] = u.clipped(u.dh * (u.h_before - n) * A::template f_slope<T>(u, z));
      u.carry = u.dh * z;
    } else {
      const Vec<T> r = s[R];
      s[R] = u.clipped(u.daux * u.h_before * A::template f_slope<T>(u, r));
      u.carry = fma(u.daux, r, u.carry);
    }
  }
};

struct gru_before : GruBefore<Usual> {};
struct gru_before_general : GruBefore<Chosen> {};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
