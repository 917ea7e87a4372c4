// Which units zoneout keeps at a step: as the caller says, or drawn where it is used.
//
// Whether a unit stays depends on the call's key, the row, the step and the unit alone, so that
// draws take no memory, backward draws them again, and no bit depends on threads or vectors.
#pragma once

#include "fastrnn/kernels/random-inl.h"
#include "fastrnn/kernels/rnn/ranges-inl.h"
#include "fastrnn/memory/carver.h"
#include "fastrnn/rnn/layer.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// 1 with probability p, else 0, for some units of a row; the first one is even.
template <class T>
FASTRNN_NOINLINE void draw_keeps(const Draws& draws, index_t time, index_t row, int which,
                                 Range units, T* __restrict to) {
  constexpr int kPairs = 32;
  const auto line = static_cast<std::uint64_t>(2 * row + which);
  const std::uint64_t key =
      random_bits(random_bits(draws.key, line), static_cast<std::uint64_t>(time));
  const bool all = draws.p >= 1;
  const auto threshold = static_cast<std::uint32_t>(all ? 0 : draws.p * 0x1p32);
  std::uint32_t numbers[2 * kPairs];
  for (index_t unit = units.begin; unit < units.end; unit += 2 * kPairs) {
    random_numbers<kPairs>(key, unit, numbers);
    const index_t count = least(2 * kPairs, units.end - unit);
    for (index_t u = 0; u < count; ++u) to[unit + u] = all || numbers[u] < threshold ? T(1) : T(0);
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
