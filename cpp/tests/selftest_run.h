// Runs the core on a Problem, in buffers of exactly the right size for the sanitizers to watch.
#pragma once

#include <array>
#include <limits>
#include <vector>

#include "fastrnn/rnn/args.h"
#include "fastrnn/rnn/ops.h"
#include "fastrnn/rnn/packed.h"
#include "fastrnn/rnn/tape.h"
#include "tests/selftest_oracle.h"

namespace selftest {

using fastrnn::View;

// The gradient of the loss by the results of forward.
struct Cotangents {
  Vector dy, dh_n, dc_n;
};

template <class T>
std::vector<T> typed(const Vector& v) {
  std::vector<T> out;
  out.reserve(std::max<std::size_t>(v.size(), 1));  // data() of an empty vector is a pointer too
  for (double value : v) out.push_back(static_cast<T>(value));
  return out;
}

template <class T>
View<T, 3> cube(T* data, index_t a, index_t b, index_t c) {
  return {data, {a, b, c}, {b * c, c, 1}};
}
template <class T>
View<T, 2> matrix(T* data, index_t a, index_t b) {
  return {data, {a, b}, {b, 1}};
}
template <class T>
View<T, 1> line(T* data, index_t a) {
  return {data, {a}, {1}};
}

// Overwrites with NaN what lies beyond the length of its row: nobody may read it.
template <class T>
void spoil_padding(const Problem& p, index_t columns, std::vector<T>& v) {
  for (index_t t = 0; t < p.dims.T; ++t) {
    for (index_t n = 0; n < p.dims.N; ++n) {
      if (t < p.lengths[at(n)]) continue;
      std::fill_n(v.begin() + (t * p.dims.N + n) * columns, columns,
                  std::numeric_limits<T>::quiet_NaN());
    }
  }
}

template <class T>
class Run {
 public:
  using Grads = std::array<std::vector<T>, kOperands>;

  explicit Run(const Problem& p) : p_(p), shape_(fastrnn::cell_traits(p.cell).shape) {
    for (int k = 0; k < kOperands; ++k) in_[at(k)] = typed<T>(p.in[at(k)]);
    spoil_padding(p, p.dims.I, in_[X]);
    const auto [steps, N, I, H, P] = p.dims;
    const T never = std::numeric_limits<T>::quiet_NaN();  // every output must be written
    y.assign(at(steps * N * H), never);
    h_n.assign(at(N * H), never);
    if (shape_.cell_state) c_n.assign(at(N * H), never);
    y.reserve(1);
  }

  fastrnn::RnnWeights<T> weights() const {
    const index_t H = p_.dims.H, rows = shape_.gates * H;
    fastrnn::RnnWeights<T> w;
    if (!p_.mode.projected) w.w_ih = matrix(in_[W_IH].data(), rows, p_.dims.I);
    w.w_hh = matrix(in_[W_HH].data(), rows, H);
    if (!p_.mode.bare) w.b_ih = line(in_[B_IH].data(), rows);
    if (!p_.mode.bare) w.b_hh = line(in_[B_HH].data(), rows);
    if (!in_[W_PEEPHOLE].empty()) w.w_peephole = matrix(in_[W_PEEPHOLE].data(), 3, H);
    if (!in_[W_NORM].empty()) w.w_norm = matrix(in_[W_NORM].data(), norm_rows(shape_), H);
    return w;
  }

  void forward(int threads, fastrnn::Tape<T>* tape,
               const fastrnn::PackedWeights<T>* packed = nullptr) {
    const auto [steps, N, I, H, P] = p_.dims;
    fastrnn::RnnForwardArgs<T> a{};
    a.layer.cell = p_.cell;
    a.layer.choices = p_.choices;
    a.reverse = p_.mode.reverse;
    a.num_threads = threads;
    a.in.x = cube<const T>(in_[X].data(), steps, N, I);
    if (packed == nullptr) a.layer.weights = weights();
    a.layer.packed = packed;
    a.layer.precision = precision;
    if (!p_.mode.bare) a.in.h0 = matrix<const T>(in_[H0].data(), N, H);
    if (!p_.mode.bare && shape_.cell_state) a.in.c0 = matrix<const T>(in_[C0].data(), N, H);
    if (p_.mode.ragged) a.lengths = line(p_.lengths.data(), N);
    a.y = cube(y.data(), steps, N, H);
    a.h_n = matrix(h_n.data(), N, H);
    if (shape_.cell_state) a.c_n = matrix(c_n.data(), N, H);
    a.tape = tape;
    fastrnn::rnn_forward(a);
  }

  Grads backward(int threads, fastrnn::Tape<T>& tape, const Cotangents& ct) {
    const auto [steps, N, I, H, P] = p_.dims;
    const index_t rows = shape_.gates * H;
    std::vector<T> dy = typed<T>(ct.dy), dh_n = typed<T>(ct.dh_n), dc_n = typed<T>(ct.dc_n);
    spoil_padding(p_, H, dy);
    Grads d;
    for (int k = 0; k < kOperands; ++k) {
      d[at(k)].reserve(1);
      d[at(k)].assign(p_.in[at(k)].size(), std::numeric_limits<T>::quiet_NaN());
    }
    fastrnn::RnnBackwardArgs<T> a{};
    a.tape = &tape;
    a.num_threads = threads;
    a.dy = cube<const T>(dy.data(), steps, N, H);
    a.dh_n = matrix<const T>(dh_n.data(), N, H);
    if (shape_.cell_state) a.dc_n = matrix<const T>(dc_n.data(), N, H);
    a.dx = cube(d[X].data(), steps, N, I);
    if (!p_.mode.projected) a.dw_ih = matrix(d[W_IH].data(), rows, I);
    a.dw_hh = matrix(d[W_HH].data(), rows, H);
    a.db_ih = line(d[B_IH].data(), rows);
    a.db_hh = line(d[B_HH].data(), rows);
    if (!in_[W_PEEPHOLE].empty()) a.dw_peephole = matrix(d[W_PEEPHOLE].data(), 3, H);
    if (!in_[W_NORM].empty()) a.dw_norm = matrix(d[W_NORM].data(), norm_rows(shape_), H);
    a.dh0 = matrix(d[H0].data(), N, H);
    if (shape_.cell_state) a.dc0 = matrix(d[C0].data(), N, H);
    fastrnn::rnn_backward(a);
    return d;
  }

  std::vector<T> y, h_n, c_n;
  fastrnn::Precision precision = fastrnn::Precision::plain;

 private:
  const Problem& p_;
  fastrnn::CellShape shape_;
  std::array<std::vector<T>, kOperands> in_;
};

}  // namespace selftest
