// To be preloaded (LD_PRELOAD): allocations by NumPy, the core and the C++ library fail on request.
//
// tests/concurrency/test_allocations.py compiles it. Python's own allocations always succeed, and
// so do those of the OpenMP runtime, which ends the process when one fails: run_team tries a team
// out before OpenMP may start one.
#include <dlfcn.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
}

namespace {

std::atomic<bool> armed{false}, go_on{false};
std::atomic<long> left{0}, failures{0};

// Whether the allocation that this address asks for is to fail.
bool fails(const void* caller) {
  if (!armed) return false;
  Dl_info module;
  if (dladdr(caller, &module) == 0 || module.dli_fname == nullptr) return false;
  bool ours = false;
  for (const char* name : {"fastrnn/_core.", "_multiarray_umath.", "libstdc++."})
    ours = ours || std::strstr(module.dli_fname, name) != nullptr;
  if (!ours) return false;
  const long number = left.fetch_sub(1);
  if (number > 0 || (number < 0 && !go_on)) return false;
  ++failures;
  errno = ENOMEM;
  return true;
}

}  // namespace

extern "C" {

// From now on the allocation number n (from 0) fails, and with `all` every one after it.
void fail_allocation(long n, int all) {
  left = n;
  go_on = all != 0;
  failures = 0;
  armed = true;
}

// No more failures; how many there were.
long stop_failing() {
  armed = false;
  return failures;
}

void* malloc(std::size_t bytes) {
  return fails(__builtin_return_address(0)) ? nullptr : __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  return fails(__builtin_return_address(0)) ? nullptr : __libc_calloc(count, bytes);
}
void* realloc(void* block, std::size_t bytes) {
  return fails(__builtin_return_address(0)) ? nullptr : __libc_realloc(block, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  return fails(__builtin_return_address(0)) ? nullptr : __libc_memalign(alignment, bytes);
}
int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  if (fails(__builtin_return_address(0))) return ENOMEM;
  *block = __libc_memalign(alignment, bytes);
  return *block == nullptr ? ENOMEM : 0;
}

}  // extern "C"
