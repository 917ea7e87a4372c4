// LSTM (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000; peepholes: Gers et al. 2002).
//
//   i, f, o = sigmoid(a_i, a_f, a_o), g = tanh(a_g), c' = f∘c + i∘g, h' = o∘tanh(c')
//
// With peepholes a_i and a_f gain p∘c, a_o gains p∘c': the old state for two gates, the new for
// one. A general one takes any f for the gates, g for the candidate and h for what leaves the cell.
// A gate that does not exist is the constant 1 then, a coupled forget gate is 1 - i; the rows of
// the weights of such gates have no effect, and their gradients are zeros.
#pragma once

#include "fastrnn/cells/activation-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <bool Peephole, bool General>
struct Lstm {
  static constexpr CellShape shape = Peephole ? kLstmPeepholeShape : kLstmShape;
  static constexpr bool general = General;
  static constexpr bool bounded = true;
  static constexpr int slots = shape.slots;
  enum { I, F, G, O };

  // Whether the call has peepholes, which are an option of the general cell.
  template <class Unit>
  static FASTRNN_INLINE bool has_peephole(const Unit& u) {
    return Peephole && (!General || u.peephole != nullptr);
  }
  template <class T>
  static FASTRNN_INLINE Vec<T> peep(const T* p, int which) {
    return load(p + which * kLanes<T>);  // rows i f o
  }

  template <class A, int Begin, int End, class T>
  static FASTRNN_INLINE void forward(Vec<T> (&s)[slots], ForwardUnit<T>& u) {
    if constexpr (Begin == 0) {
      if (has_peephole(u)) {
        s[I] = fma(peep(u.peephole, 0), u.c, s[I]);
        s[F] = fma(peep(u.peephole, 1), u.c, s[F]);
      }
      // o is as ready as the others, unless it waits for the new c.
      if constexpr (End == 2 && !A::chosen) {
        if (!has_peephole(u)) {
          Vec<T> all[4] = {s[I], s[F], s[O], s[G]};
          activate<T>(all);
          s[I] = all[0], s[F] = all[1], s[O] = all[2], s[G] = all[3];
          u.c = fma(s[F], u.c, s[I] * s[G]);
          u.h = s[O] * tanh<T>(u.c);
          return;
        }
      }
      A::template input_gates<T>(u, s[I], s[F], s[G]);
      u.c = fma(s[F], u.c, s[I] * s[G]);
      if constexpr (End == 2) u.seen = u.c;
    }
    if constexpr (End == 2) {
      if (has_peephole(u)) s[O] = fma(peep(u.peephole, 2), u.c, s[O]);
      s[O] = A::template output_gate<T>(u, s[O]);
      u.h = s[O] * A::template h<T>(u, u.seen);
    }
  }

  // dseen is the gradient by c as the output sees it: dc itself, except with layer normalisation.
  template <class A, int Begin, int End, class T>
  static FASTRNN_INLINE void backward(Vec<T> (&s)[slots], BackwardUnit<T>& u) {
    if constexpr (End == 2) {
      if constexpr (Begin == 0) u.seen = u.c, u.dseen = u.dc;
      const Vec<T> o = s[O], squashed = A::template h<T>(u, u.seen);  // cheaper than keeping it
      u.output = o * squashed;
      s[O] = u.clipped(u.dh * squashed * A::template f_slope<T>(u, o));
      if (!A::has_output_gate(u)) s[O] = Vec<T>{};
      u.dseen = fma(u.dh * o, A::template h_slope<T>(u, squashed), u.dseen);
      if constexpr (Begin == 0) u.dc = u.dseen;
      if (has_peephole(u)) u.dc = fma(s[O], peep(u.peephole, 2), u.dc);
    }
    if constexpr (Begin == 0) {
      const Vec<T> i = s[I], f = s[F], g = s[G], dc = u.dc;
      const Vec<T> by_i = A::is_coupled(u) ? g - u.c_before : g;
      s[I] = u.clipped(dc * by_i * A::template f_slope<T>(u, i));
      s[F] = u.clipped(dc * u.c_before * A::template f_slope<T>(u, f));
      s[G] = u.clipped(dc * i * A::template g_slope<T>(u, g));
      if (!A::has_input_gate(u)) s[I] = Vec<T>{};
      if (!A::has_forget_gate(u)) s[F] = Vec<T>{};
      u.dc = dc * f;
      if (has_peephole(u)) {
        u.dc = fma(s[I], peep(u.peephole, 0), u.dc);
        u.dc = fma(s[F], peep(u.peephole, 1), u.dc);
      }
    }
  }
};

struct lstm : Lstm<false, false> {};
struct lstm_peephole : Lstm<true, false> {};
struct lstm_general : Lstm<true, true> {};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
