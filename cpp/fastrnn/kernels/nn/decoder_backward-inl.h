// The decoder's backward pass through time, and the gradients of its memory.
//
// A step ends with the gradients by its gates in the place of the gates; the products over all
// steps, for the weights and for x, are taken by the front door afterwards.
#pragma once

#include "fastrnn/kernels/nn/decoder_forward-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class C, class T>
class DecoderBackward {
  static constexpr index_t L = kLanes<T>;

 public:
  DecoderBackward(const DecoderBackwardTask<T>& task, Carver& carver, int threads)
      : a_(task.args),
        work_(task.work),
        H_(task.args.w_hh.shape[1]),
        limit_(task.args.clip_step < T(__builtin_inf()) ? &task.args.clip_step : nullptr),
        panels_(task.args, false) {
    rows_.take(carver, threads);
    panels_.take(carver);
  }

  void run(Team& team) {
    panels_.fill(team);
    rows_.bind(team);
    team.barrier();
    rows_.for_blocks(a_.x.shape[1], team, [&] {
      if (work_.dkeys) rows_.for_block([&](index_t n) { clear_keys(n); });
      for (index_t t = a_.x.shape[0] - 1; t >= 0; --t) step(t, team);
    });
  }

 private:
  void clear_keys(index_t n) {
    for (index_t s = 0; s < work_.dkeys.shape[0]; ++s)
      clear_row(work_.dkeys.at(s, n), work_.dkeys.shape[2]);
    clear_row(work_.dvector.at(n), work_.dvector.shape[1]);
  }

  void step(index_t t, Team& team) {
    team.check();
    rows_.list(a_.lengths, t, [&](index_t n) { idle(t, n); });
    const auto dgates = [&](index_t n) { return a_.gates.at(t, n); };
    const auto dh = [&](index_t n) { return a_.dh.at(n); };
    output(t, team);
    if (a_.current) attend(t, team);
    rows_.for_active([&](index_t n) { cell(t, n); });
    rows_.product(panels_.recurrent, true, dgates, dh, team);
    if (!C::shape.cell_state)
      rows_.product(
          panels_.candidate, true, [&](index_t n) { return dgates(n) + 3 * H_; }, dh, team);
    if (a_.F > 0 && a_.current)
      rows_.product(panels_.feed, false, dgates, [&](index_t n) { return a_.dfed.at(n); }, team);
    if (a_.F > 0 && !a_.current)
      rows_.product(
          panels_.feed, true, dgates, [&](index_t n) { return work_.dcontext.at(t, n); }, team);
    if (!a_.current) attend(t, team);
    if (a_.truncate > 0 && t > 0 && t % a_.truncate == 0)
      rows_.for_active([&](index_t n) { cut(n); });
  }

  // No gradient flows into the state before the step.
  void cut(index_t n) {
    clear_row(a_.dh.at(n), H_);
    if (C::shape.cell_state) clear_row(a_.dc.at(n), H_);
    if (a_.current && a_.F > 0) clear_row(a_.dfed.at(n), a_.F);
  }

  void idle(index_t t, index_t n) {
    clear_row(a_.gates.at(t, n), 4 * H_);
    clear(work_.dqueries, t, n);
    clear(work_.dcontext, t, n);
    clear(work_.dscores, t, n);
    if (work_.doutput) clear(work_.doutput, t, n);
  }

  static void clear(const View<T, 3>& array, index_t t, index_t n) {
    clear_row(array.at(t, n), array.shape[2]);
  }

