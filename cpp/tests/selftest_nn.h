// The operations beside the recurrent ones: linear against scalar loops, and the decoder's
// gradients against central differences of its own forward; on every table, with teams of any size.
#pragma once

#include <cmath>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "fastrnn/dispatch.h"
#include "fastrnn/nn/decoder.h"
#include "fastrnn/nn/ops.h"
#include "fastrnn/rnn/plan.h"
#include "tests/selftest_check.h"
#include "tests/selftest_optim.h"
#include "tests/selftest_oracle.h"

namespace selftest {

template <class T, class U>
fastrnn::View<T, 2> matrix(std::vector<U>& v, index_t rows, index_t columns) {
  return {v.data(), {rows, columns}, {columns, 1}};
}
template <class T, class U>
fastrnn::View<T, 3> cube(std::vector<U>& v, index_t a, index_t b, index_t c) {
  return {v.data(), {a, b, c}, {b * c, c, 1}};
}

// y and the three gradients of sum(dy·y).
template <class T>
void check_linear(index_t M, index_t I, index_t O, int threads, std::mt19937& rng) {
  const double tolerance = sizeof(T) == 4 ? 1e-4 : 1e-12;
  const Vector x = random_vector(rng, M * I), w = random_vector(rng, O * I);
  const Vector b = random_vector(rng, O), dy = random_vector(rng, M * O);
  Vector y(at(M * O)), dx(at(M * I)), dw(at(O * I)), db(at(O));
  for (index_t m = 0; m < M; ++m)
    for (index_t o = 0; o < O; ++o) {
      y[at(m * O + o)] = b[at(o)];
      db[at(o)] += dy[at(m * O + o)];
      for (index_t i = 0; i < I; ++i) {
        y[at(m * O + o)] += x[at(m * I + i)] * w[at(o * I + i)];
        dx[at(m * I + i)] += dy[at(m * O + o)] * w[at(o * I + i)];
        dw[at(o * I + i)] += dy[at(m * O + o)] * x[at(m * I + i)];
      }
    }
  std::vector<T> tx = rounded<T>(x), tw = rounded<T>(w), tb = rounded<T>(b), tdy = rounded<T>(dy);
  std::vector<T> ty(y.size()), tdx(x.size()), tdw(w.size()), tdb(b.size());
  fastrnn::linear_forward<T>({threads,
                              matrix<const T>(tx, M, I),
                              matrix<const T>(tw, O, I),
                              {tb.data(), {O}, {1}},
                              matrix<T>(ty, M, O)});
  fastrnn::linear_backward<T>({threads,
                               matrix<const T>(tdy, M, O),
                               matrix<const T>(tx, M, I),
                               matrix<const T>(tw, O, I),
                               matrix<T>(tdx, M, I),
                               matrix<T>(tdw, O, I),
                               {tdb.data(), {O}, {1}}});
  const std::string what = " of linear " + std::to_string(M) + " x " + std::to_string(I) + " x " +
                           std::to_string(O) + ", " + fastrnn::isa_name(fastrnn::active_isa());
  check(close(ty, y, tolerance), "y" + what);
  check(close(tdx, dx, tolerance), "dx" + what);
  check(close(tdw, dw, tolerance), "dw" + what);
  check(close(tdb, db, tolerance), "db" + what);
}

// The loss of a linear layer is that of the two in a row, bit for bit, and so are its gradients.
template <class T>
void check_linear_loss(index_t M, index_t I, index_t V, int threads, std::mt19937& rng) {
  std::vector<T> x = rounded<T>(random_vector(rng, M * I)),
                 w = rounded<T>(random_vector(rng, V * I));
  std::vector<T> b = rounded<T>(random_vector(rng, V)), g = rounded<T>(random_vector(rng, M));
  std::vector<index_t> ids(at(M));
  for (index_t m = 0; m < M; ++m) ids[at(m)] = m % 4 == 3 ? -100 : m % V;
  std::vector<T> y(at(M * V)), kept(at(2 * M)), loss(at(M)), dx(at(M * I)), dw(at(V * I)),
      db(at(V));
  std::vector<T> found = loss, found_dx = dx, found_dw = dw, found_db = db;
  const fastrnn::Targets targets{{ids.data(), {M}, {1}}, -100, 0.1};
  const fastrnn::View<const T, 1> bias{b.data(), {V}, {1}}, slopes{g.data(), {M}, {1}};
  const auto input = matrix<const T>(x, M, I), weights = matrix<const T>(w, V, I);
  const auto logits = matrix<const T>(y, M, V);
  fastrnn::linear_forward<T>({threads, input, weights, bias, matrix<T>(y, M, V)});
  fastrnn::softmax_cross_entropy_forward<T>(
      {threads, logits, targets, {loss.data(), {M}, {1}}, matrix<T>(kept, M, 2)});
  fastrnn::softmax_cross_entropy_backward<T>(
      {threads, slopes, logits, targets, matrix<const T>(kept, M, 2), matrix<T>(y, M, V)});
  fastrnn::linear_backward<T>({threads,
                               logits,
                               input,
                               weights,
                               matrix<T>(dx, M, I),
                               matrix<T>(dw, V, I),
                               {db.data(), {V}, {1}}});
  fastrnn::linear_cross_entropy<T>({threads,
                                    input,
                                    weights,
                                    bias,
                                    targets,
                                    {found.data(), {M}, {1}},
                                    slopes,
                                    matrix<T>(found_dx, M, I),
                                    matrix<T>(found_dw, V, I),
                                    {found_db.data(), {V}, {1}}});
  const std::string what =
      std::string(" of a linear loss, ") + fastrnn::isa_name(fastrnn::active_isa());
  check(found == loss, "loss" + what);
  check(found_dx == dx && found_dw == dw && found_db == db, "gradients" + what);
}

// A small decoder in double with the additive score, and all that it needs.
class SmallDecoder {
 public:
  enum Input {
    IN_X,
    IN_MEMORY,
    IN_W_IH,
    IN_W_HH,
    IN_B_IH,
    IN_B_HH,
    IN_W_QUERY,
    IN_W_KEY,
    IN_B_KEY,
    IN_VECTOR,
    IN_H0,
    kInputs
  };
  static constexpr index_t T = 3, N = 5, S = 4, E = 3, C = 6, H = 9, A = 7;

