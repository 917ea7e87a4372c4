// Caution: after a team that was slower than one thread, the next calls run on one thread.
#include "fastrnn/team/caution.h"

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace fastrnn {
namespace {

using std::chrono::nanoseconds;
using Clock = std::chrono::steady_clock;

constexpr nanoseconds kLongestRest{1000000000};  // of a process that itself was stopped
constexpr nanoseconds kTimeSlice{1000000};       // no scheduler takes a core away for less
constexpr int kSlowInARow = 3;

// A team is tried again after so many times what the last one lost, twice as many where that one
// was lost soon after a rest, too: a core that stays busy costs a fortieth of the time, and one
// that was busy for a moment, by a thread that spun before it slept, is soon used again. (Rests
// that doubled up to a second until 16 calls had been good kept calls of 3 ms alone on an idle
// machine: beside other libraries in turns there never were as many in a turn.)
constexpr int kRestOfLoss = 10, kMostRestOfLoss = 40;

// Several threads may judge at once; the last one to write decides.
struct Class {
  std::atomic<std::int64_t> rest_until{0}, rest{0}, lost{0};
  std::atomic<int> factor{kRestOfLoss}, slow_in_a_row{0};
};
constinit Class classes[Work::kClasses];

std::int64_t now() { return nanoseconds(Clock::now().time_since_epoch()).count(); }

// Time lost to waiting that one thread would not have lost.
nanoseconds loss(const TeamCost& cost) {
  return cost.working.count() > 0 ? cost.wall - cost.working : cost.idle / cost.size;
}

}  // namespace

bool should_be_alone(const Work& work) {
  if (!work.judged()) return false;
  const Class& c = classes[work.size_class()];
  const std::int64_t until = c.rest_until.load(std::memory_order_relaxed);
  return until != 0 && now() < until;
}

void judge(const Work& work, const TeamCost& cost) {
  if (!work.judged() || cost.size == 1) return;
  Class& c = classes[work.size_class()];
  const nanoseconds lost = loss(cost);
  const bool slower = cost.working.count() > 0 && lost * 10 > cost.working;
  const bool robbed = lost > kTimeSlice && (slower || cost.working.count() == 0);
  if (!slower && !robbed) {
    c.slow_in_a_row = 0;
    c.lost = 0;
    return;
  }
  const std::int64_t all = c.lost += lost.count();
  // Threads that were asleep are slow to come, once.
  if (!robbed && ++c.slow_in_a_row < kSlowInARow) return;
  const std::int64_t time = now();
  const bool again = time < c.rest_until + c.rest;
  c.factor = again ? std::min(2 * c.factor, kMostRestOfLoss) : kRestOfLoss;
  c.rest = std::min(c.factor * all, std::int64_t{kLongestRest.count()});
  c.rest_until = time + c.rest;
  c.lost = 0;
}

}  // namespace fastrnn
