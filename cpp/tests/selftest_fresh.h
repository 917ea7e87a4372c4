// Ctrl-C: how much memory a kernel brings in between two looks for it. Most of the time of a first
// write is that of the system, which clears every new page.
#pragma once

#ifdef FASTRNN_TEST_HOOKS

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "fastrnn/nn/ops.h"
#include "fastrnn/rnn/args.h"
#include "fastrnn/rnn/ops.h"
#include "tests/selftest_check.h"
#include "tests/selftest_run.h"

#ifdef __linux__
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace selftest {

#ifdef __linux__
// Memory of this process that is really there; percpu counters make it a little late.
inline long resident_bytes() {
  long pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return pages * sysconf(_SC_PAGESIZE);
}

// What a call brings in: in all, and at most between two calls of check().
class FreshMemory {
 public:
  template <class F>
  explicit FreshMemory(F&& call) {
    first = before = resident_bytes();
    most = 0;
    fastrnn::call_in_check(look);
    call();
    fastrnn::call_in_check(nullptr);
    look();
  }
  long at_once() const { return most; }
  long in_all() const { return before - first; }

 private:
  static void look() {
    const long now = resident_bytes();
    most = std::max(most, now - before);
    before = now;
  }
  static inline long first = 0, before = 0, most = 0;
};

// Zeros of the system's, none of them there yet.
class FreshFloats {
 public:
  explicit FreshFloats(index_t count) : bytes_(at(count) * sizeof(float)) {
    data_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data_ == MAP_FAILED) throw std::bad_alloc();
  }
  ~FreshFloats() { munmap(data_, bytes_); }
  FreshFloats(const FreshFloats&) = delete;
  FreshFloats& operator=(const FreshFloats&) = delete;
  float* data() const { return static_cast<float*>(data_); }

 private:
  std::size_t bytes_;
  void* data_;
};

inline void check_fresh(const char* name, long expected, const FreshMemory& fresh) {
  constexpr long kMegabyte = 1 << 20, kMost = 12 * kMegabyte;
  const auto megabytes = [](long bytes) { return std::to_string(bytes / kMegabyte) + " MB"; };
  check(fresh.in_all() >= expected, std::string(name) + " brings in " + megabytes(expected) +
                                        ", seen: " + megabytes(fresh.in_all()));
  check(fresh.at_once() <= kMost,
        std::string(name) + " looks for Ctrl-C every 12 MB, seen: " + megabytes(fresh.at_once()));
}

inline void test_fresh_memory() {
  constexpr long kMegabyte = 1 << 20;
  {
    // Each row of y begins on a page of its own, so the first group of columns brings in all of it.
    const index_t M = 12000, O = 1024;
    std::vector<float> x(at(M)), w(at(O));
    const FreshFloats y(M * O);
    check_fresh("linear", 40 * kMegabyte, FreshMemory([&] {
                  fastrnn::linear_forward<float>({1,
                                                  matrix<const float>(x.data(), M, 1),
                                                  matrix<const float>(w.data(), O, 1),
                                                  {},
                                                  matrix(y.data(), M, O)});
                }));
    // and here dw is so
    const index_t I = 1 << 16, U = 256;
    std::vector<float> wide(at(I)), dy(at(U));
    const FreshFloats dw(U * I);
    check_fresh("linear, backward", 60 * kMegabyte, FreshMemory([&] {
                  fastrnn::linear_backward<float>({1,
                                                   matrix<const float>(dy.data(), 1, U),
                                                   matrix<const float>(wide.data(), 1, I),
                                                   matrix<const float>(dw.data(), U, I),
                                                   {},
                                                   matrix(dw.data(), U, I),
                                                   {}});
                }));
  }
  {
    // One step of many rows: their gates are a single chunk.
    const index_t N = 100000, H = 16;
    std::vector<float> x(at(N)), w_ih(at(4 * H)), w_hh(at(4 * H * H));
    const FreshFloats y(N * H), h_n(N * H), c_n(N * H);
    fastrnn::RnnForwardArgs<float> a{};
    a.layer.cell = Cell::lstm;
    a.num_threads = 1;
    a.in.x = cube<const float>(x.data(), 1, N, 1);
    a.layer.weights.w_ih = matrix<const float>(w_ih.data(), 4 * H, 1);
    a.layer.weights.w_hh = matrix<const float>(w_hh.data(), 4 * H, H);
    a.y = cube(y.data(), 1, N, H);
    a.h_n = matrix(h_n.data(), N, H);
    a.c_n = matrix(c_n.data(), N, H);
    check_fresh("lstm", 40 * kMegabyte, FreshMemory([&] { fastrnn::rnn_forward(a); }));
  }
}
#else
inline void test_fresh_memory() {}
#endif

}  // namespace selftest

#endif
