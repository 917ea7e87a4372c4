// How many threads this process may keep busy: affinity, cgroup quota and environment variables.
#pragma once

#include <string>

namespace fastrnn {

inline constexpr int kMaxThreads = 1024;  // more is taken for a mistake

// min(physical cores in the affinity mask, cgroup v2 quota, FASTRNN_NUM_THREADS, OMP_NUM_THREADS),
// at least 1, read once. Error when FASTRNN_NUM_THREADS is not an integer in 1..kMaxThreads.
int thread_limit();

// The smallest quota, in whole processors (at least 1), from the group that `membership` (a file
// like /proc/self/cgroup) names up to the root of `mount`; kMaxThreads where none is set.
int cgroup_limit(const std::string& membership, const std::string& mount);

}  // namespace fastrnn
