// Team: a thread's view of the team that it works in.
#pragma once

namespace fastrnn {

class TeamState;

// One thread's view of the team it runs in.
class Team {
 public:
  Team(TeamState& state, int rank, int size) : state_(state), rank_(rank), size_(size) {}
  int rank() const { return rank_; }
  int size() const { return size_; }

  // All threads meet. Throws in every thread once any of them has failed or been interrupted.
  void barrier();

  // Call about once per time step: cheap; throws when the team is to stop. Rank 0 also asks
  // the interrupt poll, at most every 50 ms.
  void check();

 private:
  TeamState& state_;
  int rank_, size_;
};

// Installed by the bindings: returns true when the calling thread should stop (Ctrl-C). It is only
// ever called on the thread that called run_team.
using InterruptPoll = bool (*)();
void set_interrupt_poll(InterruptPoll poll);

}  // namespace fastrnn
