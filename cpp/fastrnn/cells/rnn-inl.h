// The simple recurrent cell (Elman 1990): h' = f(W·x + U·h + b), f one of tanh, relu, sigmoid,
// linear, or as the call chose it.
//
// How to read a cell. `shape` names the slots and the stages (cells/shapes.h). forward() does the
// pointwise work of stages Begin .. End for one vector of units; backward() is its mirror. A is
// where the activations come from: Usual or Chosen.
#pragma once

#include "fastrnn/cells/activation-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class F>
struct Rnn {
  static constexpr CellShape shape = kRnnShape;
  static constexpr bool general = false;
  static constexpr bool bounded = F::bounded;
  static constexpr int slots = shape.slots;

  template <class A, int, int, class T>
  static FASTRNN_INLINE void forward(Vec<T> (&s)[slots], ForwardUnit<T>& u) {
    s[0] = A::template apply<F, T>(u, s[0]);
    u.h = s[0];
  }
  template <class A, int, int, class T>
  static FASTRNN_INLINE void backward(Vec<T> (&s)[slots], BackwardUnit<T>& u) {
    s[0] = u.clipped(u.dh * A::template slope_of<F, T>(u, s[0]));
  }
};

struct rnn_tanh : Rnn<Tanh> {};
struct rnn_relu : Rnn<Relu> {};
struct rnn_sigmoid : Rnn<Sigmoid> {};
struct rnn_linear : Rnn<Linear> {};
struct rnn_general : Rnn<Tanh> {
  static constexpr bool general = true;
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
