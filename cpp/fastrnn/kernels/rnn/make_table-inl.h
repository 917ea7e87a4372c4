// make_table: the KernelTable of one ISA for one row.
#pragma once

#include "fastrnn/cells/all-inl.h"
#include "fastrnn/kernels/rnn/sweep_backward-inl.h"
#include "fastrnn/kernels/rnn/sweep_forward-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class T, class W>
std::size_t packed_bytes(const CellShape& shape, const RnnWeights<T>& weights, const Dims& dims) {
  Carver sizes(nullptr);
  carve_panels<T, W>(shape, sizes, options_of(weights), dims);
  return sizes.bytes();
}

template <class T, class W>
void pack(const CellShape& shape, const RnnWeights<T>& weights, const Dims& dims,
          unsigned char* block, Team& team) {
  Carver carver(block);
  const Options on = options_of(weights);
  fill_panels(shape, weights, on, dims, carve_panels<T, W>(shape, carver, on, dims), team);
}

template <class Sweep, class Task>
std::size_t sweep_bytes(const Task& task) {
  Carver sizes(nullptr);
  Sweep(task, sizes, 0, task.plan.threads);
  return sizes.bytes();
}
template <class Sweep, class Task>
void run_sweep(const Task& task, Team& team) {
  Carver carver(task.scratch);
  Sweep(task, carver, team.rank(), team.size()).run(team);
}
template <class Sweep, class Task>
constexpr Kernel<Task> sweep_kernel() {
  return {sweep_bytes<Sweep, Task>, run_sweep<Sweep, Task>};
}

template <class C, class T, class W>
constexpr CellKernels<T> cell_kernels() {
  CellKernels<T> kernels{kGroup<C>, {}, {}};
  if constexpr (C::bounded || !scaled<W>())
    kernels.forward = sweep_kernel<ForwardSweep<C, T, W>, ForwardTask<T>>();
  if constexpr (!kNarrow<W>)
    kernels.backward = sweep_kernel<BackwardSweep<C, T>, BackwardTask<T>>();
  return kernels;
}

template <class T>
struct Exp {
  static FASTRNN_INLINE Vec<T> f(Vec<T> x) { return exp<T>(x); }
};
template <class T>
struct SigmoidOf {
  static FASTRNN_INLINE Vec<T> f(Vec<T> x) { return sigmoid<T>(x); }
};
template <class T>
struct TanhOf {
  static FASTRNN_INLINE Vec<T> f(Vec<T> x) { return tanh<T>(x); }
};

template <class F, class T>
void apply(const T* x, T* y, index_t n) {
  for (index_t i = 0; i < n; i += kLanes<T>) store(y + i, F::f(load(x + i, n - i)), n - i);
}

template <class T>
constexpr const KernelTable<T>* plain_table();
#define FASTRNN_PLAIN(row, T, W)                     \
  template <>                                        \
  constexpr const KernelTable<T>* plain_table<T>() { \
    return &table_##row;                             \
  }
FASTRNN_FOR_EACH_PLAIN_ROW(FASTRNN_PLAIN)
#undef FASTRNN_PLAIN

#define FASTRNN_STRING_(x) #x
#define FASTRNN_STRING(x) FASTRNN_STRING_(x)

// The row for calls in T whose packed weights are of type W; the gradients' are never packed so.
template <class T, class W>
constexpr KernelTable<T> make_table() {
#define FASTRNN_KERNELS(cell, shape, general) cell_kernels<cell, T, W>(),
  KernelTable<T> table{Isa::FASTRNN_TARGET,
                       FASTRNN_STRING(FASTRNN_TARGET),
                       kLanes<T>,
                       Precision::plain,
                       sizeof(W),
                       nullptr,
                       nullptr,
                       {FASTRNN_FOR_EACH_CELL(FASTRNN_KERNELS)},
                       plain_table<T>(),
                       packed_bytes<T, W>,
                       pack<T, W>,
                       nullptr,
                       nullptr,
                       nullptr};
#undef FASTRNN_KERNELS
  if constexpr (kNarrow<W>)
    table.precision = Narrow<W>::precision, table.words = Narrow<W>::words,
    table.tiles = Narrow<W>::tiles;
  else
    table.exp = apply<Exp<T>, T>, table.sigmoid = apply<SigmoidOf<T>, T>,
    table.tanh = apply<TanhOf<T>, T>;
  return table;
}

}  // namespace

#define FASTRNN_TABLE(row, T, W) constexpr KernelTable<T> table_##row = make_table<T, W>();

}  // namespace fastrnn::FASTRNN_TARGET
