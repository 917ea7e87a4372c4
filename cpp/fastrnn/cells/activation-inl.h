// The activations of the cells: each function, and its derivative computed from its result.
#pragma once

#include "fastrnn/cells/unit-inl.h"
#include "fastrnn/simd/math-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

struct Sigmoid {
  static constexpr bool bounded = true;
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
  static constexpr bool bounded = true;
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
  static constexpr bool bounded = false;
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
  static constexpr bool bounded = false;
  template <class T>
  static FASTRNN_INLINE Vec<T> f(Vec<T> x) {
    return x;
  }
  template <class T>
  static FASTRNN_INLINE Vec<T> slope(Vec<T>) {
    return set1(T(1));
  }
};

// An activation chosen at run time, with its numbers and the bounds of its argument.
template <class T>
struct Act {
  Activation which = Activation::linear;
  T alpha = 0, beta = 0;
  T clip = static_cast<T>(__builtin_inf());
  bool clipped = false;
  T low = 0, high = 0;  // its values at -clip and clip, by which the slope knows what was clipped
};

// log(1 + t) for 0 <= t <= 1: 2·artanh(t/(2 + t)), by its series.
template <class T>
FASTRNN_INLINE Vec<T> log1p_within(Vec<T> t) {
  constexpr int terms = sizeof(T) == 4 ? 8 : 17;  // the next one is below a rounding: s² <= 1/9
  const Vec<T> s = t / (t + T(2)), s2 = s * s;
  Vec<T> sum = set1(T(1) / T(2 * terms - 1));
#pragma GCC unroll 16
  for (int k = terms - 2; k >= 0; --k) sum = fma(sum, s2, set1(T(1) / T(2 * k + 1)));
  return T(2) * s * sum;
}

// One call for every vector costs little beside a recurrent product, and spares the library a copy
// of each cell for each combination. A NaN comes through every one of them.
template <class T>
FASTRNN_NOINLINE Vec<T> activate(const Act<T>& act, Vec<T> x) {
  const Vec<T> zero{}, one = set1(T(1)), alpha = set1(act.alpha), beta = set1(act.beta);
  x = max(min(x, set1(act.clip)), set1(-act.clip));
  switch (act.which) {
    case Activation::sigmoid:
      return Sigmoid::f<T>(x);
    case Activation::tanh:
      return Tanh::f<T>(x);
    case Activation::relu:
      return Relu::f<T>(x);
    case Activation::linear:
      return x;
    case Activation::hard_sigmoid:
      return min(max(fma(alpha, x, beta), zero), one);
    case Activation::affine:
      return fma(alpha, x, beta);
    case Activation::leaky_relu:
      return x < zero ? alpha * x : x;
    case Activation::thresholded_relu:
      return x <= alpha ? zero : x;
    case Activation::scaled_tanh:
      return alpha * Tanh::f<T>(beta * x);
    case Activation::elu:
      return x < zero ? alpha * expm1<T>(min(x, zero)) : x;
    case Activation::softsign: {  // 1 at Inf
      constexpr T most = sizeof(T) == 4 ? T(__FLT_MAX__) : T(__DBL_MAX__);
      x = max(min(x, set1(most)), set1(-most));
      return x / (one + abs<T>(x));
    }
    case Activation::softplus:
      return max(x, zero) + log1p_within<T>(exp<T>(-abs<T>(x)));
  }
  return x;
}

