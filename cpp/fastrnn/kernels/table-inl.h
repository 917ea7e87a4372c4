// Fills both KernelTables of one ISA. An isa/NAME.cpp sets FASTRNN_TARGET and the vector width and
// includes this.
#pragma once

#define FASTRNN_INCLUDE_CELLS
#include "fastrnn/cells/cells.h"
#include "fastrnn/kernels/extended_backward-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class C, class T>
std::size_t packed_bytes(const RnnWeights<T>& weights, index_t I, index_t H) {
  Carver sizes(nullptr);
  carve_panels<C, T>(sizes, weights, I, H);
  return sizes.bytes();
}

template <class C, class T>
Panels<T> pack(const RnnWeights<T>& weights, index_t I, index_t H, unsigned char* block,
               Team& team) {
  Carver carver(block);
  const Panels<T> panels = carve_panels<C, T>(carver, weights, I, H);
  for (index_t g = 0; g < ceil_div(panels_of<T>(H), kGroup<C>); ++g)
    fill_group<C>(weights, panels, g, team);
  for (index_t g = 0; g < projection_groups(panels); ++g) fill_projection(weights, panels, g, team);
  return panels;
}

template <class Sweep, class Task>
std::size_t sweep_bytes(const Task& task) {
  Carver sizes(nullptr);
  Sweep(task, sizes);
  return sizes.bytes();
}
template <class Sweep, class Task>
void run_sweep(const Task& task, Team& team) {
  Carver carver(task.scratch);
  Sweep(task, carver).run(team);
}
template <class Sweep, class Task>
constexpr Kernel<Task> sweep_kernel() {
  return {sweep_bytes<Sweep, Task>, run_sweep<Sweep, Task>};
}

// The first slot of each gate: GRU's hn is not the activated n.
template <class C, class T>
constexpr CellKernels<T> cell_kernels(const char* name) {
  int slot_of_gate[4] = {};
  for (int slot = C::slots - 1; slot >= 0; --slot)
    if (C::gate[slot] >= 0) slot_of_gate[C::gate[slot]] = slot;
  Kernel<ForwardTask<T>> extended_forward;
  Kernel<BackwardTask<T>> extended_backward;
  if constexpr (C::general) {
    extended_forward = sweep_kernel<ExtendedForward<C, T>, ForwardTask<T>>();
    extended_backward = sweep_kernel<ExtendedBackward<C, T>, BackwardTask<T>>();
  }
  return {{name, C::gates, C::slots, C::cell_state, C::peephole, C::general},
          kGroup<C>,
          {slot_of_gate[0], slot_of_gate[1], slot_of_gate[2], slot_of_gate[3]},
          packed_bytes<typename C::Shape, T>,
          pack<typename C::Shape, T>,
          sweep_kernel<ForwardSweep<C, T>, ForwardTask<T>>(),
          sweep_kernel<BackwardSweep<C, T>, BackwardTask<T>>(),
          extended_forward,
          extended_backward};
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
#define FASTRNN_KERNELS(cell) cell_kernels<cell, T>(#cell),
  return {Isa::FASTRNN_TARGET, FASTRNN_STRING(FASTRNN_TARGET),
          kLanes<T>,           {FASTRNN_FOR_EACH_CELL(FASTRNN_KERNELS)},
          apply<Exp<T>, T>,    apply<SigmoidOf<T>, T>,
          apply<TanhOf<T>, T>};
#undef FASTRNN_KERNELS
}

}  // namespace

constexpr KernelTable<float> table_f32 = make_table<float>();
constexpr KernelTable<double> table_f64 = make_table<double>();

}  // namespace fastrnn::FASTRNN_TARGET
