// The oracle of the self-test: every cell as scalar loops in double, written to be obviously right.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

#include "fastrnn/rnn/args.h"
#include "fastrnn/rnn/ops.h"

namespace selftest {

using fastrnn::Cell;
using fastrnn::Dims;
using fastrnn::index_t;
using Vector = std::vector<double>;

inline std::size_t at(index_t i) { return static_cast<std::size_t>(i); }
inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

enum Operand { X, W_IH, W_HH, B_IH, B_HH, W_PEEPHOLE, H0, C0, W_NORM, kOperands };
inline constexpr const char* kNames[kOperands] = {"x",          "w_ih", "w_hh", "b_ih",  "b_hh",
                                                  "w_peephole", "h0",   "c0",   "w_norm"};

// What makes one problem unlike another beside its sizes.
struct Mode {
  bool ragged, reverse;
  bool bare;       // no biases, no initial states: the oracle sees zeros
  bool projected;  // no w_ih, x is (T, N, G*H): the oracle sees the identity
};

// One layer and direction; all values are floats, so that both float types see the same problem.
struct Problem {
  Cell cell;
  Dims dims;
  Mode mode;
  std::vector<index_t> lengths;
  std::array<Vector, kOperands> in;
  fastrnn::CellChoices choices;
};

struct Results {
  Vector y, h_n, c_n;
  double closest = 1e9;  // how near a pre-activation came to a kink
};

inline Vector random_vector(std::mt19937& rng, index_t count) {
  std::uniform_real_distribution<float> uniform(-0.6f, 0.6f);
  Vector v(at(count));
  for (double& value : v) value = static_cast<double>(uniform(rng));
  return v;
}

// f(x); closest takes note of kinks.
inline double activate(const fastrnn::Squash& f, double x, double& closest) {
  const double alpha = f.alpha, beta = f.beta;
  switch (f.which) {
    case fastrnn::Activation::sigmoid:
      return sigmoid(x);
    case fastrnn::Activation::tanh:
      return std::tanh(x);
    case fastrnn::Activation::relu:
      closest = std::min(closest, std::abs(x));
      return std::max(0.0, x);
    case fastrnn::Activation::linear:
      return x;
    case fastrnn::Activation::hard_sigmoid:
      closest = std::min(closest, std::abs(2.5 - std::abs(x)));
      return std::clamp(alpha * x + beta, 0.0, 1.0);
    case fastrnn::Activation::affine:
      return alpha * x + beta;
    case fastrnn::Activation::leaky_relu:
      closest = std::min(closest, std::abs(x));
      return x < 0 ? alpha * x : x;
    case fastrnn::Activation::thresholded_relu:
      closest = std::min(closest, std::abs(x - alpha));
      return x > alpha ? x : 0;
    case fastrnn::Activation::scaled_tanh:
      return alpha * std::tanh(beta * x);
    case fastrnn::Activation::elu:
      closest = std::min(closest, std::abs(x));
      return x < 0 ? alpha * std::expm1(x) : x;
    case fastrnn::Activation::softsign:
      return x / (1 + std::abs(x));
    case fastrnn::Activation::softplus:
      return std::log1p(std::exp(x));
  }
  return x;
}

inline fastrnn::CellChoices random_choices(std::mt19937& rng) {
  const auto any = [&] {
    const auto which = static_cast<fastrnn::Activation>(rng() % 12);
    return which == fastrnn::Activation::hard_sigmoid ? fastrnn::Squash{which, 0.2, 0.5}
                                                      : fastrnn::Squash{which, 0.7, 0.4};
  };
  const auto coin = [&] { return rng() % 2 == 0; };
  fastrnn::CellChoices choices{.f = any(), .g = any(), .h = any()};
  choices.input_gate = coin();
  choices.forget_gate = coin();
  choices.output_gate = coin();
  choices.coupled = choices.input_gate && choices.forget_gate && coin();
  return choices;
}

inline Problem random_problem(std::mt19937& rng, Cell cell, Dims d, Mode mode) {
  const fastrnn::CellTraits traits = fastrnn::cell_traits(cell);
  const index_t rows = traits.shape.gates * d.H;
  if (mode.projected) d.I = rows;
  Problem p{cell, d, mode, std::vector<index_t>(at(d.N), d.T), {}, {}};
  if (traits.general) p.choices = random_choices(rng);
  for (index_t& length : p.lengths) {
    if (mode.ragged) length = std::uniform_int_distribution<index_t>(0, d.T)(rng);
  }
  const index_t states = d.N * d.H;
  p.in[X] = random_vector(rng, d.T * d.N * d.I);
  p.in[W_IH] = random_vector(rng, rows * d.I);
  p.in[W_HH] = random_vector(rng, rows * d.H);
  for (Operand bias : {B_IH, B_HH}) p.in[bias] = random_vector(rng, rows);
  const bool peephole = traits.shape.peephole && !(traits.general && rng() % 2 == 0);
  if (peephole) p.in[W_PEEPHOLE] = random_vector(rng, 3 * d.H);
  p.in[H0] = random_vector(rng, states);
  if (traits.shape.cell_state) p.in[C0] = random_vector(rng, states);
  if (mode.bare) {
    for (Operand zero : {B_IH, B_HH, H0, C0}) std::fill(p.in[zero].begin(), p.in[zero].end(), 0);
  }
  if (mode.projected) {
    std::fill(p.in[W_IH].begin(), p.in[W_IH].end(), 0);
    for (index_t k = 0; k < rows; ++k) p.in[W_IH][at(k * rows + k)] = 1;
  }
  return p;
}

// Row `row` of w·v + b.
inline double affine(const Vector& w, const double* v, index_t columns, const Vector& b,
                     index_t row) {
  double sum = b[at(row)];
  for (index_t k = 0; k < columns; ++k) sum += w[at(row * columns + k)] * v[k];
  return sum;
}

// One unit of an LSTM; c is replaced by its successor, h is returned.
template <class Gate>
double lstm_unit(const Problem& p, const Gate& gate, index_t j, double& c, double& closest) {
  const fastrnn::CellChoices& choice = p.choices;
  const auto f = [&](double a) { return activate(choice.f, a, closest); };
  const auto peep = [&](index_t row) {
    return p.in[W_PEEPHOLE].empty() ? 0 : p.in[W_PEEPHOLE][at(row * p.dims.H + j)];
  };
  const double i = choice.input_gate ? f(gate(0, j) + peep(0) * c) : 1;
  const double own = choice.forget_gate ? f(gate(1, j) + peep(1) * c) : 1;
  c = (choice.coupled ? 1 - i : own) * c + i * activate(choice.g, gate(2, j), closest);
  const double o = choice.output_gate ? f(gate(3, j) + peep(2) * c) : 1;
  return o * activate(choice.h, c, closest);
}

// One step of one row: h and c are replaced by their successors.
inline void step(const Problem& p, const double* x, Vector& h, Vector& c, double& closest) {
  const index_t I = p.dims.I, H = p.dims.H;
  const auto& in = p.in;
  const auto gate = [&](index_t g, index_t j) {
    return affine(in[W_IH], x, I, in[B_IH], g * H + j) +
           affine(in[W_HH], h.data(), H, in[B_HH], g * H + j);
  };
  Vector h_new(h.size()), reset_h(h.size());
  const fastrnn::CellChoices& choice = p.choices;
  const auto f = [&](double a) { return activate(choice.f, a, closest); };
  const bool before_product = p.cell == Cell::gru_before || p.cell == Cell::gru_before_general;
  if (before_product) {
    for (index_t j = 0; j < H; ++j) reset_h[at(j)] = f(gate(0, j)) * h[at(j)];
  }
  for (index_t j = 0; j < H; ++j) {
    double& out = h_new[at(j)];
    const double before = h[at(j)];
    switch (p.cell) {
      case Cell::rnn_tanh:
        out = std::tanh(gate(0, j));
        break;
      case Cell::rnn_sigmoid:
        out = sigmoid(gate(0, j));
        break;
      case Cell::rnn_linear:
        out = gate(0, j);
        break;
      case Cell::rnn_general:
        out = activate(choice.f, gate(0, j), closest);
        break;
      case Cell::rnn_relu:
        closest = std::min(closest, std::abs(gate(0, j)));
        out = std::max(0.0, gate(0, j));
        break;
      case Cell::lstm:
      case Cell::lstm_peephole:
      case Cell::lstm_general:
        out = lstm_unit(p, gate, j, c[at(j)], closest);
        break;
      case Cell::gru_after:
      case Cell::gru_before:
      case Cell::gru_after_general:
      case Cell::gru_before_general: {
        const double z = f(gate(1, j)), input = affine(in[W_IH], x, I, in[B_IH], 2 * H + j);
        const double r = before_product ? 1 : f(gate(0, j));
        const double* state = before_product ? reset_h.data() : h.data();
        const double n = activate(
            choice.g, input + r * affine(in[W_HH], state, H, in[B_HH], 2 * H + j), closest);
        out = (1 - z) * n + z * before;
        break;
      }
    }
  }
  h = h_new;
}

inline Results oracle(const Problem& p) {
  const auto [T, N, I, H, P] = p.dims;
  Results r{Vector(at(T * N * H)), p.in[H0], p.in[C0]};
  for (index_t n = 0; n < N; ++n) {
    const auto row = [n, width = H](const Vector& v) {
      return v.empty() ? v : Vector(v.begin() + n * width, v.begin() + (n + 1) * width);
    };
    Vector h = row(p.in[H0]), c = row(p.in[C0]);
    const index_t length = p.lengths[at(n)];
    for (index_t s = 0; s < length; ++s) {
      const index_t t = p.mode.reverse ? length - 1 - s : s;
      step(p, p.in[X].data() + (t * N + n) * I, h, c, r.closest);
      std::copy(h.begin(), h.end(), r.y.begin() + (t * N + n) * H);
    }
    std::copy(h.begin(), h.end(), r.h_n.begin() + n * H);
    std::copy(c.begin(), c.end(), r.c_n.begin() + n * H);
  }
  return r;
}

}  // namespace selftest
