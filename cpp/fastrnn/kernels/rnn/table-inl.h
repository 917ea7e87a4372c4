// Fills both KernelTables of one ISA; compiled after its isa/NAME.h.
#pragma once

#include "fastrnn/cells/all-inl.h"
#include "fastrnn/kernels/rnn/sweep_backward-inl.h"
#include "fastrnn/kernels/rnn/sweep_forward-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class T>
std::size_t packed_bytes(const CellShape& shape, const RnnWeights<T>& weights, const Dims& dims) {
  Carver sizes(nullptr);
  carve_panels<T>(shape, sizes, options_of(weights), dims);
  return sizes.bytes();
}

template <class T>
Panels<T> pack(const CellShape& shape, const RnnWeights<T>& weights, const Dims& dims,
               unsigned char* block, Team& team) {
  Carver carver(block);
  const Options on = options_of(weights);
  const Panels<T> panels = carve_panels<T>(shape, carver, on, dims);
  fill_panels(shape, weights, on, dims, panels, team);
  return panels;
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

template <class C, class T>
constexpr CellKernels<T> cell_kernels() {
  return {kGroup<C>, sweep_kernel<ForwardSweep<C, T>, ForwardTask<T>>(),
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

template <class T>
constexpr KernelTable<T> make_table() {
#define FASTRNN_KERNELS(cell, shape, general) cell_kernels<cell, T>(),
  return {Isa::FASTRNN_TARGET, FASTRNN_STRING(FASTRNN_TARGET),
          kLanes<T>,           {FASTRNN_FOR_EACH_CELL(FASTRNN_KERNELS)},
          packed_bytes<T>,     pack<T>,
          apply<Exp<T>, T>,    apply<SigmoidOf<T>, T>,
          apply<TanhOf<T>, T>};
#undef FASTRNN_KERNELS
}

}  // namespace

constexpr KernelTable<float> table_f32 = make_table<float>();
constexpr KernelTable<double> table_f64 = make_table<double>();

}  // namespace fastrnn::FASTRNN_TARGET