  // From the results of step t to dh and dcontext.
  void output(index_t t, Team& team) {
    const bool feeds = a_.current && a_.F > 0;
    const index_t O = a_.outputs.shape[2], columns = a_.contexts.shape[2];
    const auto doutput = [&](index_t n) { return work_.doutput.at(t, n); };
    const auto dcontext = [&](index_t n) { return work_.dcontext.at(t, n); };
    rows_.for_active([&](index_t n) {
      if (!a_.w_output) {
        if (a_.doutputs) add_row(a_.doutputs.at(t, n), H_, a_.dh.at(n));
        return clear_row(dcontext(n), columns);
      }
      for (index_t i = 0; i < O; i += L) {
        const Vec<T> y = load(a_.outputs.at(t, n) + i, O - i);
        Vec<T> d = a_.doutputs ? load(a_.doutputs.at(t, n) + i, O - i) : Vec<T>{};
        if (feeds) d += load(a_.dfed.at(n) + i, O - i);
        store(doutput(n) + i, d * (T(1) - y * y), O - i);
      }
    });
    if (a_.w_output) {
      rows_.product(panels_.output_h, true, doutput, [&](index_t n) { return a_.dh.at(n); }, team);
      rows_.product(panels_.output_c, false, doutput, dcontext, team);
    }
    rows_.for_active([&](index_t n) {
      if (a_.dcontexts) add_row(a_.dcontexts.at(t, n), columns, dcontext(n));
      if (feeds && !a_.w_output) add_row(a_.dfed.at(n), columns, dcontext(n));
    });
  }

  // From dcontext and the weights' gradient to the query and the state that it was made of.
  void attend(index_t t, Team& team) {
    rows_.for_active([&](index_t n) {
      const Lines<T> memory = lines_of<T>(a_.memory, a_.memory_lengths, n);
      const T* const attn = a_.attn.at(t, n);
      T *const dscores = work_.dscores.at(t, n), *const dquery = work_.dqueries.at(t, n);
      dot_lines(memory, static_cast<const T*>(work_.dcontext.at(t, n)), dscores);
      if (a_.dattn) add_row(a_.dattn.at(t, n), memory.count, dscores);
      softmax_slope(attn, dscores, memory.count);
      clear_row(dscores + memory.count, a_.attn.shape[2] - memory.count);
      if (a_.score == Score::additive)
        additive_slopes(lines_of<T>(a_.keys, a_.memory_lengths, n), a_.queries.at(t, n), a_.vector,
                        dscores, dquery, work_.dkeys.at(0, n), work_.dvector.at(n));
      else
        sum_lines(memory, dscores, false, dquery);
      if (!a_.w_query) add_row(dquery, H_, a_.dh.at(n));
      team.check();
    });
    if (a_.w_query)
      rows_.product(
          panels_.query, true, [&](index_t n) { return work_.dqueries.at(t, n); },
          [&](index_t n) { return a_.dh.at(n); }, team);
  }

  void cell(index_t t, index_t n) {
    T* const gates = a_.gates.at(t, n);
    T* const dh = a_.dh.at(n);
    for (index_t i = 0; i < H_; i += L) {
      const index_t left = H_ - i;
      Vec<T> slot[C::shape.slots];
      FASTRNN_UNROLL
      for (int s = 0; s < C::shape.slots; ++s)
        slot[s] = load(gates + column_of<C>(s) * H_ + i, left);
      BackwardUnit<T> u{};
      u.limit = limit_;
      u.dh = load(dh + i, left);
      u.h_before = load(a_.states.at(t, n) + i, left);
      if constexpr (C::shape.cell_state) {
        u.dc = load(a_.dc.at(n) + i, left);
        u.c_before = load(a_.cells.at(t, n) + i, left);
        u.c = load(a_.cells.at(t + 1, n) + i, left);
      }
      cell_backward<C, 0, C::shape.stages>(slot, u);
      FASTRNN_UNROLL
      for (int s = 0; s < C::shape.slots; ++s)
        store(gates + column_of<C>(s) * H_ + i, slot[s], left);
      store(dh + i, u.carry, left);
      if constexpr (C::shape.cell_state) store(a_.dc.at(n) + i, u.dc, left);
    }
  }

