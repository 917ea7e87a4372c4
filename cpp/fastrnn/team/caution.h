// Caution: after a team that was slower than one thread, the next calls run on one thread.
#pragma once

#include <chrono>

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

// A core that another process keeps busy stops a team for milliseconds at its next barrier, and
// NumPy's own threads are such a process for a tenth of a second after each of its products.
bool should_be_alone(const Work& work);
void judge(const Work& work, const TeamCost& cost);

}  // namespace fastrnn
