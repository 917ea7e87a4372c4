// Caution: after a team that was slower than one thread would have been, the next calls are alone.
#include "fastrnn/caution.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>

namespace fastrnn {
namespace {

using std::chrono::nanoseconds;
using Clock = std::chrono::steady_clock;

constexpr int kClasses = 8;                      // of 16 times the size each
constexpr nanoseconds kLongestRest{1000000000};  // then a team is tried again
constexpr int kRestOfCalls = 2;                  // a first rest, in durations of the bad call
constexpr nanoseconds kTimeSlice{1000000};       // no scheduler takes a core away for less
constexpr int kSlowInARow = 3;
constexpr int kGoodAgain = 16;  // calls after which a bad one is the first again

// Several threads may judge at once; whoever is last has the word.
struct Class {
  std::atomic<std::int64_t> rest_until{0}, rest{0};
  std::atomic<int> good{kGoodAgain}, slow_in_a_row{0};
};
constinit Class classes[kClasses];

Class& class_of(double multiply_adds) {
  const int size = std::ilogb(std::max(multiply_adds, 1.0)) / 4 - 4;
  return classes[std::clamp(size, 0, kClasses - 1)];
}

std::int64_t now() { return nanoseconds(Clock::now().time_since_epoch()).count(); }

// Time lost to waiting that one thread would not have lost.
nanoseconds loss(const TeamCost& cost) {
  return cost.working.count() > 0 ? cost.wall - cost.working : cost.idle / cost.size;
}

}  // namespace

bool worth_measuring(double multiply_adds) { return multiply_adds >= 4e6; }

bool should_be_alone(double multiply_adds) {
  if (multiply_adds <= 0) return false;
  const std::int64_t until = class_of(multiply_adds).rest_until.load(std::memory_order_relaxed);
  return until != 0 && now() < until;
}

void judge(double multiply_adds, const TeamCost& cost) {
  if (multiply_adds <= 0 || cost.size == 1) return;
  Class& c = class_of(multiply_adds);
  const int good = c.good.load(std::memory_order_relaxed);
  const nanoseconds lost = loss(cost);
  const bool slower = cost.working.count() > 0 && lost * 10 > cost.working;
  const bool robbed = lost > kTimeSlice && (slower || cost.working.count() == 0);
  if (!slower && !robbed) {
    c.slow_in_a_row = 0;
    if (good < kGoodAgain) c.good = good + 1;
    return;
  }
  // Threads that were asleep are slow to come, once.
  if (!robbed && ++c.slow_in_a_row < kSlowInARow) return;
  const std::int64_t first = kRestOfCalls * cost.wall.count();
  const std::int64_t rest = good < kGoodAgain ? std::max(2 * c.rest, first) : first;
  c.rest = std::min(rest, std::int64_t{kLongestRest.count()});
  c.rest_until = now() + c.rest;
  c.good = 0;
}

}  // namespace fastrnn
