// The simple recurrent cell (Elman 1990): h' = f(W·x + U·h + b), f one of tanh, relu, sigmoid,
// linear.
//
// How to read a cell. `slots` vectors per hidden unit live in the workspace: pre-activations on the
// way in, on return what backward needs. The input product fills slots 0 .. x_products; a stage is
// a recurrent product into `products` slots from `slot` on, followed by pointwise work. Backward
// turns the kept slots into gradients of the pre-activations, in the same places. Cells of one
// Shape share the code that packs weights and takes their gradients.
#pragma once

#include "fastrnn/cells/activation-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

struct RnnShape {
  static constexpr int gates = 1, slots = 1, x_products = 1, stages = 1;
  static constexpr bool cell_state = false, peephole = false, carries_h = false;
  static constexpr int aux_slot = -1, norm_groups = 1;
  static constexpr Stage norm_x[norm_groups] = {{0, 1}}, norm_h[norm_groups] = {{0, 1}};
  static constexpr Stage stage[stages] = {{0, 1}};
  static constexpr int gate[slots] = {0};
};

template <class F>
struct Rnn : RnnShape {
  using Shape = RnnShape;
  static constexpr bool general = false;

  template <int, class T>
  static FASTRNN_INLINE void forward(Vec<T> (&s)[slots], ForwardUnit<T>& u) {
    s[0] = F::template f<T>(s[0]);
    u.h = s[0];
  }
  template <int, class T>
  static FASTRNN_INLINE void backward(Vec<T> (&s)[slots], BackwardUnit<T>& u) {
    s[0] = u.clipped(u.dh * F::template slope<T>(s[0]));
  }
};

struct rnn_tanh : Rnn<Tanh> {};
struct rnn_relu : Rnn<Relu> {};
struct rnn_sigmoid : Rnn<Sigmoid> {};
struct rnn_linear : Rnn<Linear> {};

struct rnn_general : RnnShape {  // f as the call chose it
  using Shape = RnnShape;
  static constexpr bool general = true;

  template <int, class T>
  static FASTRNN_INLINE void forward(Vec<T> (&s)[slots], ForwardUnit<T>& u) {
    s[0] = activate<T>(u.choices->f, s[0]);
    u.h = s[0];
  }
  template <int, class T>
  static FASTRNN_INLINE void backward(Vec<T> (&s)[slots], BackwardUnit<T>& u) {
    s[0] = u.clipped(u.dh * slope<T>(u.choices->f, s[0]));
  }
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
