// make_plan: how work is split, on a machine of known caches.
#pragma once

#include <string>

#include "fastrnn/rnn/plan.h"
#include "tests/selftest_check.h"

namespace selftest {

inline fastrnn::Plan lstm_plan(fastrnn::index_t H, fastrnn::index_t N, int threads) {
  constexpr fastrnn::CpuCaches caches{std::size_t{48} << 10, std::size_t{1} << 20,
                                      std::size_t{32} << 20};
  constexpr fastrnn::index_t T = 100;
  const fastrnn::Problem problem{{T, N, H, H, H}, 4, 4, 4, T * N, 16, 4, 4, false};
  return fastrnn::make_plan(problem, caches, threads);
}

inline void test_plan() {
  using fastrnn::Split;
  const auto expect = [](fastrnn::index_t H, fastrnn::index_t N, int threads, int team,
                         Split split) {
    const fastrnn::Plan plan = lstm_plan(H, N, threads);
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
}

}  // namespace selftest