  SmallDecoder(bool lstm, bool current, int threads, std::mt19937& rng)
      : lstm_(lstm), current_(current), threads_(threads), G_(lstm ? 4 : 3) {
    const index_t sizes[kInputs] = {
        T * N * E, S * N * C, G_ * H * (E + C), G_ * H * H, G_ * H, G_ * H, A * H, A * C, A,
        A,         N * H};
    for (int i = 0; i < kInputs; ++i) in[i] = random_vector(rng, sizes[i]);
    g_ = random_vector(rng, T * N * H);
  }

  // sum(g·outputs)
  double loss() {
    fastrnn::DecoderForwardArgs<double> a;
    read(a);
    outputs_.assign(at(T * N * H), 0);
    contexts_.assign(at(T * N * C), 0);
    attn_.assign(at(T * N * S), 0);
    keys_.assign(at(S * N * A), 0);
    queries_.assign(at(T * N * A), 0);
    gates_.assign(at(T * N * 4 * H), 0);
    states_.assign(at((T + 1) * N * H), 0);
    cells_.assign(at((T + 1) * N * H), 0);
    fed_.assign(at((T + 1) * N * C), 0);
    std::copy(in[IN_H0].begin(), in[IN_H0].end(), states_.begin());
    a.outputs = cube<double>(outputs_, T, N, H);
    a.contexts = cube<double>(contexts_, T, N, C);
    a.attn = cube<double>(attn_, T, N, S);
    a.keys = cube<double>(keys_, S, N, A);
    a.queries = cube<double>(queries_, T, N, A);
    a.gates = cube<double>(gates_, T, N, 4 * H);
    a.states = cube<double>(states_, T + 1, N, H);
    if (lstm_) a.cells = cube<double>(cells_, T + 1, N, H);
    if (current_) a.fed = cube<double>(fed_, T + 1, N, C);
    fastrnn::attention_decoder_forward(a);
    double sum = 0;
    for (std::size_t i = 0; i < g_.size(); ++i) sum += g_[i] * outputs_[i];
    return sum;
  }

  // After loss(): its gradient by every input.
  void backward(Vector (&d)[kInputs]) {
    for (int i = 0; i < kInputs; ++i) d[i].assign(in[i].size(), 0);
    Vector dc(at(N * H)), dfed(at(N * C));
    fastrnn::DecoderBackwardArgs<double> a;
    read(a);
    a.outputs = cube<const double>(outputs_, T, N, H);
    a.contexts = cube<const double>(contexts_, T, N, C);
    a.attn = cube<const double>(attn_, T, N, S);
    a.keys = cube<const double>(keys_, S, N, A);
    a.queries = cube<const double>(queries_, T, N, A);
    a.gates = cube<double>(gates_, T, N, 4 * H);
    a.states = cube<const double>(states_, T + 1, N, H);
    if (lstm_) a.cells = cube<const double>(cells_, T + 1, N, H);
    if (current_) a.fed = cube<const double>(fed_, T + 1, N, C);
    a.doutputs = cube<const double>(g_, T, N, H);
    a.dh = matrix<double>(d[IN_H0], N, H);
    if (lstm_) a.dc = matrix<double>(dc, N, H);
    if (current_) a.dfed = matrix<double>(dfed, N, C);
    a.dx = cube<double>(d[IN_X], T, N, E);
    a.dmemory = cube<double>(d[IN_MEMORY], S, N, C);
    a.dw_ih = matrix<double>(d[IN_W_IH], G_ * H, E + C);
    a.dw_hh = matrix<double>(d[IN_W_HH], G_ * H, H);
    a.db_ih = {d[IN_B_IH].data(), {G_ * H}, {1}};
    a.db_hh = {d[IN_B_HH].data(), {G_ * H}, {1}};
    a.dw_query = matrix<double>(d[IN_W_QUERY], A, H);
    a.dw_key = matrix<double>(d[IN_W_KEY], A, C);
    a.db_key = {d[IN_B_KEY].data(), {A}, {1}};
    a.dvector = {d[IN_VECTOR].data(), {A}, {1}};
    fastrnn::attention_decoder_backward(a);
  }

