// How long a barrier takes here and now.
#include "fastrnn/team/barrier_time.h"

#include <atomic>
#include <cstdint>

namespace fastrnn {
namespace {

using std::chrono::nanoseconds;
using Time = std::chrono::steady_clock::time_point;

constexpr nanoseconds kBetween{100000000}, kOld{1000000000};

std::atomic<std::int64_t> timed_at{0}, time_of_two{0};

nanoseconds age(Time now) { return now.time_since_epoch() - nanoseconds(timed_at); }

}  // namespace

bool barrier_time_is_due(Time now) { return age(now) > kBetween; }

void set_barrier_time(nanoseconds of_two, Time now) {
  time_of_two = of_two.count();
  timed_at = nanoseconds(now.time_since_epoch()).count();
}

nanoseconds barrier_time(Time now) {
  return age(now) < kOld ? nanoseconds(time_of_two) : nanoseconds{};
}

}  // namespace fastrnn
