// The decoder's time loop, forward: rows are independent, so threads own rows and never wait.
//
// gates comes with W_ih x + b_ih + b_hh of all steps (hn without), which no step waits for.
#pragma once

#include "fastrnn/cells/all-inl.h"
#include "fastrnn/kernels/nn/attend-inl.h"
#include "fastrnn/kernels/nn/decoder_panels-inl.h"
#include "fastrnn/nn/table.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class T>
FASTRNN_INLINE index_t count_of(const View<const index_t, 1>& lengths, index_t row, index_t all) {
  return lengths ? *lengths.at(row) : all;
}

// The positions of a row of memory that exist, in an array laid out like it.
template <class T, class View3>
FASTRNN_INLINE Lines<T> lines_of(const View3& array, const View<const index_t, 1>& lengths,
                                 index_t row) {
  return {array.at(0, row), array.stride[0], count_of<T>(lengths, row, array.shape[0]),
          array.shape[2]};
}

template <class C, class T>
class DecoderForward {
  static constexpr index_t L = kLanes<T>;

 public:
  DecoderForward(const DecoderForwardTask<T>& task, Carver& carver, int threads)
      : a_(task.args),
        H_(task.args.w_hh.shape[1]),
        ready_(task.packed),
        panels_(task.args, true, task.narrow) {
    Carver packed(task.packed);
    panels_.take(ready_ ? packed : carver);
    rows_.take(carver, threads, panels_.bytes(rows_.kAtOnce));
  }

  void run(Team& team) {
    if (!ready_) panels_.fill(team);
    rows_.bind(team);
    team.barrier();
    rows_.for_blocks(a_.gates.shape[1], team, [&] {
      for (index_t t = 0; t < a_.gates.shape[0]; ++t) step(t, team);
    });
  }

 private:
  void step(index_t t, Team& team) {
    team.check();
    rows_.list(a_.lengths, t, [&](index_t n) { idle(t, n); });
    const auto gates = [&](index_t n) { return a_.gates.at(t, n); };
    if (a_.table)
      rows_.for_active([&](index_t n) {
        const index_t token = *a_.tokens.at(t * a_.gates.shape[1] + n);
        copy_row(a_.table.at(token), C::shape.gates * H_, gates(n));
      });
    if (!a_.current) attend(t, t, team);
    const auto before = [&](index_t n) { return a_.states.at(t, n); };
    if (a_.F > 0) {
      const View<T, 3>& from = a_.current ? a_.fed : a_.contexts;
      const auto is_wanted = [&](index_t n) { return a_.current || projected_row(n) < 0; };
      rows_.product(
          panels_.feed, true, [&](index_t n) { return from.at(t, n); }, gates, team, is_wanted);
    }
    rows_.product(panels_.recurrent, true, before, gates, team);
    if (!C::shape.cell_state)
      rows_.product(
          panels_.candidate, false, before, [&](index_t n) { return gates(n) + 3 * H_; }, team);
    rows_.for_active([&](index_t n) { cell(t, n); });
    if (a_.current) attend(t, t + 1, team);
    output(t, team);
  }

  // A row without step t keeps its state.
  void idle(index_t t, index_t n) {
    copy_row(a_.states.at(t, n), H_, a_.states.at(t + 1, n));
    if (C::shape.cell_state) copy_row(a_.cells.at(t, n), H_, a_.cells.at(t + 1, n));
    if (carries_fed()) copy_row(a_.fed.at(t, n), a_.F, a_.fed.at(t + 1, n));
    if (a_.queries) clear_row(a_.queries.at(t, n), a_.queries.shape[2]);
    clear_row(a_.outputs.at(t, n), a_.outputs.shape[2]);
    clear_row(a_.contexts.at(t, n), a_.contexts.shape[2]);
    clear_row(a_.attn.at(t, n), a_.attn.shape[2]);
  }

  bool carries_fed() const { return a_.current && a_.F > 0; }

  // The weights and the context of state number `state`, for step t.
  void attend(index_t t, index_t state, Team& team) {
    const auto states = [&](index_t n) { return a_.states.at(state, n); };
    if (a_.w_query)
      rows_.product(
          panels_.query, false, states, [&](index_t n) { return a_.queries.at(t, n); }, team);
    rows_.for_active([&](index_t n) {
      const index_t row = memory_row(n);
      const T* const query = a_.w_query ? a_.queries.at(t, n) : states(n);
      const Lines<T> memory = lines_of<T>(a_.memory, a_.memory_lengths, row);
      T* const attn = a_.attn.at(t, n);
      if (a_.score == Score::additive)
        additive_scores(lines_of<T>(a_.keys, a_.memory_lengths, row), query, a_.vector, attn);
      else
        dot_lines(memory, query, attn);
      softmax_in_place(attn, memory.count);
      clear_row(attn + memory.count, a_.attn.shape[2] - memory.count);
      sum_lines(memory, attn, false, a_.contexts.at(t, n));
      if (feeds_context()) add_projected(t, n, 0, C::shape.gates * H_, a_.gates.at(t, n));
      team.check();
    });
  }

