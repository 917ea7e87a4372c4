// Caution: after a team that was slower than one thread, the next calls run on one thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "fastrnn/team/work.h"

namespace fastrnn {

// The time that a team of `size` threads took.
struct TeamCost {
  using Duration = std::chrono::nanoseconds;
  int size = 0;
  Duration wall{};
  Duration idle{};     // time that threads waited, all together
  Duration working{};  // their processor time without that of waiting; 0: not measured
};

// What the teams of calls of like size have taught. Several threads may judge at once; the last one
// to write decides.
class Caution {
 public:
  using Time = std::chrono::steady_clock::time_point;

  bool should_be_alone(Time now) const;
  void judge(const TeamCost& cost, Time now);
  bool was_ever_needed() const { return rest_until_.load(std::memory_order_relaxed) != 0; }

 private:
  // A team is tried again after so many times what the last one lost, twice as many where that one
  // was lost soon after a rest, too: a core that stays busy costs a fortieth of the time, and one
  // that was busy for a moment, by a thread that spun before it slept, is soon used again. (Rests
  // that doubled up to a second until 16 calls had been good kept calls of 3 ms alone on an idle
  // machine: beside other libraries in turns there never were as many in a turn.)
  static constexpr int kRestOfLoss = 10, kMostRestOfLoss = 40;

  std::atomic<std::int64_t> rest_until_{0}, rest_{0}, lost_{0};  // nanoseconds
  std::atomic<int> factor_{kRestOfLoss}, slow_in_a_row_{0};
};

// A core that another process keeps busy stops a team for milliseconds at its next barrier, and
// NumPy's own threads are such a process for a tenth of a second after each of its products.
bool should_be_alone(const Work& work);
void judge(const Work& work, const TeamCost& cost);
Caution& caution_of(const Work& work);

}  // namespace fastrnn