// The slope at the argument that gave y. It is 0 where the argument was clipped.
template <class T>
FASTRNN_NOINLINE Vec<T> unclipped_slope(const Act<T>& act, Vec<T> y) {
  const Vec<T> zero{}, one = set1(T(1)), alpha = set1(act.alpha);
  switch (act.which) {
    case Activation::sigmoid:
      return Sigmoid::slope<T>(y);
    case Activation::tanh:
      return Tanh::slope<T>(y);
    case Activation::relu:
      return Relu::slope<T>(y);
    case Activation::linear:
      return one;
    case Activation::hard_sigmoid: {  // 0 at both kinks
      const Vec<T> below_one = y < one ? alpha : zero;
      return y > zero ? below_one : zero;
    }
    case Activation::affine:
      return alpha;
    case Activation::leaky_relu:  // alpha at the kink
      return y > zero ? one : alpha;
    case Activation::thresholded_relu:
      return y == zero ? zero : one;
    case Activation::scaled_tanh: {
      const Vec<T> tanh = y / alpha;
      return set1(act.alpha * act.beta) * (one - tanh * tanh);
    }
    case Activation::elu:
      return y > zero ? one : y + alpha;
    case Activation::softsign: {
      const Vec<T> left = one - abs<T>(y);
      return left * left;
    }
    case Activation::softplus:  // sigmoid(x) = 1 - e^-y
      return -expm1<T>(-y);
  }
  return y;
}
template <class T>
FASTRNN_INLINE Vec<T> slope(const Act<T>& act, Vec<T> y) {
  const Vec<T> s = unclipped_slope<T>(act, y);
  if (!act.clipped) return s;
  const Vec<T> below = y == set1(act.high) ? Vec<T>{} : s;
  return y == set1(act.low) ? Vec<T>{} : below;
}

template <class T>
Act<T> make_act(const Squash& squash, double clip) {
  Act<T> act;
  act.which = squash.which;
  act.alpha = static_cast<T>(squash.alpha);
  act.beta = static_cast<T>(squash.beta);
  act.clip = static_cast<T>(clip);
  act.clipped = clip < __builtin_inf();
  alignas(64) T lanes[kLanes<T>];
  store(lanes, activate<T>(act, set1(-act.clip)));
  act.low = lanes[0];
  store(lanes, activate<T>(act, set1(act.clip)));
  act.high = lanes[0];
  return act;
}

// CellChoices as the vectors need them. Only what f and g are applied to is clipped.
template <class T>
struct UnitChoices {
  bool usual = false;  // as of the cell that takes no choices, whose text is faster
  Act<T> f, g, h;
  bool input_gate = true, forget_gate = true, output_gate = true;
  bool coupled = false;
};

inline bool is_usual(const CellChoices& c, Activation f, bool all_gates) {
  return c.f.which == f && c.g.which == Activation::tanh && c.h.which == Activation::tanh &&
         !(c.clip < __builtin_inf()) && all_gates && !c.coupled;
}

template <class C, class T>
UnitChoices<T> unit_choices(const CellChoices& c) {
  // The gates of a cell are sigmoids, and a cell without gates is a tanh.
  const Activation f = C::shape.gates > 1 ? Activation::sigmoid : Activation::tanh;
  return {is_usual(c, f, c.input_gate && c.forget_gate && c.output_gate),
          make_act<T>(c.f, c.clip),
          make_act<T>(c.g, c.clip),
          make_act<T>(c.h, __builtin_inf()),
          c.input_gate,
          c.forget_gate,
          c.output_gate,
          c.coupled};
}

// The activations that a cell's text uses: f for gates, g for candidates, h for what leaves
// an LSTM. Usual: those that everybody has. Chosen: those that the call has chosen.
struct Usual {
  static constexpr bool chosen = false;

  template <class F, class T, class Unit>
  static FASTRNN_INLINE Vec<T> apply(const Unit&, Vec<T> x) {
    return F::template f<T>(x);
  }
  template <class F, class T, class Unit>
  static FASTRNN_INLINE Vec<T> slope_of(const Unit&, Vec<T> y) {
    return F::template slope<T>(y);
  }
  template <class T, class Unit>
  static FASTRNN_INLINE Vec<T> f(const Unit&, Vec<T> x) {
    return Sigmoid::f<T>(x);
  }
  template <class T, class Unit>
  static FASTRNN_INLINE Vec<T> g(const Unit&, Vec<T> x) {
    return Tanh::f<T>(x);
  }
  template <class T, class Unit>
  static FASTRNN_INLINE Vec<T> h(const Unit&, Vec<T> x) {
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
  template <class T, class Unit>
  static FASTRNN_INLINE Vec<T> h_slope(const Unit&, Vec<T> y) {
    return Tanh::slope<T>(y);
  }

  // An LSTM's i, f and g side by side, and its o by itself.
  template <class T, class Unit>
  static FASTRNN_INLINE void input_gates(const Unit&, Vec<T>& i, Vec<T>& f, Vec<T>& g) {
    Vec<T> all[3] = {i, f, g};
    activate<T>(all);
    i = all[0], f = all[1], g = all[2];
  }
  template <class T, class Unit>
  static FASTRNN_INLINE Vec<T> output_gate(const Unit&, Vec<T> o) {
    return sigmoid<T>(o);
  }
  template <class Unit>
  static constexpr bool has_input_gate(const Unit&) {
    return true;
  }
  template <class Unit>
  static constexpr bool has_forget_gate(const Unit&) {
    return true;
  }
  template <class Unit>
  static constexpr bool has_output_gate(const Unit&) {
    return true;
  }
  template <class Unit>
  static constexpr bool is_coupled(const Unit&) {
    return false;
  }
};

struct Chosen {
  static constexpr bool chosen = true;

