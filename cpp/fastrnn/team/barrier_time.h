// How long a barrier takes here and now. The same two threads need 50 ns for one or 300, depending
// on which cores of the machine a hypervisor has given them, and that changes within minutes.
#pragma once

#include <chrono>

namespace fastrnn {

// Whether the next team should time some at its end: ten times a second at most.
bool barrier_time_is_due(std::chrono::steady_clock::time_point now);
void set_barrier_time(std::chrono::nanoseconds of_two, std::chrono::steady_clock::time_point now);

// Of a team of two, as last timed; 0 once that is a second old, because a long one keeps teams from
// being made, and then nobody times it.
std::chrono::nanoseconds barrier_time(
    std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now());

}  // namespace fastrnn
