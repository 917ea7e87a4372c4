// GRU with the reset gate before the product (Cho et al. 2014):
//
//   r, z = sigmoid(a_r, a_z), n = tanh(a_n + U_n·(r∘h) + b_hn), h' = (1 - z)∘n + z∘h
//
// Two stages: r and z first, then n from all of r∘h. Four slots n r z rh; rh is kept because the
// gradient of U_n needs it.
#pragma once

#include "fastrnn/cells/stage.h"
#include "fastrnn/simd/math-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

struct gru_before {
  static constexpr int gates = 3, slots = 4, x_products = 3, stages = 2;
  static constexpr bool cell_state = false, peephole = false, carries_h = true;
  static constexpr int aux_slot = 3;
  static constexpr Stage stage[stages] = {{1, 2}, {0, 1}};
  static constexpr int gate[slots] = {2, 0, 1, -1};  // the caller's order is r z n; rh is no gate
  enum { N, R, Z, RH };

  template <int S, class T>
  static FASTRNN_INLINE void forward(Vec<T> (&s)[slots], ForwardUnit<T>& u) {
    if constexpr (S == 0) {
      s[R] = sigmoid<T>(s[R]);
      s[Z] = sigmoid<T>(s[Z]);
      s[RH] = s[R] * u.h_before;
      u.aux = s[RH];
    } else {
      s[N] = tanh<T>(s[N]);
      u.h = fma(s[Z], u.h_before - s[N], s[N]);
    }
  }

  template <int S, class T>
  static FASTRNN_INLINE void backward(Vec<T> (&s)[slots], BackwardUnit<T>& u) {
    if constexpr (S == 0) {
      const Vec<T> n = s[N], z = s[Z];
      s[N] = u.clipped(u.dh * (T(1) - z) * (T(1) - n * n));
      s[Z] = u.clipped(u.dh * (u.h_before - n) * (z * (T(1) - z)));
      u.carry = u.dh * z;
    } else {
      const Vec<T> r = s[R];
      s[R] = u.clipped(u.daux * u.h_before * (r * (T(1) - r)));
      u.carry = fma(u.daux, r, u.carry);
    }
  }
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
