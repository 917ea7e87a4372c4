// Ranges of rows and of panels, and each thread's share of them.
#pragma once

#include "fastrnn/kernels/rnn/tile-inl.h"
#include "fastrnn/rnn/table.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// A half-open range, and the part of it that falls to thread `rank` of `size`, cut at multiples of
// `grain`.
struct Range {
  index_t begin, end;
};
FASTRNN_INLINE Range share(index_t count, int rank, int size, index_t grain) {
  const index_t grains = ceil_div(count, grain);
  return {least(grains * rank / size * grain, count),
          least(grains * (rank + 1) / size * grain, count)};
}

// The share of a thread where items cost different amounts: the total cost is cut into equal parts,
// and an item belongs to the part that its middle lies in.
template <class F>
FASTRNN_INLINE Range share_costs(index_t count, int rank, int size, F&& cost) {
  index_t total = 0, before = 0;
  for (index_t i = 0; i < count; ++i) total += cost(i);
  Range mine{count, count};
  for (index_t i = 0; i < count; ++i) {
    const index_t middle = (2 * before + cost(i)) * size;
    if (middle >= 2 * total * rank) mine.begin = least(mine.begin, i);
    if (middle >= 2 * total * (rank + 1)) mine.end = least(mine.end, i);
    before += cost(i);
  }
  if (rank + 1 == size) mine.end = count;  // items at the end may cost nothing
  return mine;
}

// Rows [begin, end) of the sorted batch whose lengths add up to this thread's share.
FASTRNN_INLINE Range share_rows(const Steps& steps, int rank, int size) {
  if (steps.length == nullptr) return share(steps.batch, rank, size, 1);
  return share_costs(steps.batch, rank, size, [&](index_t r) { return steps.length[r]; });
}

// Rows of a long product between two looks for Ctrl-C: few enough to take milliseconds, many enough
// that looking costs nothing. They are counted by their multiply-adds, K an output, and by the
// memory that their first write brings in: for a row as far as row_bytes from the next one, up to a
// huge page that has to be cleared.
FASTRNN_INLINE index_t rows_at_once(index_t K, index_t row_bytes) {
  constexpr index_t kMultiplyAdds = index_t{1} << 20;
  constexpr index_t kFreshBytes = index_t{4} << 20, kHugePage = index_t{2} << 20;
  const index_t by_work = kMultiplyAdds / most(1, K);
  const index_t by_memory = kFreshBytes / most(1, least(row_bytes, kHugePage));
  return most(4, least(most(24, by_work), by_memory));
}

// f(first panel) for the groups of a range. Every other step begins at the end: what of the weights
// is still in the cache is used before it goes.
template <int Group, class F>
FASTRNN_INLINE void for_groups(Range panels, bool falling, F&& f) {
  const index_t count = ceil_div(panels.end - panels.begin, Group);
  for (index_t g = 0; g < count; ++g) f(panels.begin + (falling ? count - 1 - g : g) * Group);
}

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
