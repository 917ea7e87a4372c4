// How many threads this process may keep busy; asked once, because files are read for it.
#include "fastrnn/team/limit.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <thread>
#include <vector>

#include "fastrnn/error.h"

#ifdef __linux__
#include <sched.h>
#endif

namespace fastrnn {
namespace {

// The integer that text starts with, or 0; `rest` is where it ended.
int leading_integer(const char* text, const char** rest) {
  int value = 0;
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), value);
  *rest = end;
  return error == std::errc{} ? value : 0;
}

int own_variable() {
  const char* text = std::getenv("FASTRNN_NUM_THREADS");
  if (text == nullptr || *text == '\0') return kMaxThreads;
  const char* rest;
  const int n = leading_integer(text, &rest);
  FASTRNN_CHECK(n >= 1 && n <= kMaxThreads && *rest == '\0',
                "FASTRNN_NUM_THREADS must be an integer in 1.." + std::to_string(kMaxThreads) +
                    ", got '" + text + "'");
  return n;
}

// OpenMP allows a list, one number per nesting level; what it would ignore is ignored here.
int openmp_variable() {
  const char* text = std::getenv("OMP_NUM_THREADS");
  if (text == nullptr) return kMaxThreads;
  const char* rest;
  const int n = leading_integer(text + std::strspn(text, " \t"), &rest);
  return n >= 1 ? std::min(n, kMaxThreads) : kMaxThreads;
}

#ifdef __linux__
// Hyperthreads share one set of multipliers, so cores are counted: a core is known by its first
// thread. Where the topology is hidden every logical processor counts.
int cores_of(const cpu_set_t* set, std::size_t bytes, int cpus) {
  std::vector<int> cores;
  for (int cpu = 0; cpu < cpus; ++cpu) {
    if (!CPU_ISSET_S(static_cast<std::size_t>(cpu), bytes, set)) continue;
    int first = cpu;
    std::ifstream("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                  "/topology/thread_siblings_list") >>
        first;
    cores.push_back(first);
  }
  std::sort(cores.begin(), cores.end());
  return static_cast<int>(std::unique(cores.begin(), cores.end()) - cores.begin());
}

int affinity_limit() {
  for (int cpus = 1024; cpus <= 1 << 20; cpus *= 4) {  // the kernel's mask may be larger than 1024
    std::vector<cpu_set_t> set(CPU_ALLOC_SIZE(cpus) / sizeof(cpu_set_t));
    const std::size_t bytes = set.size() * sizeof(cpu_set_t);
    if (sched_getaffinity(0, bytes, set.data()) == 0) return cores_of(set.data(), bytes, cpus);
  }
  return static_cast<int>(std::thread::hardware_concurrency());
}
#else
int affinity_limit() { return static_cast<int>(std::thread::hardware_concurrency()); }
#endif

// cpu.max holds "quota period" in microseconds, or "max period".
int quota_of(const std::string& group) {
  double quota = 0, period = 0;
  if (!(std::ifstream(group + "/cpu.max") >> quota >> period) || period <= 0) return kMaxThreads;
  // Rounded down: a team that overdraws its quota stands still at a barrier until the next period.
  return static_cast<int>(std::clamp(quota / period, 1.0, static_cast<double>(kMaxThreads)));
}

}  // namespace

int cgroup_limit(const std::string& membership, const std::string& mount) {
  std::ifstream file(membership);
  int limit = kMaxThreads;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("0::/", 0) != 0) continue;  // version 1 hierarchies have other numbers
    std::string group = line.substr(3);        // "/a/b", or "/" inside a container
    while (group.size() > 1) {
      limit = std::min(limit, quota_of(mount + group));
      group.resize(std::max<std::size_t>(group.rfind('/'), 1));
    }
    limit = std::min(limit, quota_of(mount));
  }
  return limit;
}

int thread_limit() {
  static const int limit =
      std::clamp(std::min({affinity_limit(), cgroup_limit("/proc/self/cgroup", "/sys/fs/cgroup"),
                           own_variable(), openmp_variable()}),
                 1, kMaxThreads);
  return limit;
}

}  // namespace fastrnn
