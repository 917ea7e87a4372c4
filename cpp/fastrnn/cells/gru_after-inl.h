// GRU with the reset gate after the product (the form of PyTorch and of Keras since 2):
//
//   r, z = sigmoid(a_r, a_z), n = tanh(a_n + r∘(U_n·h + b_hn)), h' = (1 - z)∘n + z∘h
//
// Four slots n r z hn with hn = U_n·h + b_hn: the input product fills the first three, the
// recurrent one the last three, so one step is one product and needs one barrier.
#pragma once

#include "fastrnn/cells/activation-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

struct GruAfterShape {
  static constexpr int gates = 3, slots = 4, x_products = 3, stages = 1;
  static constexpr bool cell_state = false, peephole = false, carries_h = true;
  static constexpr int aux_slot = -1;
  static constexpr Stage stage[stages] = {{1, 3}};
  static constexpr int gate[slots] = {2, 0, 1, 2};  // the caller's order is r z n
  static constexpr int norm_groups = 2;             // Ba et al.: r and z together, n by itself
  static constexpr Stage norm_x[norm_groups] = {{1, 2}, {0, 1}};
  static constexpr Stage norm_h[norm_groups] = {{1, 2}, {3, 1}};
  enum { N, R, Z, HN };
};

template <class A>  // Usual or Chosen
struct GruAfter : GruAfterShape {
  using Shape = GruAfterShape;
  static constexpr bool general = A::general;

  template <int, class T>
  static FASTRNN_INLINE void forward(Vec<T> (&s)[slots], ForwardUnit<T>& u) {
    s[R] = A::template f<T>(u, s[R]);
    s[Z] = A::template f<T>(u, s[Z]);
    s[N] = A::template g<T>(u, fma(s[R], s[HN], s[N]));
    u.h = fma(s[Z], u.h_before - s[N], s[N]);
  }

  template <int, class T>
  static FASTRNN_INLINE void backward(Vec<T> (&s)[slots], BackwardUnit<T>& u) {
    const Vec<T> n = s[N], r = s[R], z = s[Z], hn = s[HN];
    s[N] = u.clipped(u.dh * (T(1) - z) * A::template g_slope<T>(u, n));
    s[Z] = u.clipped(u.dh * (u.h_before - n) * A::template f_slope<T>(u, z));
    s[R] = u.clipped(s[N] * hn * A::template f_slope<T>(u, r));
    s[HN] = s[N] * r;
    u.carry = u.dh * z;
  }
};

struct gru_after : GruAfter<Usual> {};
struct gru_after_general : GruAfter<Chosen> {};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
