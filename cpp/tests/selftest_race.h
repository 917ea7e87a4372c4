// A race that is there on purpose: a thread sanitizer that does not find it would find no other.
#pragma once

#include "fastrnn/team/launch.h"

#if defined(__SANITIZE_THREAD__)
#define SELFTEST_RACE 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SELFTEST_RACE 1
#endif
#endif

#ifdef SELFTEST_RACE
namespace selftest {

// Both threads of a team count in one place, and nothing orders them.
inline void planted_race() {
  volatile long count = 0;
  fastrnn::run_team(2, [&](fastrnn::Team&) {
    for (int i = 0; i < 1000; ++i) count = count + 1;
  });
}

}  // namespace selftest
#endif
