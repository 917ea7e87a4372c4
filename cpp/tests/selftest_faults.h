// Faults: a thread throws, an allocation fails, a size overflows, a limit is set from outside.
#pragma once

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include "fastrnn/error.h"
#include "fastrnn/memory/scratch.h"
#include "fastrnn/team/barrier_time.h"
#include "fastrnn/team/fp_mode.h"
#include "fastrnn/team/launch.h"
#include "fastrnn/team/limit.h"
#include "tests/selftest_cells.h"
#include "tests/selftest_memory.h"

namespace selftest {

// Each rank of each team in turn throws between two barriers; nobody may wait for it for ever.
inline void test_throwing_bodies() {
  for (int threads = 1; threads <= 8; ++threads) {
    for (int rank = 0; rank < threads; ++rank) {
      const std::string what = std::to_string(rank) + " of " + std::to_string(threads);
      bool caught = false;
      try {
        fastrnn::run_team(threads, [&](fastrnn::Team& team) {
          for (int step = 0; step < 10; ++step) {
            if (team.rank() == rank && step == 5) throw std::runtime_error(what);
            team.check();
            team.barrier();
          }
        });
      } catch (const std::runtime_error& error) {
        caught = error.what() == what;
      }
      check(caught, "the exception of rank " + what + " arrives");
      std::atomic<int> members{0};
      fastrnn::run_team(threads, [&](fastrnn::Team& team) {
        team.barrier();
        members += team.size() == threads;
      });
      check(members == threads, "the team after it is whole: " + what);
    }
  }
}

inline Problem fault_problem(std::mt19937& rng) {
  return random_problem(rng, Cell::lstm_peephole, {4, 3, 5, 130}, {true, true, false, false});
}

#ifdef FASTRNN_TEST_HOOKS
// The same from inside of the real kernels.
inline void test_throwing_kernels() {
  std::mt19937 rng(7);
  const Problem p = fault_problem(rng);
  const Results want = oracle(p);
  const Cotangents ct = random_cotangents(rng, want);
  for (Split split : {Split::rows, Split::units}) {
    for (int threads = 1; threads <= 8; ++threads) {
      fastrnn::force_plan(split, 1);
      for (int rank = 0; rank < threads; ++rank) {
        const std::string what =
            std::to_string(rank) + " of " + std::to_string(threads) + " in a kernel";
        Run<double> run(p);
        fastrnn::Tape<double> tape;
        run.forward(threads, &tape);
        for (bool backward : {false, true}) {
          fastrnn::throw_in_worker(rank, 1);
          bool caught = false;
          try {
            backward ? (void)run.backward(threads, tape, ct) : run.forward(threads, nullptr);
          } catch (const std::runtime_error&) {
            caught = true;
          }
          fastrnn::throw_in_worker(-1, 0);
          check(caught, "the exception of rank " + what + " arrives");
        }
        run.forward(threads, nullptr);
        check(close(run.y, want.y, 1e-12), "the call after rank " + what + " is right");
      }
    }
  }
  fastrnn::force_plan(std::nullopt, 0);
}
#endif

// Calls f with every one of its allocations failing in turn, until one call meets no failure.
template <class F>
void fail_every_allocation(const char* name, F&& f) {
  f();  // what is made once and kept is made before
  long failures = 0;
  for (bool failed_one = true; failed_one; ++failures) {
    const long before = live_blocks;
    fail_allocation(failures);
    bool thrown = false;
    try {
      f();
    } catch (const std::bad_alloc&) {
      thrown = true;
    }
    failed_one = failed_allocation();
    fail_allocation(-1);
    const bool returned = live_blocks == before;  // before the message takes memory
    check(returned,
          std::string(name) + " gives back what it took, allocation " + std::to_string(failures));
    check(failed_one || !thrown, std::string(name) + " throws only when an allocation fails");
  }
  check(failures > 2, std::string(name) + " allocates");
}

inline void test_allocation_faults() {
  std::mt19937 rng(11);
  const Problem p = fault_problem(rng);
  const Results want = oracle(p);
  const Cotangents ct = random_cotangents(rng, want);
  Run<float> run(p);
  for (int threads : {1, 2}) {
    fastrnn::force_plan(Split::units, 0);
    fail_every_allocation("forward", [&] { run.forward(threads, nullptr); });
    check(close(run.y, want.y, 1e-5), "forward is right after all that");
    fail_every_allocation("forward with a tape", [&] {
      fastrnn::Tape<float> tape;
      run.forward(threads, &tape);
    });
    fail_every_allocation("backward", [&] {
      fastrnn::Tape<float> tape;
      run.forward(threads, &tape);
      (void)run.backward(threads, tape, ct);
    });
    fail_every_allocation("PackedWeights", [&] {
      const fastrnn::PackedWeights<float> packed(p.cell, run.weights());
      run.forward(threads, nullptr, &packed);
    });
  }
  fastrnn::force_plan(std::nullopt, 0);
}

// Offsets beyond 2^32 are exact, and what cannot be represented is refused before it is used.
inline void test_sizes() {
  constexpr index_t big = index_t{1} << 33;
  fastrnn::Scratch scratch;
  const auto a = scratch.add<float>(big, 3);
  const auto b = scratch.add<double>(1);
  const auto c = scratch.add<char>(0);
  const auto d = scratch.add<char>(65);
  const std::size_t floats = std::size_t{4} * 3 * std::size_t{big};
  check(a.offset == 0 && b.offset == floats, "a piece of 2^33·3 floats ends where it should");
  check(c.offset == floats + 64 && d.offset == c.offset, "pieces begin on 64 bytes");
  check(scratch.bytes() == floats + 64 + 128, "the sum of all pieces");
  const auto refused = [](index_t count, index_t times, index_t more) {
    fastrnn::Scratch other;
    try {
      (void)other.add<double>(count, times, more);
    } catch (const std::bad_alloc&) {
      return other.bytes() == 0;
    }
    return false;
  };
  constexpr index_t huge = std::numeric_limits<index_t>::max();
  check(refused(huge, 1, 1), "2^63 doubles are refused");
  check(refused(big, big, 1), "2^66 doubles are refused");
  check(refused(big, big, big), "2^99 doubles are refused");
  check(refused(huge / 8, 1, 1), "a size that only rounding makes too large is refused");
  check(!refused(huge, huge, 0), "nothing at all is not");
  bool thrown = false;
  try {
    scratch.allocate();
  } catch (const std::bad_alloc&) {
    thrown = true;
  }
  check(thrown, "2^35 · 3 bytes do not fit");
}

// What one team holds, another caller's team does not get.
inline void test_budget() {
  const int before = fastrnn::num_threads(), total = std::max(4, before);
  fastrnn::set_num_threads(total);
  const auto members_of_a_team_of_three = [] {
    std::atomic<int> members{0};
    std::thread caller([&] { fastrnn::run_team(3, [&](fastrnn::Team&) { ++members; }); });
    caller.join();
    return members.load();
  };
  int beside = 0;
  fastrnn::run_team(total - 1, [&](fastrnn::Team& team) {
    if (team.rank() == 0) beside = members_of_a_team_of_three();
    team.barrier();
  });
  check(beside == 1, "all but one thread are taken, so a team of three is a team of one");
  check(members_of_a_team_of_three() == 3, "they are given back");
  fastrnn::set_num_threads(before);
}

inline void test_team() {
  using fastrnn::fp_mode;
  volatile double tiny = 5e-324;
  const fastrnn::FpMode before = fp_mode();
  std::atomic<int> flushed{0}, members{0};
  fastrnn::run_team(3, [&](fastrnn::Team&) {
    flushed += tiny * 1.0 == 0;
    fastrnn::run_team(4, [&](fastrnn::Team& inner) { members += inner.size(); });
  });
  check(fp_mode() == before, "the floating-point mode of the caller comes back");
  check(flushed == 3, "subnormals are flushed on every thread of a team");
  check(tiny * 1.0 != 0, "and not outside of it");
  check(members == 3, "a team inside of a team has one thread");

  // Two threads with work of their own, of which the second waits for the end of the first, ...
  int steps = 0, seen = 0, of_one = 0;
  const auto apart = [&](bool fault, const fastrnn::Work& work = {}) {
    auto body = [&](fastrnn::Team& team) {
      fastrnn::Team alone = team.alone();
      alone.barrier();  // meets nobody
      if (team.rank() == 0) {
        for (steps = 0; steps < 1000; ++steps) alone.check();
        if (fault) throw std::runtime_error("the first");
      } else {
        if (alone.has_earlier()) alone.wait_for_earlier();
        seen = steps;
        of_one = alone.size() + alone.rank();
      }
    };
    fastrnn::run_team(2, body, work);
  };
  apart(false);
  check(seen == 1000 && of_one == 1, "a thread that works alone waits for those before it");
  // ... also where the first then waits for the second to time barriers, ...
  fastrnn::set_barrier_time({}, {});
  seen = 0;
  apart(false, {1e6});
  check(seen == 1000, "the second need not wait until the first has left");
  // ... unless that one fails.
  seen = 0;
  bool caught = false;
  try {
    apart(true);
  } catch (const std::runtime_error&) {
    caught = true;
  }
  check(caught && seen == 0, "the exception of one of two that work alone ends both");

  // A chain, whose second thread is never ahead of the first, ...
  bool ahead = false;
  const auto chain = [&](fastrnn::index_t fault) {
    std::atomic<fastrnn::index_t> done{0};
    fastrnn::run_team(2, [&](fastrnn::Team& team) {
      fastrnn::Team link = team.chained();
      for (fastrnn::index_t step = 1; step <= 1000; ++step) {
        link.check();
        link.wait_for_steps(step);
        if (team.rank() == 0) {
          if (step == fault) throw std::runtime_error("the first");
          done = step;
        } else {
          ahead |= done < step;
        }
        link.pass_on(step);
      }
      if (team.rank() == team.size() - 1) seen = static_cast<int>(done);
    });
  };
  chain(0);
  check(!ahead && seen == 1000, "each link of a chain follows the one before it");
  // ... and which the exception of the first ends.
  seen = 0;
  caught = false;
  try {
    chain(500);
  } catch (const std::runtime_error&) {
    caught = true;
  }
  check(caught && !ahead && seen == 0, "the exception of the first link ends a chain");

  // Control groups from the innermost outwards: unlimited, 2.5 and 8 processors.
  const std::filesystem::path root = std::filesystem::temp_directory_path() / "fastrnn_selftest";
  std::filesystem::create_directories(root / "a" / "b");
  std::ofstream(root / "membership") << "12:cpu:/ignored\n0::/a/b\n";
  std::ofstream(root / "a" / "b" / "cpu.max") << "max 100000\n";
  std::ofstream(root / "a" / "cpu.max") << "250000 100000\n";
  std::ofstream(root / "cpu.max") << "800000 100000\n";
  const std::string membership = (root / "membership").string(), mount = root.string();
  check(fastrnn::cgroup_limit(membership, mount) == 2, "the smallest quota counts, rounded down");
  std::ofstream(root / "a" / "cpu.max") << "1000 100000\n";
  check(fastrnn::cgroup_limit(membership, mount) == 1, "a hundredth of a processor is one thread");
  check(fastrnn::cgroup_limit(mount + "/no", mount) == fastrnn::kMaxThreads, "no group, no limit");
  std::filesystem::remove_all(root);
}

}  // namespace selftest