  index_t memory_row(index_t n) const { return a_.memory_rows ? *a_.memory_rows.at(n) : n; }
  index_t projected_row(index_t n) const {
    return a_.projected ? *a_.projected_rows.at(memory_row(n)) : -1;
  }
  bool feeds_context() const { return !a_.current && a_.F > 0; }

  // to += these columns of what multiplies the context, where memory has been multiplied by it.
  void add_projected(index_t t, index_t n, index_t column, index_t width, T* to) {
    const index_t row = projected_row(n);
    if (row < 0) return;
    const index_t count = count_of<T>(a_.memory_lengths, memory_row(n), a_.memory.shape[0]);
    sum_lines<T>({a_.projected.at(0, row) + column, a_.projected.stride[0], count, width},
                 a_.attn.at(t, n), true, to);
  }

  void cell(index_t t, index_t n) {
    T* const gates = a_.gates.at(t, n);
    for (index_t i = 0; i < H_; i += L) {
      const index_t left = H_ - i;
      Vec<T> slot[C::shape.slots];
      FASTRNN_UNROLL
      for (int s = 0; s < C::shape.slots; ++s)
        slot[s] = load(gates + column_of<C>(s) * H_ + i, left);
      ForwardUnit<T> u{};
      u.h_before = load(a_.states.at(t, n) + i, left);
      if constexpr (C::shape.cell_state) u.c = load(a_.cells.at(t, n) + i, left);
      cell_forward<C, 0, C::shape.stages>(slot, u);
      FASTRNN_UNROLL
      for (int s = 0; s < C::shape.slots; ++s)
        store(gates + column_of<C>(s) * H_ + i, slot[s], left);
      store(a_.states.at(t + 1, n) + i, u.h, left);
      if constexpr (C::shape.cell_state) store(a_.cells.at(t + 1, n) + i, u.c, left);
    }
  }

  void output(index_t t, Team& team) {
    const index_t O = a_.outputs.shape[2];
    const auto to = [&](index_t n) { return a_.outputs.at(t, n); };
    if (a_.w_output) {
      rows_.product(
          panels_.output_h, false, [&](index_t n) { return a_.states.at(t + 1, n); }, to, team);
      rows_.product(
          panels_.output_c, true, [&](index_t n) { return a_.contexts.at(t, n); }, to, team,
          [&](index_t n) { return projected_row(n) < 0; });
    }
    rows_.for_active([&](index_t n) {
      T* const y = to(n);
      if (a_.w_output) add_projected(t, n, feeds_context() ? C::shape.gates * H_ : 0, O, y);
      if (!a_.w_output) copy_row(a_.states.at(t + 1, n), H_, y);
      for (index_t i = 0; a_.w_output && i < O; i += L)
        store(y + i, tanh<T>(load(y + i, O - i)), O - i);
      if (carries_fed())
        copy_row(a_.w_output ? y : a_.contexts.at(t, n), a_.F, a_.fed.at(t + 1, n));
    });
  }

  const DecoderForwardArgs<T>& a_;
  index_t H_;
  bool ready_;  // the panels came with the call
  DecoderRows<T> rows_;
  DecoderPanels<T> panels_;
};

// f(a kernel of this cell), Kernel being DecoderForward or DecoderBackward.
template <template <class, class> class Kernel, class T, class Task, class F>
FASTRNN_INLINE void with_decoder(const Task& task, Carver& carver, int threads, F&& f) {
  if (task.args.lstm) {
    Kernel<lstm, T> kernel(task, carver, threads);
    f(kernel);
  } else {
    Kernel<gru_after, T> kernel(task, carver, threads);
    f(kernel);
  }
}

template <template <class, class> class Kernel, class T, class Task>
struct DecoderOperation {
  using Args = Task;
  static std::size_t bytes(const Task& task, int threads) {
    Carver sizes(nullptr);
    with_decoder<Kernel, T>(task, sizes, threads, [](auto&) {});
    return sizes.bytes();
  }
  static void run(const Task& task, unsigned char* scratch, Team& team) {
    Carver carver(scratch);
    with_decoder<Kernel, T>(task, carver, team.size(), [&](auto& kernel) { kernel.run(team); });
  }
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
