// Allocation faults: operator new of this program counts, and fails when it is told to. Clang's
// thread sanitizer has an operator new of its own and no room for this one.
#pragma once

#include <atomic>
#include <cstdlib>
#include <new>

#include "tests/selftest_race.h"

namespace selftest {

#ifdef SELFTEST_RACE
inline constexpr bool kAllocationsFail = false;
#else
inline constexpr bool kAllocationsFail = true;
#endif

inline std::atomic<long> live_blocks{0};
inline std::atomic<long> until_failure{-1};  // negative: never

// The allocation number `n` from now on (from 0) fails, and only that one.
inline void fail_allocation(long n) { until_failure = n; }
inline bool failed_allocation() { return until_failure.load() < 0; }

inline void* allocate(std::size_t size, std::size_t alignment) {
  if (until_failure.load() >= 0 && until_failure.fetch_sub(1) == 0) return nullptr;
  constexpr std::size_t kLimit = std::size_t{1} << 32;  // no test needs more, so none asks
  if (size > kLimit) return nullptr;
  const std::size_t rounded = (size + alignment - 1) / alignment * alignment;
  void* block = std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
  if (block != nullptr) ++live_blocks;
  return block;
}

inline void release(void* block) {
  if (block == nullptr) return;
  --live_blocks;
  std::free(block);
}

}  // namespace selftest

#ifndef SELFTEST_RACE
void* operator new(std::size_t size) {
  if (void* block = selftest::allocate(size, __STDCPP_DEFAULT_NEW_ALIGNMENT__)) return block;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  if (void* block = selftest::allocate(size, static_cast<std::size_t>(alignment))) return block;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return selftest::allocate(size, __STDCPP_DEFAULT_NEW_ALIGNMENT__);
}
void operator delete(void* block) noexcept { selftest::release(block); }
void operator delete(void* block, std::size_t) noexcept { selftest::release(block); }
void operator delete(void* block, std::align_val_t) noexcept { selftest::release(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept {
  selftest::release(block);
}
void operator delete(void* block, const std::nothrow_t&) noexcept { selftest::release(block); }
#endif
