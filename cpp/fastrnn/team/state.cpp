// The barrier: threads spin, then sleep; exceptions and Ctrl-C release all who wait.
#include "fastrnn/team/state.h"

#include <time.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>

#include "fastrnn/error.h"
#include "fastrnn/team/barrier_time.h"
#include "fastrnn/team/limit.h"

#ifndef _WIN32
#include <unistd.h>
#endif

namespace fastrnn {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using Clock = TeamState::Clock;

// A wake-up costs tens of microseconds, so a short wait is spun through; a thread that has lost
// its core needs milliseconds, so a long one gives the core away. The spin must outlast the wake-up
// of a thread that slept: beside a busy core, giving the core away for less lost a time slice in
// every step (a call of .2 ms took 400 ms once in some hundred calls, with 30 us of spinning).
constexpr microseconds kSpin{200};
constexpr microseconds kBarrierPatience = kSpin;  // before sleep; crowded threads yield until then
constexpr microseconds kJoinPatience{1000};       // once per call, where shares may differ a little
constexpr milliseconds kPollInterval{50};
constexpr milliseconds kLongestPollInterval{200};

constexpr std::uint64_t kLeft = ~std::uint64_t{0};  // the epoch of a thread that has left

std::atomic<InterruptPoll> interrupt_poll{nullptr};

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" : : : "memory");  // yield is a no-op on most cores
#endif
}

// Of the calling thread, in ns; 0 where there is no such clock.
std::int64_t cpu_clock() {
#ifdef CLOCK_THREAD_CPUTIME_ID
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::int64_t{time.tv_sec} * 1000000000 + time.tv_nsec;
#else
  return 0;
#endif
}

auto process_id() {
#ifdef _WIN32
  return 0;  // no fork
#else
  return getpid();
#endif
}

}  // namespace

void set_interrupt_poll(InterruptPoll poll) { interrupt_poll = poll; }

TeamState::TeamState(int size, bool rank0_polls, bool measure)
    : measure_(measure), rank0_polls_(rank0_polls) {
  if (size == 1) return;
  progress_ = std::make_unique<Progress[]>(static_cast<std::size_t>(size));
  crowded_ = size > thread_limit();
}

bool TeamState::everybody_at(std::uint64_t epoch, int size) const {
  for (int k = 0; k < size; ++k) {
    if (progress_[static_cast<std::size_t>(k)].epoch.load() < epoch) return false;
  }
  return true;
}

// Publishing an epoch and looking for sleepers are sequentially consistent, as are counting
// oneself among the sleepers and looking at the epochs: one of two threads sees the other.
void TeamState::wake() noexcept {
  if (sleepers_.load() == 0) return;
  {
    const std::lock_guard lock(mutex_);
  }  // a sleeper holds it until it really sleeps
  awake_.notify_all();
}

template <class Ready>
void TeamState::sleep(int rank, Ready ready) {
  std::unique_lock lock(mutex_);
  sleepers_.fetch_add(1);
  if (rank == 0 && rank0_polls_) {
    awake_.wait_for(lock, kPollInterval, ready);
  } else {
    awake_.wait(lock, ready);
  }
  sleepers_.fetch_sub(1);
}

template <class Ready>
TeamState::Clock::duration TeamState::wait(int rank, microseconds patience, Ready ready) {
  for (int i = 0; i < 64; ++i) {  // most waits end here, before any clock is read
    if (ready()) return {};
    pause();
  }
  const Clock::time_point start = Clock::now();
  for (Clock::duration waited{}; waited < patience; waited = Clock::now() - start) {
    const bool spin = !crowded_ && waited < kSpin;
    for (int i = 0; i < 16; ++i) {
      if (ready()) return Clock::now() - start;
      if (spin) pause();
    }
    if (!spin) std::this_thread::yield();
  }
  while (!ready()) {
    sleep(rank, ready);
    if (rank == 0) look_at_clock();
  }
  return Clock::now() - start;
}

void TeamState::enter(int rank, int size) {
  if (size == 1) return;
  Progress& mine = progress_[static_cast<std::size_t>(rank)];
  mine.entered = Clock::now();
  if (measure_) mine.cpu = cpu_clock();
  if (rank == 0) size_ = size;
}

template <class Ready>
void TeamState::wait_or_stop(int rank, Ready ready) {
  Progress& mine = progress_[static_cast<std::size_t>(rank)];
  const Clock::duration waited =
      wait(rank, kBarrierPatience, [&] { return ready() || stop_.load(); });
  // The others may still be reading this line: left alone after a short wait, a barrier and the
  // exchange of h behind it take 152 instead of 168 ns (two cores of a Zen 5).
  if (waited.count() > 0) {
    mine.waited += waited;
    mine.spun += std::min<Clock::duration>(waited, kBarrierPatience);
  }
  if (stop_.load()) throw Stopped{};
}

