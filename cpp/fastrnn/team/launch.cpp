// run_team: makes teams, by OpenMP or with threads of our own, and limits their sizes.
#include "fastrnn/team/launch.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csetjmp>
#include <cstdlib>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "fastrnn/error.h"
#include "fastrnn/team/barrier_time.h"
#include "fastrnn/team/caution.h"
#include "fastrnn/team/limit.h"
#include "fastrnn/team/state.h"
#include "fastrnn/thread_local.h"

#ifdef FASTRNN_USE_OPENMP
#include <omp.h>
#endif
#ifndef _WIN32
#include <pthread.h>
#endif

namespace fastrnn {
namespace {

std::atomic<int> user_threads{0};  // 0: thread_limit()
std::atomic<int> busy_threads{0};  // in teams of more than one
std::atomic<int> forks{0};         // how many forks lie between this process and its first one
FASTRNN_THREAD_LOCAL bool in_team = false;
FASTRNN_THREAD_LOCAL bool stranded =
    false;  // left a region by fork; OpenMP believes that it is inside

#ifdef FASTRNN_TEST_HOOKS
std::atomic<int> hook_rank{-1}, hook_calls{0};
std::atomic<void (*)()> check_hook{nullptr};
#endif

#ifndef _WIN32
// Atomics only: another thread of the parent may have held any lock, and part of the budget.
void in_child() {
  ++forks;
  busy_threads = 0;
}
[[maybe_unused]] const int at_fork = pthread_atfork(nullptr, nullptr, in_child);
#endif

// A region's share of the threads this process may keep busy, at least one.
class Budget {
 public:
  explicit Budget(int want) {
    const int total = std::max({num_threads(), thread_limit(), want});
    int used = busy_threads.load();
    do {
      threads_ = std::clamp(total - used, 1, want);
    } while (!busy_threads.compare_exchange_weak(used, used + threads_));
  }
  ~Budget() {
    if (forks == forks_before_) busy_threads.fetch_sub(threads_);  // a child begins with none
  }
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;
  int threads() const { return threads_; }

 private:
  int threads_ = 1;
  const int forks_before_ = forks;
};

// One thread's part in a team. Nothing leaves it but through the state.
void take_part(TeamState& state, int rank, int size, TeamBody body, void* context) noexcept {
  const FpScope scope(kKernelFpMode);
  const bool outer = std::exchange(in_team, in_team || size > 1);
  state.enter(rank, size);
  try {
    Team team(state, rank, size);
    body(context, team);
    state.time_barriers(rank, size);
  } catch (const Stopped&) {
  } catch (...) {
    state.fail(std::current_exception());
  }
  state.leave(rank, size);
  in_team = outer;
}

void run_serial(TeamBody body, void* context, const Work& work = {}) {
  TeamState state(1, true);
  if (work.brief()) state.never_look();
  take_part(state, 0, 1, body, context);
  state.rethrow();
}

// Up to size - 1 threads beside this one; they start together, knowing how many could be made.
class Crew {
 public:
  template <class F>
  Crew(int size, F work_of) {
    try {
      threads_.reserve(static_cast<std::size_t>(size - 1));
      for (int rank = 1; rank < size; ++rank) {
        threads_.emplace_back([this, rank, work_of] {
          size_.wait(0);
          work_of(rank, size_.load());
        });
      }
    } catch (const std::system_error&) {  // no more threads to be had: a smaller crew
    } catch (const std::bad_alloc&) {
    }
    size_ = static_cast<int>(threads_.size()) + 1;
    size_.notify_all();
  }
  ~Crew() {
    for (std::thread& thread : threads_) thread.join();
  }
  int size() const { return size_; }

