// The activations of the cells: the function, and its slope from the value that it gave.
#pragma once

#include "fastrnn/cells/stage.h"
#include "fastrnn/simd/math-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

struct Sigmoid {
  template <class T>
  static FASTRNN_INLINE Vec<T> f(Vec<T> x) {
    return sigmoid<T>(x);
  }
  template <class T>
  static FASTRNN_INLINE Vec<T> slope(Vec<T> y) {
    return y * (T(1) - y);
  }
};
struct Tanh {
  template <class T>
  static FASTRNN_INLINE Vec<T> f(Vec<T> x) {
    return tanh<T>(x);
  }
  template <class T>
  static FASTRNN_INLINE Vec<T> slope(Vec<T> y) {
    return T(1) - y * y;
  }
};
struct Relu {
  template <class T>
  static FASTRNN_INLINE Vec<T> f(Vec<T> x) {
    return max(x, Vec<T>{});
  }
  template <class T>  // 0 at the kink, as everybody has it
  static FASTRNN_INLINE Vec<T> slope(Vec<T> y) {
    return y == T(0) ? Vec<T>{} : set1(T(1));
  }
};
struct Linear {
  template <class T>
  static FASTRNN_INLINE Vec<T> f(Vec<T> x) {
    return x;
  }
  template <class T>
  static FASTRNN_INLINE Vec<T> slope(Vec<T>) {
    return set1(T(1));
  }
};
struct HardSigmoid {  // x/5 + 1/2 within 0 .. 1; ONNX's defaults of alpha and beta
  template <class T>
  static FASTRNN_INLINE Vec<T> f(Vec<T> x) {
    return min(max(fma(set1(T(0.2)), x, set1(T(0.5))), Vec<T>{}), set1(T(1)));
  }
  template <class T>  // 0 at both kinks
  static FASTRNN_INLINE Vec<T> slope(Vec<T> y) {
    const Vec<T> below_one = y < T(1) ? set1(T(0.2)) : Vec<T>{};
    return y > T(0) ? below_one : Vec<T>{};
  }
};

// The same, chosen at run time. One call for every vector costs little beside a recurrent product,
// and spares the library a copy of each cell for each combination.
template <class T>
FASTRNN_NOINLINE Vec<T> activate(Activation which, Vec<T> x) {
  switch (which) {
    case Activation::sigmoid:
      return Sigmoid::f<T>(x);
    case Activation::tanh:
      return Tanh::f<T>(x);
    case Activation::relu:
      return Relu::f<T>(x);
    case Activation::linear:
      return x;
    case Activation::hard_sigmoid:
      return HardSigmoid::f<T>(x);
  }
  return x;
}
template <class T>
FASTRNN_INLINE Vec<T> slope(Activation which, Vec<T> y) {
  switch (which) {
    case Activation::sigmoid:
      return Sigmoid::slope<T>(y);
    case Activation::tanh:
      return Tanh::slope<T>(y);
    case Activation::relu:
      return Relu::slope<T>(y);
    case Activation::linear:
      return Linear::slope<T>(y);
    case Activation::hard_sigmoid:
      return HardSigmoid::slope<T>(y);
  }
  return y;
}

// f for gates and g for candidates: those that everybody has, or those that the call chose.
struct Usual {
  static constexpr bool general = false;
  template <class T, class Unit>
  static FASTRNN_INLINE Vec<T> f(const Unit&, Vec<T> x) {
    return Sigmoid::f<T>(x);
  }
  template <class T, class Unit>
  static FASTRNN_INLINE Vec<T> g(const Unit&, Vec<T> x) {
    return Tanh::f<T>(x);
  }
  template <class T, class Unit>
  static FASTRNN_INLINE Vec<T> f_slope(const Unit&, Vec<T> y) {
    return Sigmoid::slope<T>(y);
  }
  template <class T, class Unit>
  static FASTRNN_INLINE Vec<T> g_slope(const Unit&, Vec<T> y) {
    return Tanh::slope<T>(y);
  }
};
struct Chosen {
  static constexpr bool general = true;
  template <class T, class Unit>
  static FASTRNN_INLINE Vec<T> f(const Unit& u, Vec<T> x) {
    return activate<T>(u.choices->f, x);
  }
  template <class T, class Unit>
  static FASTRNN_INLINE Vec<T> g(const Unit& u, Vec<T> x) {
    return activate<T>(u.choices->g, x);
  }
  template <class T, class Unit>
  static FASTRNN_INLINE Vec<T> f_slope(const Unit& u, Vec<T> y) {
    return slope<T>(u.choices->f, y);
  }
  template <class T, class Unit>
  static FASTRNN_INLINE Vec<T> g_slope(const Unit& u, Vec<T> y) {
    return slope<T>(u.choices->g, y);
  }
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
