// What zoneout keeps of the old states: as the caller gives it, or drawn where it is used.
//
// A draw is a number of Philox4x64-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2,
// 3", 2011) that depends on the call's key, the row, the time and the unit alone: no memory, the
// same bits on every instruction set and for any number of threads, and backward draws them again.
// It is NumPy's Philox: unit u of row n at time t is half u % 2 of number u / 2 that
// Philox(key=key, counter=[0, t, n, which]) gives.
#pragma once

#include "fastrnn/kernels/rnn/ranges-inl.h"
#include "fastrnn/memory/carver.h"
#include "fastrnn/rnn/layer.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

inline constexpr index_t kDrawsAtOnce = 8;  // 4 numbers of 64 bits

FASTRNN_INLINE void philox(const std::uint64_t (&counter)[4], const std::uint64_t (&key)[2],
                           std::uint64_t (&out)[4]) {
  __extension__ typedef unsigned __int128 Wide;
  constexpr std::uint64_t kMultiply[2] = {0xD2E7470EE14C6C93u, 0xCA5A826395121157u};
  constexpr std::uint64_t kStep[2] = {0x9E3779B97F4A7C15u, 0xBB67AE8584CAA73Bu};
  std::uint64_t c[4] = {counter[0], counter[1], counter[2], counter[3]}, k[2] = {key[0], key[1]};
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const Wide a = Wide{kMultiply[0]} * c[0], b = Wide{kMultiply[1]} * c[2];
    const std::uint64_t c1 = c[1], c3 = c[3];
    c[0] = static_cast<std::uint64_t>(b >> 64) ^ c1 ^ k[0];
    c[1] = static_cast<std::uint64_t>(b);
    c[2] = static_cast<std::uint64_t>(a >> 64) ^ c3 ^ k[1];
    c[3] = static_cast<std::uint64_t>(a);
    k[0] += kStep[0], k[1] += kStep[1];
  }
  for (int i = 0; i < 4; ++i) out[i] = c[i];
}

// 1 with probability p, else 0, for units begin .. end of a row.
template <class T>
FASTRNN_NOINLINE void draw_keeps(const Draws& draws, index_t time, index_t row, int which,
                                 Range units, T* to) {
  const auto threshold = static_cast<std::uint64_t>(draws.p * 0x1p32);  // p = 1: above all draws
  for (index_t block = units.begin / kDrawsAtOnce; block * kDrawsAtOnce < units.end; ++block) {
    std::uint64_t bits[4];
    // The first numbers that NumPy gives are those of the counter after the one that it is given.
    philox({static_cast<std::uint64_t>(block) + 1, static_cast<std::uint64_t>(time),
            static_cast<std::uint64_t>(row), static_cast<std::uint64_t>(which)},
           draws.key, bits);
    T keeps[kDrawsAtOnce];
    for (int i = 0; i < kDrawsAtOnce; ++i) {
      const std::uint64_t draw = i % 2 == 0 ? bits[i / 2] & 0xFFFFFFFFu : bits[i / 2] >> 32;
      keeps[i] = draw < threshold ? T(1) : T(0);
    }
    const index_t first = block * kDrawsAtOnce;
    for (index_t u = most(first, units.begin); u < least(first + kDrawsAtOnce, units.end); ++u)
      to[u] = keeps[u - first];
  }
}

// The lines of one state, h or c, for the rows of a step.
template <class T>
class KeepLines {
 public:
  enum Which { of_h, of_c };

  KeepLines(Which which, const View<const T, 3>& given, const Draws& draws, const Steps& steps,
            index_t padded, Carver& carver)
      : which_(which), given_(given), draws_(draws), steps_(steps), padded_(padded) {
    drawn_ = carver.take<T>(draws.on() ? steps.batch : 0, padded);
  }

  // These units of these sorted rows at step q, where they are to be drawn.
  void draw(index_t q, Range rows, Range units) const {
    if (!draws_.on()) return;
    for (index_t r = rows.begin; r < rows.end; ++r)
      draw_keeps(draws_, steps_.time(q), steps_.caller_row(r), which_, units, drawn_ + r * padded_);
  }
  FASTRNN_INLINE const T* line(index_t q, index_t r) const {
    return draws_.on() ? drawn_ + r * padded_ : given_.at(steps_.time(q), steps_.caller_row(r));
  }

 private:
  Which which_;
  const View<const T, 3>& given_;
  const Draws& draws_;
  const Steps& steps_;
  index_t padded_;
  T* drawn_;
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