 private:
  std::vector<std::thread> threads_;
  std::atomic<int> size_{0};
};

#ifdef FASTRNN_USE_OPENMP
// libgomp ends the process when it cannot make a thread, so a team that is larger than this
// thread's last one (whose threads it still holds) is first tried out with threads of our own,
// while some memory is held back for libgomp's other needs.
struct Probe {
  int threads;
  bool more;  // than before: libgomp is about to make some
};
Probe probe(int threads) {
  static FASTRNN_THREAD_LOCAL int last = 1;
  const bool more = threads > last;
  if (more) {
    void* reserve = ::operator new(std::size_t{1} << 20, std::nothrow);
    asm volatile("" : : "r"(reserve) : "memory");  // or the pair new, delete may be dropped
    threads = reserve == nullptr ? 1 : Crew(threads, [](int, int) {}).size();
    ::operator delete(reserve);
  }
  if (threads > 1) last = threads;
  return {threads, more};
}

// Returns whether threads had to be made for it that stay for the next one.
bool region(TeamState& state, int asked, TeamBody body, void* context) noexcept {
  const Probe found = probe(asked);
  if (found.threads == 1) {
    take_part(state, 0, 1, body, context);
    return found.more;
  }
#pragma omp parallel num_threads(found.threads)
  take_part(state, omp_get_thread_num(), omp_get_num_threads(), body, context);
  return found.more;
}

bool in_foreign_region() { return omp_in_parallel() != 0; }

// threadpoolctl and its like lower this thread's number through OpenMP, also below what the user
// once gave to set_num_threads.
const int openmp_threads_at_start = omp_get_max_threads();
int within_openmp_limit(int threads, bool from_user) {
  const int limit = omp_get_max_threads();
  return from_user && limit >= openmp_threads_at_start ? threads : std::min(threads, limit);
}
#else
bool region(TeamState& state, int threads, TeamBody body, void* context) noexcept {
  const Crew crew(threads,
                  [&](int rank, int size) { take_part(state, rank, size, body, context); });
  take_part(state, 0, crew.size(), body, context);
  return false;  // they go with it
}

bool in_foreign_region() { return false; }
int within_openmp_limit(int threads, bool) { return threads; }
#endif

// libgomp's pool belongs to the thread that made it and did not survive the fork, but the thread
// that forked still believes in it and would wait for ever. A new thread makes a pool of its own.
void region_in_child(TeamState& state, int threads, TeamBody body, void* context) {
  std::mutex mutex;
  std::condition_variable finished;
  bool done = false;
  const auto master = [&] {
    region(state, threads, body, context);
    const std::lock_guard lock(mutex);
    done = true;
    finished.notify_one();
  };
  std::thread thread;
  try {
    thread = std::thread(master);
  } catch (const std::system_error&) {
    return run_serial(body, context);
  }
  std::unique_lock lock(mutex);
  while (!finished.wait_for(lock, std::chrono::milliseconds(50), [&] { return done; })) {
    lock.unlock();
    state.ask_poll();
    lock.lock();
  }
  lock.unlock();
  thread.join();
}

// Calls run, and returns whether this is a child process that a signal handler forked in the middle
// of it. Then the other threads of the team do not exist, and both runtimes would wait for them at
// the end of the region: the way out of it is a jump. What the team held is left alone.
template <class F>
bool forks_inside(TeamState& state, F run) {
  std::jmp_buf way_out;
  if (setjmp(way_out) == 0) {
    state.in_child_jump_to(&way_out);
    run();
    return false;
  }
  in_team = false;
  stranded = true;
  state.end_in_child();
  return true;
}

// FASTRNN_FORK=serial keeps forked children on one thread.
bool serial_children() {
  static const bool serial = [] {
    const char* text = std::getenv("FASTRNN_FORK");
    const std::string mode = text == nullptr ? "" : text;
    FASTRNN_CHECK(mode.empty() || mode == "serial",
                  "FASTRNN_FORK must be 'serial' or unset, got '" + mode + "'");
    return mode == "serial";
  }();
  return serial;
}

}  // namespace

void Team::barrier() {
  if (size_ > 1) state_.meet(rank_, size_);
}

void Team::wait_for_earlier() { state_.wait_for_earlier(thread_); }

void Team::pass_on(index_t steps) {
  if (chained_) state_.pass_on(thread_, steps);
}

bool Team::wait_for_steps(index_t steps) {
  if (!chained_ || thread_ == 0) return false;
  state_.wait_for_steps(thread_, steps);
  return true;
}

void Team::check() {
#ifdef FASTRNN_TEST_HOOKS
  if (thread_ == hook_rank && hook_calls.fetch_sub(1) == 0) {
    throw std::runtime_error("throw_in_worker");
  }
  if (void (*const hook)() = check_hook; hook != nullptr && thread_ == 0) hook();
#endif
  if (thread_ == 0 && state_.time_to_look()) state_.look_at_clock();
  if (state_.stopped()) throw Stopped{};
}

void run_team_raw(int threads, const Work& work, TeamBody body, void* context) {
  FASTRNN_DCHECK(threads >= 1);
  if (threads <= 1 || in_team || (in_foreign_region() && !stranded))
    return run_serial(body, context, work);
  if (should_be_alone(work)) return run_serial(body, context);
  if (forks > 0 && serial_children()) return run_serial(body, context);
  const Budget budget(threads);
  if (budget.threads() == 1) return run_serial(body, context);
#ifdef FASTRNN_USE_OPENMP
  const bool fresh_master = forks > 0;
#else
  const bool fresh_master = false;  // a crew is new for every call
#endif
  TeamState state(budget.threads(), !fresh_master, work.measured());
  const auto start = TeamState::Clock::now();
  if (work.judged() && barrier_time_is_due(start)) state.want_barrier_time();
  bool made = false;
  const bool forked = forks_inside(state, [&] {
    if (fresh_master)
      region_in_child(state, budget.threads(), body, context);
    else
      made = region(state, budget.threads(), body, context);
  });
  if (forked) state.rethrow();
  // To make threads takes milliseconds, once: after such a loss the first 30 ms of a training were
  // on one thread.
  if (!made) judge(work, state.cost(TeamState::Clock::now() - start));
  state.rethrow();
}

int num_threads() {
  const int n = user_threads.load(std::memory_order_relaxed);
  return within_openmp_limit(n > 0 ? n : thread_limit(), n > 0);
}

void set_num_threads(int n) {
  FASTRNN_CHECK(
      n >= 1 && n <= kMaxThreads,
      "num_threads must be in 1.." + std::to_string(kMaxThreads) + ", got " + std::to_string(n));
  user_threads = n;
}

bool threads_are_kept() {
#ifdef FASTRNN_USE_OPENMP
  return forks == 0;  // see region_in_child
#else
  return false;
#endif
}

const char* threads_backend() {
#ifdef FASTRNN_USE_OPENMP
  return "openmp";
#else
  return "std::thread";
#endif
}

#ifdef FASTRNN_TEST_HOOKS
void throw_in_worker(int rank, int calls) {
  hook_calls = calls;
  hook_rank = rank;
}
void call_in_check(void (*hook)()) { check_hook = hook; }
#endif

}  // namespace fastrnn