  Vector in[kInputs];

 private:
  void read(fastrnn::DecoderInputs<double>& a) {
    a.num_threads = threads_;
    a.lstm = lstm_;
    a.current = current_;
    a.F = C;
    a.x = cube<const double>(in[IN_X], T, N, E);
    a.memory = cube<const double>(in[IN_MEMORY], S, N, C);
    a.lengths = {lengths_, {N}, {1}};
    a.memory_lengths = {memory_lengths_, {N}, {1}};
    a.w_ih = matrix<const double>(in[IN_W_IH], G_ * H, E + C);
    a.w_hh = matrix<const double>(in[IN_W_HH], G_ * H, H);
    a.b_ih = {in[IN_B_IH].data(), {G_ * H}, {1}};
    a.b_hh = {in[IN_B_HH].data(), {G_ * H}, {1}};
    a.w_query = matrix<const double>(in[IN_W_QUERY], A, H);
    a.w_key = matrix<const double>(in[IN_W_KEY], A, C);
    a.b_key = {in[IN_B_KEY].data(), {A}, {1}};
    a.vector = {in[IN_VECTOR].data(), {A}, {1}};
  }

  static constexpr index_t lengths_[N] = {3, 0, 2, 3, 1}, memory_lengths_[N] = {4, 2, 0, 1, 3};
  bool lstm_, current_;
  int threads_;
  index_t G_;
  Vector g_, outputs_, contexts_, attn_, keys_, queries_, gates_, states_, cells_, fed_;
};

inline void check_decoder(bool lstm, bool current, int threads, std::mt19937& rng) {
  static const char* const names[] = {"x",     "memory", "w_ih",  "w_hh",   "b_ih", "b_hh",
                                      "query", "key",    "b_key", "vector", "h0"};
  SmallDecoder decoder(lstm, current, threads, rng);
  const std::string what = std::string(" of a decoder, ") + (lstm ? "lstm " : "gru ") +
                           (current ? "current, " : "previous, ") +
                           fastrnn::isa_name(fastrnn::active_isa()) + ", threads " +
                           std::to_string(threads);
  Vector slopes[SmallDecoder::kInputs];
  decoder.loss();
  decoder.backward(slopes);
  for (int i = 0; i < SmallDecoder::kInputs; ++i)
    for (int draw = 0; draw < 6; ++draw) {
      double& value = decoder.in[i][rng() % decoder.in[i].size()];
      const std::size_t place = static_cast<std::size_t>(&value - decoder.in[i].data());
      const double before = value, step = 1e-5;
      value = before + step;
      const double above = decoder.loss();
      value = before - step;
      const double below = decoder.loss();
      value = before;
      const double slope = (above - below) / (2 * step);
      check(std::abs(slope - slopes[i][place]) <= 1e-7 * (1 + std::abs(slope)),
            std::string("d") + names[i] + what);
    }
}

inline void test_nn() {
  std::mt19937 rng(11);
  const fastrnn::Isa before = fastrnn::active_isa();
  fastrnn::force_plan(fastrnn::Split::rows, 0);  // all threads, however small the arrays
  for (fastrnn::Isa isa : fastrnn::available_isas()) {
    fastrnn::set_isa(isa);
    for (index_t M : {0, 1, 3, 70}) {
      const int threads = 1 + int(rng() % 3);
      check_linear<float>(M, 37, 19, threads, rng);
      check_linear<double>(M, 300, 65, threads, rng);
      check_linear_loss<float>(M, 19, 37, threads, rng);
      check_linear_loss<double>(M, 65, 30, threads, rng);
    }
    for (int kind = 0; kind < 4; ++kind)
      for (int threads = 1; threads <= 3; ++threads)
        check_decoder(kind % 2 == 0, kind / 2 == 0, threads, rng);
  }
  fastrnn::force_plan(std::nullopt, 0);
  fastrnn::set_isa(before);
}

}  // namespace selftest
