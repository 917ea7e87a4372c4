// TeamState: shared by the threads of one team: barrier, stop flag, first exception.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csetjmp>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>

#include "fastrnn/team/caution.h"
#include "fastrnn/team/fp_mode.h"
#include "fastrnn/team/team.h"

namespace fastrnn {

// Unwinds a thread whose team is to stop; it never leaves launch.cpp.
struct Stopped {};

class TeamState {
 public:
  using Clock = std::chrono::steady_clock;

  // rank0_polls: rank 0 is the thread that called run_team, so it may ask the interrupt poll.
  // measure: the processor time of its threads is wanted in cost().
  TeamState(int size, bool rank0_polls, bool measure = false);

  void enter(int rank, int size);                // this thread's first act
  void meet(int rank, int size);                 // the barrier
  void wait_for_earlier(int rank);               // until the bodies of lower ranks have ended
  void pass_on(int rank, index_t steps);         // see Team
  void wait_for_steps(int rank, index_t steps);  // of the thread before this one
  void time_barriers(int rank, int size);  // if want_barrier_time() was called before it began
  void leave(int rank, int size);  // this thread's last act; rank 0 then waits for the others
  void fail(std::exception_ptr fault) noexcept;
  void ask_poll() noexcept;       // on the thread that called run_team
  void look_at_clock() noexcept;  // rank 0

  bool stopped() const { return stop_.load(std::memory_order_relaxed); }
  bool time_to_look() { return --checks_left_ == 0; }  // rank 0
  void never_look() { checks_left_ = 0; }
  void want_barrier_time() { barrier_time_wanted_ = true; }
  TeamCost cost(Clock::duration wall) const;  // after the join, as is
  void rethrow();

  // Sets where the thread that called run_team continues if the poll returns in a forked child.
  void in_child_jump_to(std::jmp_buf* way_out) { way_out_ = way_out; }
  void end_in_child();

 private:
  // A thread counts its barriers in a line of its own (two: they are fetched in pairs), so that
  // meeting costs one hop and no shared counter.
  struct alignas(128) Progress {
    std::atomic<std::uint64_t> epoch{0};
    std::atomic<index_t> steps{0};  // that it has done, in a chain
    // This thread's own, for cost().
    Clock::time_point entered{}, left{};
    Clock::duration waited{}, spun{};  // spun: the part of it that took processor time
    std::int64_t cpu = 0;              // ns; since entering, or the clock then
  };

  bool everybody_at(std::uint64_t epoch, int size) const;
  template <class Ready>
  Clock::duration wait(int rank, std::chrono::microseconds patience, Ready ready);
  template <class Ready>
  void wait_or_stop(int rank, Ready ready);
  template <class Ready>
  void sleep(int rank, Ready ready);
  void wake() noexcept;

  std::unique_ptr<Progress[]> progress_;  // none for a team of one
  int size_ = 1;                          // of the team that came, known to those who are in it
  bool measure_ = false, barrier_time_wanted_ = false;
  bool crowded_ = false;  // more threads than cores: whoever we wait for may need ours
  std::atomic<bool> stop_{false}, faulty_{false};
  std::atomic<int> sleepers_{0};
  std::mutex mutex_;
  std::condition_variable awake_;
  std::exception_ptr fault_;
  const FpMode caller_mode_ = fp_mode();
  std::jmp_buf* way_out_ = nullptr;

  // Rank 0 alone: when to look at the clock, and when to ask the poll.
  const bool rank0_polls_;
  int checks_left_ = 8, checks_between_ = 1;  // a single step of a small layer ends before
  Clock::time_point looked_{}, next_poll_{};
};

}  // namespace fastrnn
