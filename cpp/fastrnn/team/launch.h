// run_team: the one place where parallel regions are made. Everybody else sees a Team.
#pragma once

#include <type_traits>

#include "fastrnn/team/limit.h"
#include "fastrnn/team/team.h"
#include "fastrnn/team/work.h"

namespace fastrnn {

using TeamBody = void (*)(void* context, Team& team);

// Runs body on `threads` threads (fewer when the process-wide budget or the system gives fewer)
// and returns when all are done. n = 1 never enters OpenMP; inside another parallel region n is 1;
// after fork the region starts from a fresh thread. Subnormals are flushed inside only. The first
// exception thrown by a body is rethrown here after all have left.
// Where teams have lately been slower than one thread would have been for such work (caution.h),
// there is one thread.
void run_team_raw(int threads, const Work& work, TeamBody body, void* context);

template <class F>
void run_team(int threads, F&& f, const Work& work = {}) {
  using Fn = std::remove_reference_t<F>;
  run_team_raw(
      threads, work, [](void* context, Team& team) { (*static_cast<Fn*>(context))(team); }, &f);
}

// The user's thread count (at least 1): default = min(FASTRNN_NUM_THREADS, OMP_NUM_THREADS,
// affinity mask, cgroup quota). set_num_threads(n) overrides it, and may exceed the cores; Error
// when n is not in 1..kMaxThreads. Neither exceeds what OpenMP's own setting has been lowered to.
int num_threads();
void set_num_threads(int n);

// Whether the threads of a team stay for the next one that the same thread makes: new ones take
// tens of microseconds.
bool threads_are_kept();

const char* threads_backend();  // "openmp" or "std::thread"

#ifdef FASTRNN_TEST_HOOKS
// The thread of this rank throws std::runtime_error from its check() number `calls` (from 0) of
// the next region it takes part in; rank -1 disarms.
void throw_in_worker(int rank, int calls);
// hook is called by rank 0 in each of its check(); null: no more.
void call_in_check(void (*hook)());
#endif

}  // namespace fastrnn
