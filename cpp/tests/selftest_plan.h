// make_plan: how work is split, on a machine of known caches.
#pragma once

#include <chrono>
#include <string>

#include "fastrnn/rnn/plan.h"
#include "tests/selftest_check.h"

namespace selftest {

inline constexpr fastrnn::CpuCaches kCaches{std::size_t{48} << 10, std::size_t{1} << 20,
                                            std::size_t{32} << 20};

inline fastrnn::Problem lstm_problem(fastrnn::index_t H, fastrnn::index_t N) {
  constexpr fastrnn::index_t T = 100;
  return {{T, N, H, H, H}, 4, 4, 4, T * N, 16, 4, 4, false, false, false};
}

inline void test_plan_of_one_step() {
  fastrnn::Problem problem = lstm_problem(192, 1);
  problem.dims.T = problem.rows = 1;
  check(fastrnn::make_plan(problem, kCaches, 2).threads == 1, "packed weights");
  problem.read_once = true;
  check(fastrnn::make_plan(problem, kCaches, 2).threads == 2, "weights that are read once");
  check(fastrnn::make_plan(problem, kCaches, 8).threads == 2, "as many as were measured");
  problem.dims.H = problem.dims.I = problem.dims.P = 96;
  check(fastrnn::make_plan(problem, kCaches, 2).threads == 1, "few weights that are read once");
  problem.dims.H = problem.dims.I = problem.dims.P = 512;
  problem.read_once = false;
  const int packed = fastrnn::make_plan(problem, kCaches, 8).threads;
  problem.read_once = true;
  check(packed > 2 && fastrnn::make_plan(problem, kCaches, 8).threads == packed, "so many anyhow");
}

inline void test_plan() {
  using fastrnn::Split;
  const auto expect = [](fastrnn::index_t H, fastrnn::index_t N, int threads, int team, Split split,
                         std::chrono::nanoseconds barrier = {}) {
    const fastrnn::Plan plan = fastrnn::make_plan(lstm_problem(H, N), kCaches, threads, barrier);
    const std::string what = "H=" + std::to_string(H) + " N=" + std::to_string(N);
    check(plan.threads == team, what + ": threads");
    check(plan.split == split, what + ": split");
    check(plan.forward_rows >= 48 && plan.backward_rows >= 256, what + ": chunks");
  };
  expect(4, 1, 8, 1, Split::rows);       // too small for a team
  expect(128, 64, 2, 2, Split::rows);    // no barrier
  expect(256, 1, 2, 2, Split::units);    // a single row
  expect(512, 64, 2, 2, Split::rows);    // weights in the L3, many rows
  expect(1024, 64, 2, 2, Split::units);  // a share of them as well: read half
  expect(1024, 256, 2, 2, Split::rows);  // so often that it does not matter
  expect(128, 64, 1, 1, Split::rows);    // as many as there are
  using namespace std::chrono_literals;
  expect(128, 1, 2, 2, Split::units, 50ns);
  expect(128, 1, 2, 1, Split::rows, 700ns);  // barriers would cost more than half of the work
  expect(256, 1, 2, 2, Split::units, 700ns);
  expect(128, 64, 2, 2, Split::rows, 9us);  // no barrier, whatever it costs

  const auto beside = [](fastrnn::index_t H, fastrnn::index_t N, int threads, bool both) {
    const std::string what = "H=" + std::to_string(H) + " N=" + std::to_string(N) +
                             " threads=" + std::to_string(threads);
    check(fastrnn::side_by_side(lstm_problem(H, N), kCaches, threads) == both, what + ": two");
  };
  beside(64, 1, 2, true);
  beside(128, 1, 2, true);    // rather than two threads that share units
  beside(64, 1, 1, false);    // no second thread
  beside(8, 1, 2, false);     // too little for each
  beside(128, 64, 2, false);  // rows are shared
  beside(256, 1, 2, false);   // weights that fill the L2
  beside(128, 1, 8, true);    // that many would not share its units

  const auto behind = [](fastrnn::index_t H, bool training, bool both, fastrnn::index_t T = 100,
                         std::chrono::nanoseconds barrier = {}) {
    fastrnn::Problem problem = lstm_problem(H, 1);
    problem.dims.T = problem.rows = T;
    problem.training = training;
    problem.chained = true;
    const std::string what = "H=" + std::to_string(H) + " T=" + std::to_string(T) +
                             (training ? " training" : "") + ": one behind the other";
    check(fastrnn::side_by_side(problem, kCaches, 2, barrier) == both, what);
    const fastrnn::Plan plan = fastrnn::make_plan(problem, kCaches, 1);
    check(plan.forward_rows == 8 && plan.backward_rows == 16, what + ": chunks");
  };
  behind(64, false, true);
  behind(64, true, true);
  behind(64, false, false, 16);  // the second would begin when the first ends
  behind(32, false, true);
  behind(32, false, false, 100, 360ns);  // hand-overs would cost as much as they gain
  behind(64, false, true, 100, 360ns);
  behind(128, false, true);
  behind(128, true, false);  // rather than sums of few steps
}

}  // namespace selftest
