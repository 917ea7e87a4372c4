// check: counts what holds and what does not, and prints the first failures.
#pragma once

#include <cstdio>
#include <string>

namespace selftest {

inline long passed = 0, failed = 0;

inline void check(bool good, const std::string& what) {
  ++(good ? passed : failed);
  if (!good && failed <= 20) std::fprintf(stderr, "FAILED %s\n", what.c_str());
}

}  // namespace selftest
