// Fills the KernelTables of one ISA, one for each row; compiled after its isa/NAME.h.
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
  return {kGroup<C>, sweep_kernel<ForwardSweep<C, T, W>, ForwardTask<T>>(),
          sweep_kernel<BackwardSweep<C, T>, BackwardTask<T>>()};
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

#define FASTRNN_STRING_(x) #x
#define FASTRNN_STRING(x) FASTRNN_STRING_(x)

// The row for calls in T whose packed weights are of type W; the gradients' are never packed so.
template <class T, class W>
constexpr KernelTable<T> make_table() {
#define FASTRNN_KERNELS(cell, shape, general) cell_kernels<cell, T, W>(),
  return {Isa::FASTRNN_TARGET, FASTRNN_STRING(FASTRNN_TARGET),
          kLanes<T>,           {FASTRNN_FOR_EACH_CELL(FASTRNN_KERNELS)},
          packed_bytes<T, W>,  pack<T, W>,
          apply<Exp<T>, T>,    apply<SigmoidOf<T>, T>,
          apply<TanhOf<T>, T>};
#undef FASTRNN_KERNELS
}

}  // namespace

#define FASTRNN_TABLE(row, T, W) constexpr KernelTable<T> table_##row = make_table<T, W>();
FASTRNN_FOR_EACH_ROW(FASTRNN_TABLE)
#undef FASTRNN_TABLE

}  // namespace fastrnn::FASTRNN_TARGET