  template <class, class T, class Unit>
  static FASTRNN_INLINE Vec<T> apply(const Unit& u, Vec<T> x) {
    return activate<T>(u.choices->f, x);
  }
  template <class, class T, class Unit>
  static FASTRNN_INLINE Vec<T> slope_of(const Unit& u, Vec<T> y) {
    return slope<T>(u.choices->f, y);
  }
  template <class T, class Unit>
  static FASTRNN_INLINE Vec<T> f(const Unit& u, Vec<T> x) {
    return activate<T>(u.choices->f, x);
  }
  template <class T, class Unit>
  static FASTRNN_INLINE Vec<T> g(const Unit& u, Vec<T> x) {
    return activate<T>(u.choices->g, x);
  }
  template <class T, class Unit>
  static FASTRNN_INLINE Vec<T> h(const Unit& u, Vec<T> x) {
    return activate<T>(u.choices->h, x);
  }
  template <class T, class Unit>
  static FASTRNN_INLINE Vec<T> f_slope(const Unit& u, Vec<T> y) {
    return slope<T>(u.choices->f, y);
  }
  template <class T, class Unit>
  static FASTRNN_INLINE Vec<T> g_slope(const Unit& u, Vec<T> y) {
    return slope<T>(u.choices->g, y);
  }
  template <class T, class Unit>
  static FASTRNN_INLINE Vec<T> h_slope(const Unit& u, Vec<T> y) {
    return slope<T>(u.choices->h, y);
  }

  template <class T, class Unit>
  static FASTRNN_INLINE void input_gates(const Unit& u, Vec<T>& i, Vec<T>& f, Vec<T>& g) {
    const UnitChoices<T>& choice = *u.choices;
    const Vec<T> one = set1(T(1));
    i = choice.input_gate ? activate<T>(choice.f, i) : one;
    g = activate<T>(choice.g, g);
    f = choice.coupled ? one - i : choice.forget_gate ? activate<T>(choice.f, f) : one;
  }
  template <class T, class Unit>
  static FASTRNN_INLINE Vec<T> output_gate(const Unit& u, Vec<T> o) {
    return u.choices->output_gate ? activate<T>(u.choices->f, o) : set1(T(1));
  }
  template <class Unit>
  static FASTRNN_INLINE bool has_input_gate(const Unit& u) {
    return u.choices->input_gate;
  }
  template <class Unit>
  static FASTRNN_INLINE bool has_forget_gate(const Unit& u) {
    return u.choices->forget_gate && !u.choices->coupled;
  }
  template <class Unit>
  static FASTRNN_INLINE bool has_output_gate(const Unit& u) {
    return u.choices->output_gate;
  }
  template <class Unit>
  static FASTRNN_INLINE bool is_coupled(const Unit& u) {
    return u.choices->coupled;
  }
};

// Stages Begin .. End of a cell for one vector of units: by the usual activations, or by those that
// the call of a general cell has chosen.
template <class C, int Begin, int End, class T>
FASTRNN_INLINE void cell_forward(Vec<T> (&s)[C::shape.slots], ForwardUnit<T>& u) {
  if constexpr (C::general)
    if (!u.choices->usual) return C::template forward<Chosen, Begin, End>(s, u);
  C::template forward<Usual, Begin, End>(s, u);
}
template <class C, int Begin, int End, class T>
FASTRNN_INLINE void cell_backward(Vec<T> (&s)[C::shape.slots], BackwardUnit<T>& u) {
  if constexpr (C::general)
    if (!u.choices->usual) return C::template backward<Chosen, Begin, End>(s, u);
  C::template backward<Usual, Begin, End>(s, u);
}

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
