// Two layers on a thread each, of which the second follows the first: beside a first that is slow
// at every step, and where either fails.
#pragma once

#ifdef FASTRNN_TEST_HOOKS
#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "fastrnn/rnn/plan.h"
#include "fastrnn/team/launch.h"
#include "tests/selftest_run.h"

namespace selftest {

// Two layers of the same weights, there and back.
class TwoLayers {
 public:
  TwoLayers(Cell cell, bool reverse, std::mt19937& rng) : cell_(cell), reverse_(reverse) {
    std::uniform_real_distribution<double> uniform(-0.5, 0.5);
    for (std::vector<double>* array : {&w_ih_, &w_hh_, &x_, &dy_}) {
      array->resize(at(array == &w_ih_ || array == &w_hh_ ? kWeights : kSequence));
      for (double& value : *array) value = uniform(rng);
    }
  }

  // Every result; those of one layer are NaN until it has computed them.
  std::vector<double> run(bool together) {
    out_.assign(at(4 * kSequence + 8 * kState + 4 * kWeights),
                std::numeric_limits<double>::quiet_NaN());
    double* next = out_.data();
    const auto take = [&](index_t count) { return std::exchange(next, next + count); };
    double* const sequences[] = {take(kSequence), take(kSequence), take(kSequence),
                                 take(kSequence)};
    fastrnn::Tape<double> tapes[2];
    fastrnn::RnnForwardArgs<double> forward[2];
    fastrnn::RnnBackwardArgs<double> backward[2];
    const bool cell_state = fastrnn::cell_traits(cell_).shape.cell_state;
    const index_t rows = fastrnn::cell_traits(cell_).shape.gates * H;
    for (int i = 0; i < 2; ++i) {
      fastrnn::RnnForwardArgs<double>& f = forward[i];
      f.layer.cell = cell_;
      f.layer.weights.w_ih = matrix<const double>(w_ih_.data(), rows, H);
      f.layer.weights.w_hh = matrix<const double>(w_hh_.data(), rows, H);
      f.reverse = reverse_;
      f.num_threads = 2;
      f.lengths = line<const index_t>(lengths_.data(), N);
      f.in.x = cube<const double>(i == 0 ? x_.data() : sequences[0], T, N, H);
      f.y = cube(sequences[i], T, N, H);
      f.h_n = matrix(take(kState), N, H);
      if (cell_state) f.c_n = matrix(take(kState), N, H);
      f.tape = &tapes[i];
      fastrnn::RnnBackwardArgs<double>& b = backward[i];
      b.tape = &tapes[i];
      b.num_threads = 2;
      b.dy = cube<const double>(i == 1 ? dy_.data() : sequences[3], T, N, H);
      b.dx = cube(sequences[2 + i], T, N, H);
      b.dh0 = matrix(take(kState), N, H);
      b.dw_ih = matrix(take(kWeights), rows, H);
      b.dw_hh = matrix(take(kWeights), rows, H);
    }
    if (together) {
      fastrnn::rnn_forward(forward[0], forward[1]);
      fastrnn::rnn_backward(backward[1], backward[0]);
    } else {
      for (int i : {0, 1}) fastrnn::rnn_forward(forward[i]);
      for (int i : {1, 0}) fastrnn::rnn_backward(backward[i]);
    }
    return {out_.data(), next};
  }

 private:
  static constexpr index_t T = 12, N = 3, H = 5, kSequence = T * N * H, kState = N * H;
  static constexpr index_t kWeights = 4 * H * H;  // of the most gates

  Cell cell_;
  bool reverse_;
  std::vector<index_t> lengths_{7, T, 4};
  std::vector<double> w_ih_, w_hh_, x_, dy_, out_;
};

inline void test_layers_that_follow() {
  std::mt19937 rng(5);
  for (Cell cell : {Cell::rnn_tanh, Cell::gru_after, Cell::gru_before, Cell::lstm}) {
    for (bool reverse : {false, true}) {
      TwoLayers layers(cell, reverse, rng);
      const std::string what =
          std::string(fastrnn::cell_traits(cell).name) + (reverse ? ", reverse" : "");
      fastrnn::force_plan(fastrnn::Split::calls, 1);
      const std::vector<double> want = layers.run(false);
      const auto same = [&](const std::vector<double>& got) {
        return std::equal(got.begin(), got.end(), want.begin(), want.end(),
                          [](double a, double b) { return a == b || (a != a && b != b); });
      };
      check(same(layers.run(true)), what + ": the second follows the first");
      fastrnn::call_in_check([] { std::this_thread::sleep_for(std::chrono::microseconds(20)); });
      check(same(layers.run(true)), what + ": the second waits for a slow first");
      fastrnn::call_in_check(nullptr);
      for (int rank : {0, 1})
        for (int calls : {0, 1, 9}) {
          fastrnn::throw_in_worker(rank, calls);
          bool caught = false;
          try {
            layers.run(true);
          } catch (const std::runtime_error&) {
            caught = true;
          }
          fastrnn::throw_in_worker(-1, 0);
          check(caught, what + ": the exception of thread " + std::to_string(rank) + " arrives");
        }
      check(same(layers.run(true)), what + ": the run after it is right");
      fastrnn::force_plan(std::nullopt, 0);
    }
  }
}

}  // namespace selftest
#endif
