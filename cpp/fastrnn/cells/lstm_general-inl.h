// The LSTM whose activations and gates the call chooses: f for the gates, g for the candidate, h
// for what leaves the cell.
//
//   i = f(a_i), g = g(a_g), c' = f∘c + i∘g, o = f(a_o), h' = o∘h(c')
//
// A gate that does not exist is the constant 1, a coupled forget gate is 1 - i, and w_peephole may
// be absent. The rows of the weights of such gates have no effect; their gradients are zeros.
#pragma once

#include "fastrnn/cells/activation-inl.h"
#include "fastrnn/cells/lstm-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

struct lstm_general : Lstm<true> {
  static constexpr bool general = true;

  // Either half of a step: up to c, and from c on. Between them the output gate may get more than
  // its own units have to give.
  template <class T>
  static FASTRNN_INLINE void forward_c(Vec<T> (&s)[slots], ForwardUnit<T>& u) {
    const UnitChoices<T>& choice = *u.choices;
    const Vec<T> one = set1(T(1));
    if (u.peephole != nullptr) {
      s[I] = fma(peep(u.peephole, 0), u.c, s[I]);
      s[F] = fma(peep(u.peephole, 1), u.c, s[F]);
    }
    s[I] = choice.input_gate ? activate<T>(choice.f, s[I]) : one;
    s[G] = activate<T>(choice.g, s[G]);
    s[F] = choice.coupled ? one - s[I] : choice.forget_gate ? activate<T>(choice.f, s[F]) : one;
    u.c = fma(s[F], u.c, s[I] * s[G]);
  }
  template <class T>
  static FASTRNN_INLINE void forward_h(Vec<T> (&s)[slots], ForwardUnit<T>& u) {
    const UnitChoices<T>& choice = *u.choices;
    if (u.peephole != nullptr) s[O] = fma(peep(u.peephole, 2), u.c, s[O]);
    s[O] = choice.output_gate ? activate<T>(choice.f, s[O]) : set1(T(1));
    u.h = s[O] * activate<T>(choice.h, u.seen);
  }
  template <int, class T>
  static FASTRNN_INLINE void forward(Vec<T> (&s)[slots], ForwardUnit<T>& u) {
    forward_c<T>(s, u);
    u.seen = u.c;
    forward_h<T>(s, u);
  }

  // The same halves on the way back; dc between them is that by c of this step. What reaches c
  // through the output is `dseen`: it is dc itself, but with layer normalisation.
  template <class T>
  static FASTRNN_INLINE void backward_h(Vec<T> (&s)[slots], BackwardUnit<T>& u) {
    const UnitChoices<T>& choice = *u.choices;
    const Vec<T> o = s[O], squashed = activate<T>(choice.h, u.seen);
    s[O] = choice.output_gate ? u.clipped(u.dh * squashed * slope<T>(choice.f, o)) : Vec<T>{};
    u.dseen = fma(u.dh * o, slope<T>(choice.h, squashed), u.dseen);
  }
  template <class T>
  static FASTRNN_INLINE void backward_o(Vec<T> (&s)[slots], BackwardUnit<T>& u) {
    if (u.peephole != nullptr) u.dc = fma(s[O], peep(u.peephole, 2), u.dc);
  }
  template <class T>
  static FASTRNN_INLINE void backward_c(Vec<T> (&s)[slots], BackwardUnit<T>& u) {
    const UnitChoices<T>& choice = *u.choices;
    const Vec<T> i = s[I], f = s[F], g = s[G], dc = u.dc;
    const Vec<T> by_i = choice.coupled ? g - u.c_before : g;
    s[I] = choice.input_gate ? u.clipped(dc * by_i * slope<T>(choice.f, i)) : Vec<T>{};
    s[F] = choice.forget_gate && !choice.coupled
               ? u.clipped(dc * u.c_before * slope<T>(choice.f, f))
               : Vec<T>{};
    s[G] = u.clipped(dc * i * slope<T>(choice.g, g));
    u.dc = dc * f;
    if (u.peephole != nullptr) {
      u.dc = fma(s[I], peep(u.peephole, 0), u.dc);
      u.dc = fma(s[F], peep(u.peephole, 1), u.dc);
    }
  }
  template <int, class T>
  static FASTRNN_INLINE void backward(Vec<T> (&s)[slots], BackwardUnit<T>& u) {
    u.seen = u.c;
    u.dseen = u.dc;
    backward_h<T>(s, u);
    u.dc = u.dseen;
    backward_o<T>(s, u);
    backward_c<T>(s, u);
  }
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
