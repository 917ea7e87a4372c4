// The padding of a ragged batch: zeros from where each row has ended.
#pragma once

#include "fastrnn/kernels/rnn/ranges-inl.h"
#include "fastrnn/rnn/table.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// Columns of some sorted rows of an array (T, N, ·). Time is the outermost loop, so that memory is
// written as it lies: row by row takes 2 to 2.5 times as long where most of it is padding.
template <class T>
FASTRNN_NOINLINE void zero_padding(const View<T, 3>& to, index_t T_all, const Steps& steps,
                                   Range rows, Range columns, Team& team) {
  if (rows.begin >= rows.end || columns.begin >= columns.end) return;
  index_t first = rows.end;  // that has ended: lengths fall
  for (index_t t = steps.row_length(rows.end - 1); t < T_all; ++t) {
    team.check();
    while (first > rows.begin && steps.row_length(first - 1) <= t) --first;
    for (index_t r = first; r < rows.end; ++r)
      __builtin_memset(to.at(t, steps.caller_row(r)) + columns.begin, 0,
                       static_cast<std::size_t>(columns.end - columns.begin) * sizeof(T));
  }
}

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
