// Caution: after a team that was slower than one thread would have been, the next calls are alone.
#pragma once

#include <chrono>

namespace fastrnn {

// What a team of `size` threads cost.
struct TeamCost {
  using Duration = std::chrono::nanoseconds;
  int size = 0;
  Duration wall{};
  Duration idle{};     // time that threads waited, all together
  Duration working{};  // their processor time without that of waiting; 0: not measured
};

// Calls are judged among those of about the same number of multiply-adds; 0 is never judged.
// A core that another process keeps busy stops a team for milliseconds at its next barrier, and
// NumPy's own threads are such a process for a tenth of a second after each of its products.
bool should_be_alone(double multiply_adds);
void judge(double multiply_adds, const TeamCost& cost);

// Whether the processor time of such a call is to be measured, which takes a microsecond.
bool worth_measuring(double multiply_adds);

}  // namespace fastrnn