void TeamState::meet(int rank, int size) {
  Progress& mine = progress_[static_cast<std::size_t>(rank)];
  const std::uint64_t epoch = mine.epoch.load(std::memory_order_relaxed) + 1;
  mine.epoch.exchange(epoch);
  wake();
  wait_or_stop(rank, [&] { return everybody_at(epoch, size); });
}

// Threads that work alone meet nobody before they time barriers or leave.
void TeamState::wait_for_earlier(int rank) {
  const Progress& mine = progress_[static_cast<std::size_t>(rank)];
  const std::uint64_t next = mine.epoch.load(std::memory_order_relaxed) + 1;
  wait_or_stop(rank, [&] { return everybody_at(next, rank); });
}

void TeamState::pass_on(int rank, index_t steps) {
  progress_[static_cast<std::size_t>(rank)].steps.exchange(steps);
  wake();
}

void TeamState::wait_for_steps(int rank, index_t steps) {
  const Progress& before = progress_[static_cast<std::size_t>(rank - 1)];
  wait_or_stop(rank, [&] { return before.steps.load() >= steps; });
}

void TeamState::time_barriers(int rank, int size) {
  if (!barrier_time_wanted_ || crowded_ || size == 1) return;
  constexpr int kTimed = 4;
  Clock::duration least = Clock::duration::max();
  for (int run = 0; run < 3; ++run) {  // in some of which a thread may lose its core
    meet(rank, size);
    const Clock::time_point start = Clock::now();
    for (int i = 0; i < kTimed; ++i) meet(rank, size);
    least = std::min(least, Clock::now() - start);
  }
  // Of more threads each looks at the lines of all others.
  if (rank == 0) set_barrier_time(least / kTimed * 2 / size, Clock::now());
}

void TeamState::leave(int rank, int size) {
  if (size == 1) return;
  Progress& mine = progress_[static_cast<std::size_t>(rank)];
  if (measure_) mine.cpu = cpu_clock() - mine.cpu;
  mine.left = Clock::now();
  mine.epoch.exchange(kLeft);
  wake();
  // Ctrl-C must work while rank 0 has nothing to do but wait for the others.
  if (rank == 0) wait(rank, kJoinPatience, [&] { return everybody_at(kLeft, size); });
}

TeamCost TeamState::cost(Clock::duration wall) const {
  TeamCost cost;
  cost.size = size_;
  cost.wall = wall;
  for (int k = 0; size_ > 1 && k < size_; ++k) {
    const Progress& one = progress_[static_cast<std::size_t>(k)];
    cost.idle += wall - (one.left - one.entered) + one.waited;
    if (measure_) cost.working += std::chrono::nanoseconds(one.cpu) - one.spun;
  }
  return cost;
}

void TeamState::fail(std::exception_ptr fault) noexcept {
  if (!faulty_.exchange(true)) fault_ = std::move(fault);
  stop_.store(true);
  wake();
}

void TeamState::rethrow() {
  if (fault_) std::rethrow_exception(std::move(fault_));
}

void TeamState::ask_poll() noexcept {
  const InterruptPoll poll = interrupt_poll.load();
  if (poll == nullptr) return;
  const auto process = process_id();
  bool stop = false;
  {
    const FpScope scope(caller_mode_);  // the poll runs other people's code
    stop = poll();
  }
  if (way_out_ != nullptr && process_id() != process) {
    fault_ = stop ? std::make_exception_ptr(Interrupted{})
                  : std::make_exception_ptr(std::runtime_error(
                        "this process was forked by a signal handler during a call, whose other "
                        "threads it does not have"));
    std::longjmp(*way_out_, 1);
  }
  if (stop) fail(std::make_exception_ptr(Interrupted{}));
}

// Nobody will ever wake those who slept here, and the destructor would wait for them.
void TeamState::end_in_child() {
  set_fp_mode(caller_mode_);
  std::construct_at(&awake_);
}

// The clock costs as much as a tiny time step, so quick steps share one look.
void TeamState::look_at_clock() noexcept {
  const Clock::time_point now = Clock::now();
  const bool first = looked_ == Clock::time_point{};
  const bool slow = now - looked_ > microseconds(500);
  checks_between_ = first || slow ? 1 : std::min(2 * checks_between_, 16);
  checks_left_ = checks_between_;
  looked_ = now;
  if (!rank0_polls_) return;
  if (first) next_poll_ = now + kPollInterval;
  if (now < next_poll_) return;
  ask_poll();
  // A poll that had to wait for the interpreter is asked less often.
  const Clock::time_point after = Clock::now();
  next_poll_ =
      after + std::clamp<Clock::duration>(200 * (after - now), kPollInterval, kLongestPollInterval);
}

}  // namespace fastrnn
