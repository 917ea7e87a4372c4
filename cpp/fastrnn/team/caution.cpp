// Caution: after a team that was slower than one thread, the next calls run on one thread.
#include "fastrnn/team/caution.h"

#include <algorithm>

namespace fastrnn {
namespace {

using std::chrono::nanoseconds;
using Clock = std::chrono::steady_clock;

constexpr nanoseconds kLongestRest{1000000000};  // of a process that itself was stopped
constexpr nanoseconds kTimeSlice{1000000};       // no scheduler takes a core away for less
constexpr int kSlowInARow = 3;

constinit Caution cautions[Work::kClasses];

std::int64_t count(Caution::Time time) { return nanoseconds(time.time_since_epoch()).count(); }

// Time lost to waiting that one thread would not have lost.
nanoseconds loss(const TeamCost& cost) {
  return cost.working.count() > 0 ? cost.wall - cost.working : cost.idle / cost.size;
}

}  // namespace

bool Caution::should_be_alone(Time now) const {
  return count(now) < rest_until_.load(std::memory_order_relaxed);
}

void Caution::judge(const TeamCost& cost, Time now) {
  const nanoseconds lost = loss(cost);
  const bool slower = cost.working.count() > 0 && lost * 10 > cost.working;
  const bool robbed = lost > kTimeSlice && (slower || cost.working.count() == 0);
  if (!slower && !robbed) {
    slow_in_a_row_ = 0;
    lost_ = 0;
    return;
  }
  const std::int64_t all = lost_ += lost.count();
  // Threads that were asleep are slow to come, once.
  if (!robbed && ++slow_in_a_row_ < kSlowInARow) return;
  const bool again = count(now) < rest_until_ + rest_;
  factor_ = again ? std::min(2 * factor_, kMostRestOfLoss) : kRestOfLoss;
  rest_ = std::min(factor_ * all, std::int64_t{kLongestRest.count()});
  rest_until_ = count(now) + rest_;
  lost_ = 0;
}

bool should_be_alone(const Work& work) {
  if (!work.judged()) return false;
  const Caution& caution = caution_of(work);
  return caution.was_ever_needed() && caution.should_be_alone(Clock::now());
}

void judge(const Work& work, const TeamCost& cost) {
  if (work.judged() && cost.size > 1) caution_of(work).judge(cost, Clock::now());
}

Caution& caution_of(const Work& work) { return cautions[work.size_class()]; }

}  // namespace fastrnn
