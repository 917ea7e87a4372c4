// Team: a thread's view of the team that it works in.
#pragma once

#include "fastrnn/types.h"

namespace fastrnn {

class TeamState;

// One thread's view of the team it runs in.
class Team {
 public:
  Team(TeamState& state, int rank, int size)
      : state_(state), rank_(rank), size_(size), thread_(rank) {}
  int rank() const { return rank_; }
  int size() const { return size_; }

  // All threads meet. Throws in every thread once any of them has failed or been interrupted.
  void barrier();

  // The same thread as a team of one: it has work of its own, for which it meets nobody.
  Team alone() const {
    Team team = *this;
    team.rank_ = 0;
    team.size_ = 1;
    return team;
  }
  // As alone(), in a chain: the steps of each thread are what the next one's begin with.
  Team chained() const {
    Team team = alone();
    team.chained_ = size_ > 1;
    return team;
  }
  // In a chain (elsewhere it does nothing): this thread has done so many steps; the next one sees
  // all that it has written.
  void pass_on(index_t steps);
  // Waits until the thread before this one has done so many steps; throws as barrier() does. False
  // where there is none before it in a chain.
  bool wait_for_steps(index_t steps);

  // Whether this thread works alone() beside others of lower rank.
  bool has_earlier() const { return thread_ > rank_; }
  // Returns once these have done all their work; throws as barrier() does.
  void wait_for_earlier();

  // Call about once per time step: cheap; throws when the team is to stop. The first of all threads
  // also asks the interrupt poll, at most every 50 ms.
  void check();

 private:
  TeamState& state_;
  int rank_, size_;
  int thread_;  // its rank among all threads, also when it works alone
  bool chained_ = false;
};

// Installed by the bindings: returns true when the calling thread should stop (Ctrl-C). It is only
// ever called on the thread that called run_team.
using InterruptPoll = bool (*)();
void set_interrupt_poll(InterruptPoll poll);

}  // namespace fastrnn
