// LSTM (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000; peepholes: Gers et al. 2002).
//
//   i, f, o = sigmoid(a_i, a_f, a_o), g = tanh(a_g), c' = f∘c + i∘g, h' = o∘tanh(c')
//
// With peepholes a_i and a_f gain p∘c, a_o gains p∘c': the old state for two gates, the new for
// one.
#pragma once

#include "fastrnn/cells/stage.h"
#include "fastrnn/simd/math-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <bool Peephole>
struct LstmShape {
  static constexpr int gates = 4, slots = 4, x_products = 4, stages = 1;
  static constexpr bool cell_state = true, peephole = Peephole, carries_h = false;
  static constexpr int aux_slot = -1;
  static constexpr Stage stage[stages] = {{0, 4}};
  static constexpr int gate[slots] = {0, 1, 2, 3};  // i f g o
  static constexpr int norm_groups = 1;             // Ba et al.: all gates together
  static constexpr Stage norm_x[norm_groups] = {{0, 4}}, norm_h[norm_groups] = {{0, 4}};
  enum { I, F, G, O };
};

template <bool Peephole>
struct Lstm : LstmShape<Peephole> {
  using Shape = LstmShape<Peephole>;
  using Shape::I, Shape::F, Shape::G, Shape::O, Shape::slots;
  static constexpr bool general = false;

  template <class T>
  static FASTRNN_INLINE Vec<T> peep(const T* p, int which) {
    return load(p + which * kLanes<T>);  // rows i f o
  }

  template <int, class T>
  static FASTRNN_INLINE void forward(Vec<T> (&s)[slots], ForwardUnit<T>& u) {
    if constexpr (Peephole) {
      s[I] = fma(peep(u.peephole, 0), u.c, s[I]);
      s[F] = fma(peep(u.peephole, 1), u.c, s[F]);
    }
    constexpr int last = Peephole ? 2 : 3;  // with a peephole, o waits for the new c
    Vec<T> some[last + 1] = {s[I], s[F], s[O]};
    some[last] = s[G];
    activate<T>(some);
    s[I] = some[0], s[F] = some[1], s[G] = some[last];
    u.c = fma(s[F], u.c, s[I] * s[G]);
    s[O] = Peephole ? sigmoid<T>(fma(peep(u.peephole, 2), u.c, s[O])) : some[2];
    u.h = s[O] * tanh<T>(u.c);
  }

  template <int, class T>
  static FASTRNN_INLINE void backward(Vec<T> (&s)[slots], BackwardUnit<T>& u) {
    const Vec<T> i = s[I], f = s[F], g = s[G], o = s[O];
    const Vec<T> tanh_c = tanh<T>(u.c);  // recomputed: cheaper than keeping it
    s[O] = u.clipped(u.dh * tanh_c * (o * (T(1) - o)));
    Vec<T> dc = fma(u.dh * o, T(1) - tanh_c * tanh_c, u.dc);
    if constexpr (Peephole) dc = fma(s[O], peep(u.peephole, 2), dc);
    s[I] = u.clipped(dc * g * (i * (T(1) - i)));
    s[F] = u.clipped(dc * u.c_before * (f * (T(1) - f)));
    s[G] = u.clipped(dc * i * (T(1) - g * g));
    u.dc = dc * f;
    if constexpr (Peephole) {
      u.dc = fma(s[I], peep(u.peephole, 0), u.dc);
      u.dc = fma(s[F], peep(u.peephole, 1), u.dc);
    }
  }
};

struct lstm : Lstm<false> {};
struct lstm_peephole : Lstm<true> {};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
