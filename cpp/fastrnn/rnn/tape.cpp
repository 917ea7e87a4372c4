// The order of rows and steps of a ragged batch, and copies of a tape's gates and cell states.
#include "fastrnn/rnn/tape.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <string>

#include "fastrnn/check_shape.h"
#include "fastrnn/error.h"
#include "fastrnn/team/launch.h"

namespace fastrnn {

StepOrder::StepOrder(index_t T, index_t N, const View<const index_t, 1>& lengths, bool backwards)
    : count(N > 0 ? T : 0), batch(N), reverse(backwards) {
  if (!lengths) return;
  // Copied before they are looked at: another thread may be writing to the caller's array.
  std::vector<index_t> given(static_cast<std::size_t>(N));
  bool ragged = false;
  for (index_t n = 0; n < N; ++n) {
    const index_t value = given[static_cast<std::size_t>(n)] = *lengths.at(n);
    FASTRNN_CHECK(value >= 0 && value <= T, "lengths must be in 0..T = 0.." + std::to_string(T) +
                                                ", got lengths[" + std::to_string(n) +
                                                "] = " + std::to_string(value));
    ragged = ragged || value != T;
  }
  if (!ragged) return;
  const auto length_of = [&](index_t n) { return given[static_cast<std::size_t>(n)]; };
  order.resize(given.size());
  std::iota(order.begin(), order.end(), index_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](index_t a, index_t b) { return length_of(a) > length_of(b); });
  length.reserve(order.size());
  for (index_t n : order) length.push_back(length_of(n));
  count = length.front();
  offset.push_back(0);
  index_t rows = reverse ? 0 : N;
  for (index_t q = 0; q < count; ++q) {
    const index_t t = reverse ? count - 1 - q : q;
    // Sorted by falling length, so the rows that exist at time t are a prefix.
    while (!reverse && length[static_cast<std::size_t>(rows - 1)] <= t) --rows;
    while (reverse && rows < N && length[static_cast<std::size_t>(rows)] > t) ++rows;
    active.push_back(rows);
    offset.push_back(offset.back() + rows);
  }
}

Steps StepOrder::steps() const {
  Steps s;
  s.count = count;
  s.reverse = reverse;
  s.batch = batch;
  if (order.empty()) return s;
  s.active = active.data();
  s.offset = offset.data();
  s.order = order.data();
  s.length = length.data();
  return s;
}

namespace {

// f(workspace row, time, caller's row) for every existing step. A team of one looks for Ctrl-C.
template <class F>
void for_steps(const Steps& steps, F&& f) {
  run_team(1, [&](Team& team) {
    for (index_t q = 0; q < steps.count; ++q)
      for (index_t r = 0; r < steps.rows(q); ++r) {
        team.check();
        f(steps.first_row(q) + r, steps.time(q), steps.caller_row(r));
      }
  });
}

float widened(Half x) {
  const std::uint32_t size = x.bits & 0x7fffu, sign = std::uint32_t{x.bits} >> 15 << 31;
  const float subnormal = static_cast<float>(size) * 0x1p-24f;
  const std::uint32_t bits = size < 0x400    ? std::bit_cast<std::uint32_t>(subnormal)
                             : size > 0x7c00 ? 0x7fc00000u  // no number
                                             : (size << 13) + (112u << 23);
  return std::bit_cast<float>(sign | bits);
}

template <class T>
T read(const T* kept, const Half* halves, index_t at) {
  return halves != nullptr ? static_cast<T>(widened(halves[at])) : kept[at];
}

template <class T, int Rank>
void zero(const View<T, Rank>& out) {  // C-contiguous
  index_t count = 1;
  for (index_t n : out.shape) count *= n;
  std::fill_n(out.data, count, T(0));
}

}  // namespace

template <class T>
void Tape<T>::copy_gates(View<T, 4> out) const {
  FASTRNN_CHECK(filled() && !spent, "tape is spent: read its gates before backward");
  const index_t L = table->lanes, G = shape().gates, S = shape().slots;
  check_shape("out", out, "(T, N, G, H)", {dims.T, dims.N, G, dims.H});
  zero(out);
  for_steps(order.steps(), [&](index_t row, index_t t, index_t n) {
    for (index_t gate = 0; gate < G; ++gate) {
      const index_t slot = shape().slot_of_gate(static_cast<int>(gate));
      for (index_t unit = 0; unit < dims.H; ++unit)
        out.data[((t * dims.N + n) * G + gate) * dims.H + unit] = read(
            kept.gates, kept.half_gates, ((row * panels() + unit / L) * S + slot) * L + unit % L);
    }
  });
}

template <class T>
void Tape<T>::copy_cells(View<T, 3> out) const {
  FASTRNN_CHECK(filled() && !spent, "tape is spent: read its cell states before backward");
  FASTRNN_CHECK(shape().cell_state, "tape has no cell states: only an LSTM has them");
  check_shape("out", out, "(T, N, H)", {dims.T, dims.N, dims.H});
  zero(out);
  const index_t L = table->lanes;
  for_steps(order.steps(), [&](index_t row, index_t t, index_t n) {
    for (index_t unit = 0; unit < dims.H; ++unit)
      *(out.at(t, n) + unit) =
          read(kept.cells, kept.half_cells, (row * panels() + unit / L) * L + unit % L);
  });
}

template class Tape<float>;
template class Tape<double>;

}  // namespace fastrnn
