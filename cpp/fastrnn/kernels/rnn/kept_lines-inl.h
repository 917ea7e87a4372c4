// Where the way back has the gates and cell states of a row at a step.
//
// Gates of a tape become the gradients by the pre-activations where they are. Those of a tape of
// halves, and its cell states, are widened into a block for one chunk of steps, which stays in the
// cache, just before they are needed.
#pragma once

#include "fastrnn/kernels/rnn/narrow-inl.h"
#include "fastrnn/kernels/rnn/pack-inl.h"
#include "fastrnn/rnn/table.h"
#include "fastrnn/simd/half-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// Rows of a chunk, at most: the shortest run of steps with enough rows.
template <class T>
FASTRNN_INLINE index_t chunk_rows(const BackwardTask<T>& task) {
  return least(task.plan.backward_rows, task.steps.count * task.dims.N) + task.dims.N;
}

template <class T>
class KeptLines {
 public:
  FASTRNN_NOINLINE KeptLines(const CellShape& shape, const BackwardTask<T>& task, Carver& carver)
      : task_(task),
        width_(panels_of<T>(task.dims.H) * kLanes<T>),
        gate_width_(width_ * shape.slots),
        sees_later_(halves() && task.on.full_peephole) {
    if (!halves()) return;
    const index_t rows = chunk_rows(task), cell_rows = shape.cell_state ? rows : 0;
    gates_ = carver.take<T>(rows, gate_width_);
    later_ = carver.take<T>(sees_later_ ? task.dims.N : 0, gate_width_);
    cells_ = carver.take<T>(cell_rows, width_);
    cells_before_ = carver.take<T>(cell_rows, width_);
    outputs_ = carver.take<T>(task.on.projection ? rows : 0, width_);
  }

  FASTRNN_INLINE bool halves() const { return kMayBeNarrow<T> && task_.kept.half_gates != nullptr; }

  // Before the steps of the chunk that ends at q1. Of the chunk after it full peepholes still need
  // the gradients of the first step, of which this thread copies some.
  FASTRNN_NOINLINE void begin(index_t q1, Range rows, Range columns) {
    if (sees_later_)
      for (index_t r = rows.begin; r < least(rows.end, task_.steps.rows(q1)); ++r)
        for (index_t i = columns.begin; i < columns.end; i += kLanes<T>)
          store(later_ + r * gate_width_ + i, load(gates(q1, r) + i));
    end_ = q1;
  }

  // Widens what a tape of halves has of some rows at step q, units begin .. end. c0 are the padded
  // initial cell states. The c of a step is made once more, of its gates.
  FASTRNN_NOINLINE void widen(index_t q, Range rows, Range units, const T* c0) const {
    if constexpr (kMayBeNarrow<T>) {
      constexpr int L = kLanes<T>;
      const index_t slots = gate_width_ / width_, before = task_.steps.rows(q - 1);
      for (index_t r = rows.begin; r < rows.end; ++r) {
        const index_t row = (task_.steps.first_row(q) + r) * gate_width_;
        T* const to = gates(q, r);
        load_halves(to + units.begin * slots, task_.kept.half_gates + row + units.begin * slots,
                    (units.end - units.begin) * slots);
        if (task_.kept.half_cells == nullptr) continue;
        T *const c = cells(q, r), *const c_before = cells_before(q, r);
        const Half* const earlier =
            r < before ? task_.kept.half_cells + (task_.steps.first_row(q - 1) + r) * width_
                       : nullptr;
        for (index_t i = units.begin; i < units.end; i += L) {
          const Vec<T> old =
              earlier != nullptr ? load_half(earlier + i) : load(c0 + r * width_ + i);
          const T* const gate = to + i * slots;  // i f g o of an LSTM
          store(c_before + i, old);
          store(c + i, fma(load(gate + L), old, load(gate) * load(gate + 2 * L)));
        }
      }
    }
  }

  // The gates, then their gradients, of sorted row r at step q of the chunk; of the step after it
  // with full peepholes, too.
  FASTRNN_INLINE T* gates(index_t q, index_t r) const {
    if (!halves()) return task_.kept.gates + (task_.steps.first_row(q) + r) * gate_width_;
    return in_block(gates_, gate_width_, q, r);
  }
  FASTRNN_INLINE T* cells(index_t q, index_t r) const {
    return halves() ? in_block(cells_, width_, q, r)
                    : task_.kept.cells + (task_.steps.first_row(q) + r) * width_;
  }
  // Where a step came before; of halves in any case.
  FASTRNN_INLINE T* cells_before(index_t q, index_t r) const {
    return halves() ? in_block(cells_before_, width_, q, r) : cells(q - 1, r);
  }
  FASTRNN_INLINE T* outputs(index_t q, index_t r) const {
    return halves() ? in_block(outputs_, width_, q, r)
                    : task_.kept.outputs + (task_.steps.first_row(q) + r) * width_;
  }

 private:
  FASTRNN_NOINLINE T* in_block(T* block, index_t width, index_t q, index_t r) const {
    if (q == end_) return later_ + r * width;
    return block + task_.steps.place_in_chunk(q, end_, r) * width;
  }

  const BackwardTask<T>& task_;
  index_t width_, gate_width_;  // of a row of c, of a row of gates
  bool sees_later_;
  index_t end_ = 0;  // the step after the chunk's last
  T *gates_ = nullptr, *later_ = nullptr, *cells_ = nullptr, *cells_before_ = nullptr,
    *outputs_ = nullptr;
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
