// GRU with the reset gate after the product (the form of PyTorch and of Keras since 2):
//
//   r, z = sigmoid(a_r, a_z), n = tanh(a_n + r∘(U_n·h + b_hn)), h' = (1 - z)∘n + z∘h
//
// Four slots n r z hn with hn = U_n·h + b_hn: the input product fills the first three, the
// recurrent one the last three, so one step is one product and needs one barrier.
#pragma once

#include "fastrnn/cells/stage.h"
#include "fastrnn/simd/math-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

struct gru_after {
  static constexpr int gates = 3, slots = 4, x_products = 3, stages = 1;
  static constexpr bool cell_state = false, peephole = false, carries_h = true;
  static constexpr int aux_slot = -1;
  static constexpr Stage stage[stages] = {{1, 3}};
  static constexpr int gate[slots] = {2, 0, 1, 2};  // the caller's order is r z n
  enum { N, R, Z, HN };

  template <int, class T>
  static FASTRNN_INLINE void forward(Vec<T> (&s)[slots], ForwardUnit<T>& u) {
    s[R] = sigmoid<T>(s[R]);
    s[Z] = sigmoid<T>(s[Z]);
    s[N] = tanh<T>(fma(s[R], s[HN], s[N]));
    u.h = fma(s[Z], u.h_before - s[N], s[N]);
  }

  template <int, class T>
  static FASTRNN_INLINE void backward(Vec<T> (&s)[slots], BackwardUnit<T>& u) {
    const Vec<T> n = s[N], r = s[R], z = s[Z], hn = s[HN];
    s[N] = u.clipped(u.dh * (T(1) - z) * (T(1) - n * n));
    s[Z] = u.clipped(u.dh * (u.h_before - n) * (z * (T(1) - z)));
    s[R] = u.clipped(s[N] * hn * (r * (T(1) - r)));
    s[HN] = s[N] * r;
    u.carry = u.dh * z;
  }
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