  const DecoderBackwardArgs<T>& a_;
  const DecoderWork<T>& work_;
  index_t H_;
  const T* limit_;  // clip_step; null: none
  DecoderRows<T> rows_;
  DecoderPanels<T> panels_;
};

// dmemory of a row: over all steps, attnᵀ·dcontext, and dscoresᵀ·queries where memory is the key;
// added to what the keys brought where it is not.
template <class T>
class DecoderMemory {
 public:
  using Args = DecoderMemoryTask<T>;

  static std::size_t bytes(const Args& task, int threads) {
    Carver sizes(nullptr);
    sizes.take<T>(threads, packed_size(task));
    sizes.take<T*>(threads, task.args.memory.shape[0]);
    sizes.take<const T*>(threads, task.args.memory.shape[0]);
    return sizes.bytes();
  }

  static void run(const Args& task, unsigned char* scratch, Team& team) {
    const DecoderBackwardArgs<T>& a = task.args;
    const index_t S = a.memory.shape[0], H = a.states.shape[2];
    Carver carver(scratch);
    T* const packed =
        carver.take<T>(team.size(), packed_size(task)) + team.rank() * packed_size(task);
    T** const to = carver.take<T*>(team.size(), S) + team.rank() * S;
    const T** const from = carver.take<const T*>(team.size(), S) + team.rank() * S;
    for_own_rows(a.x.shape[1], team, [&](index_t n) {
      const index_t count = count_of<T>(a.memory_lengths, n, S);
      for (index_t s = 0; s < S; ++s) to[s] = a.dmemory.at(s, n);
      for (index_t s = count; s < S; ++s) clear_row(to[s], a.dmemory.shape[2]);
      const bool keys = a.score == Score::additive;
      add({a.attn.at(0, n), a.attn.stride[0]}, line_view(task.work.dcontext, n), keys, count, from,
          to, packed, team);
      if (keys) return;
      // The dot score's query is the state of the step, or the one before.
      const index_t first = a.current ? 1 : 0;
      const View<const T, 2> query =
          a.w_query
              ? View<const T, 2>{a.queries.at(0, n),
                                 {a.x.shape[0], a.queries.shape[2]},
                                 {a.queries.stride[0], 1}}
              : View<const T, 2>{a.states.at(first, n), {a.x.shape[0], H}, {a.states.stride[0], 1}};
      add({task.work.dscores.at(0, n), task.work.dscores.stride[0]}, query, true, count, from, to,
          packed, team);
    });
  }

 private:
  static index_t packed_size(const Args& task) {
    return packed_depth<T>(task.args.x.shape[0]) * kGroupColumns<T>;
  }

  static View<const T, 2> line_view(const View<T, 3>& v, index_t n) {
    return {v.at(0, n), {v.shape[0], v.shape[2]}, {v.stride[0], 1}};
  }

  // weights[t, s] begins at first + t·step + s
  struct Weights {
    const T* first;
    index_t step;
  };

  // to[s] = (or, adding, +=) sum over t of weights[t, s]·right[t]
  static void add(Weights weights, const View<const T, 2>& right, bool adding, index_t count,
                  const T** from, T* const* to, T* packed, Team& team) {
    const index_t steps = right.shape[0], columns = right.shape[1];
    for (index_t t = 0; t < steps; t += kDepth) {
      const index_t some = least(kDepth, steps - t);
      for (index_t s = 0; s < count; ++s) from[s] = weights.first + t * weights.step + s;
      for (index_t column = 0; count > 0 && column < columns; column += kGroupColumns<T>) {
        team.check();
        pack_right(right, false, t, some, column, packed, team);
        multiply<T>({count,
                     least(kMostVectors, panels_of<T>(columns - column)),
                     {from, 0},
                     {1, some, 0, weights.step},
                     packed,
                     adding || t > 0 ? nullptr : kZeros<T>,
                     {to, column},
                     columns - column});
      }
    }
  }
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
