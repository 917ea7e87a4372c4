// The self-test of the core, without Python: all tables on tiny shapes, and every kind of fault.
#include <cstdio>
#include <cstring>
#include <exception>

#include "tests/selftest_cells.h"
#include "tests/selftest_chain.h"
#include "tests/selftest_check.h"
#include "tests/selftest_faults.h"
#include "tests/selftest_fresh.h"
#include "tests/selftest_keeping.h"
#include "tests/selftest_narrow.h"
#include "tests/selftest_nn.h"
#include "tests/selftest_normed.h"
#include "tests/selftest_optim.h"
#include "tests/selftest_plan.h"
#include "tests/selftest_race.h"
#include "tests/selftest_word2vec.h"

namespace {

void section(const char* name, void (*test)()) {
  const long before = selftest::passed, failures = selftest::failed;
  try {
    test();
  } catch (const std::exception& error) {
    selftest::check(false, std::string(name) + " threw " + error.what());
  }
  std::printf("%-40s %7ld passed %4ld failed\n", name, selftest::passed - before,
              selftest::failed - failures);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
#ifdef SELFTEST_RACE
  if (argc == 2 && std::strcmp(argv[1], "--planted-race") == 0) {
    selftest::planted_race();
    return 0;
  }
#endif
  if (argc > 1) {
    std::fprintf(stderr, "%s takes no arguments\n", argv[0]);
    return 2;
  }
  if (selftest::kAllocationsFail) section("sizes", selftest::test_sizes);
  section("teams and limits", selftest::test_team);
  section("the budget of threads", selftest::test_budget);
  section("caution", selftest::test_caution);
  section("caution of calls of one size", selftest::test_cautions_of_sizes);
  section("barrier time", selftest::test_barrier_time);
  section("kept blocks", selftest::test_block_cache);
  section("plans", selftest::test_plan);
  section("plans of one step", selftest::test_plan_of_one_step);
  section("a thread throws", selftest::test_throwing_bodies);
#ifdef FASTRNN_TEST_HOOKS
  section("a thread throws inside of a kernel", selftest::test_throwing_kernels);
  section("layers that follow", selftest::test_layers_that_follow);
#ifndef SELFTEST_RACE  // whose sanitizer brings in memory of its own for each byte
  section("memory written between two looks", selftest::test_fresh_memory);
#endif
#endif
  if (selftest::kAllocationsFail)
    section("every allocation fails", selftest::test_allocation_faults);
  section("all tables, cells and float types", selftest::test_cells);
  section("layer normalisation", selftest::test_normed);
  section("int8 and bfloat16 weights", selftest::test_narrow);
  section("linear and the decoder", selftest::test_nn);
  section("all rules of the updates", selftest::test_optim);
  section("word2vec, racing threads", selftest::test_word2vec);
  std::printf("%ld passed, %ld failed\n", selftest::passed, selftest::failed);
  return selftest::failed == 0 ? 0 : 1;
}
