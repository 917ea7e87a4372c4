// Measures what a machine can do at most: multiply-add rate, read bandwidth, barrier round trip.
//
// A tool of the benches, compiled for this very machine with -march=native; no part of the package.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <thread>
#include <vector>

namespace {

#if defined(__AVX512F__)
constexpr std::size_t kVectorBytes = 64;
#elif defined(__AVX__)
constexpr std::size_t kVectorBytes = 32;
#else
constexpr std::size_t kVectorBytes = 16;
#endif

template <class T>
struct Lanes {
  typedef T Vec __attribute__((vector_size(kVectorBytes)));
  static constexpr int count = kVectorBytes / sizeof(T);
};

// Independent chains that fit in 16 registers beside two constants and cover latency 4 × 2 ports.
constexpr int kChains = 12;

volatile double sink;  // what is stored here cannot be optimised away
volatile double factor = 0.5, term = 0.5;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Every thread waits here for all others; spins, and gives the core away when that takes long.
class Barrier {
 public:
  explicit Barrier(int size) : size_(size), missing_(size) {}
  void wait() {
    const int epoch = epoch_.load(std::memory_order_relaxed);
    if (missing_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      missing_.store(size_, std::memory_order_relaxed);
      epoch_.store(epoch + 1, std::memory_order_release);
      return;
    }
    for (int spins = 0; epoch_.load(std::memory_order_acquire) == epoch; ++spins)
      if (spins > 4096) std::this_thread::yield();
  }

 private:
  const int size_;
  // Apart from each other: the spinning threads must not be disturbed by those that arrive.
  alignas(128) std::atomic<int> missing_;
  alignas(128) std::atomic<int> epoch_{0};
};

// Runs make() and then the work it returned on every thread until the time is up; the sum over
// threads of what work() returned, per second.
template <class Make>
double rate(int threads, double seconds, Make make) {
  Barrier barrier(threads);
  std::vector<double> rates(static_cast<std::size_t>(threads), 0.0);
  auto body = [&](int rank) {
    auto work = make();
    work();
    barrier.wait();
    const auto start = Clock::now();
    double units = 0, elapsed = 0;
    while (elapsed < seconds) {
      units += work();
      elapsed = seconds_since(start);
    }
    rates[static_cast<std::size_t>(rank)] = units / elapsed;
  };
  std::vector<std::thread> others;
  for (int rank = 1; rank < threads; ++rank) others.emplace_back(body, rank);
  body(0);
  for (auto& thread : others) thread.join();
  double total = 0;
  for (double one : rates) total += one;
  return total;
}

template <class T>
double multiply_add() {
  using Vec = typename Lanes<T>::Vec;
  constexpr int kSteps = 4096;
  const Vec a = Vec{} + static_cast<T>(factor), b = Vec{} + static_cast<T>(term);
  Vec chains[kChains];
  for (int i = 0; i < kChains; ++i) chains[i] = b + static_cast<T>(i);
  for (int step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) chains[i] = chains[i] * a + b;
  }
  Vec sum = chains[0];
  for (int i = 1; i < kChains; ++i) sum += chains[i];
  sink = static_cast<double>(sum[0]);
  return 2.0 * kSteps * kChains * Lanes<T>::count;
}

// A thread's own buffer, touched first by that thread and read from end to end.
class Reader {
 public:
  explicit Reader(std::int64_t bytes)
      : vectors_(static_cast<std::size_t>(bytes) / kVectorBytes / kChains * kChains),
        passes_(std::max<std::int64_t>(1, (std::int64_t{1} << 20) / bytes)),
        data_(static_cast<Vec*>(std::aligned_alloc(kVectorBytes, vectors_ * kVectorBytes)),
              std::free) {
    if (data_ == nullptr) throw std::bad_alloc();
    for (std::size_t i = 0; i < vectors_; ++i) data_.get()[i] = Vec{} + 1.0f;
  }
  double operator()() const {
    Vec sums[kChains] = {};
    for (std::int64_t pass = 0; pass < passes_; ++pass) {
      const Vec* p = data_.get();
      for (std::size_t i = 0; i < vectors_; i += kChains) {
#pragma GCC unroll 12
        for (std::size_t k = 0; k < kChains; ++k) sums[k] += p[i + k];
      }
    }
    Vec sum = sums[0];
    for (int k = 1; k < kChains; ++k) sum += sums[k];
    sink = static_cast<double>(sum[0]);
    return static_cast<double>(passes_) * static_cast<double>(vectors_ * kVectorBytes);
  }

 private:
  using Vec = Lanes<float>::Vec;
  std::size_t vectors_;
  std::int64_t passes_;
  std::unique_ptr<Vec, void (*)(void*)> data_;
};

}  // namespace

extern "C" {

// Flop per second of all threads together; double when is_double is not 0, else float.
double machine_peak(int threads, int is_double, double seconds) {
  if (is_double != 0) return rate(threads, seconds, [] { return multiply_add<double>; });
  return rate(threads, seconds, [] { return multiply_add<float>; });
}

// Bytes per second of all threads together, each reading `bytes` of its own; needs 24 kB or more.
double machine_read(int threads, std::int64_t bytes, double seconds) {
  return rate(threads, seconds, [=] { return Reader(bytes); });
}

// Seconds of one barrier, all threads arriving at once.
double machine_barrier(int threads, int rounds) {
  Barrier barrier(threads);
  auto body = [&] {
    for (int i = 0; i < rounds; ++i) barrier.wait();
  };
  std::vector<std::thread> others;
  for (int rank = 1; rank < threads; ++rank) others.emplace_back(body);
  barrier.wait();  // the last to start is waited for outside of the clock
  const auto start = Clock::now();
  for (int i = 1; i < rounds; ++i) barrier.wait();
  const double elapsed = seconds_since(start);
  for (auto& thread : others) thread.join();
  return elapsed / std::max(1, rounds - 1);
}

// Bytes of the vectors that the above was compiled for.
int machine_vector_bytes() { return static_cast<int>(kVectorBytes); }
}
