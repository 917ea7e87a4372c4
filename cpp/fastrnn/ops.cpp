// The front door of the core: validate, plan, take scratch, run the team, call the active table.
#include "fastrnn/ops.h"

#include <string>
#include <utility>
#include <vector>

#include "fastrnn/dispatch.h"
#include "fastrnn/error.h"
#include "fastrnn/packed.h"
#include "fastrnn/plan.h"
#include "fastrnn/tape.h"
#include "fastrnn/validate.h"

namespace fastrnn {
namespace {

template <class T>
Plan plan_for(const KernelTable<T>& table, Cell cell, const Dims& dims, index_t rows, bool training,
              int threads_asked) {
  const CellKernels<T>& kernel = table[cell];
  const Problem problem{
      dims, kernel.traits.gates, kernel.traits.slots, training ? 4 : kernel.unit_grain,
      rows, table.lanes,         sizeof(T),           training};
  return make_plan(problem, cpu_caches(), threads_asked > 0 ? threads_asked : num_threads());
}

// Sizes a task's scratch and takes it; it must live as long as the run.
template <class Task>
Scratch take_scratch(Task& task, std::size_t (*bytes)(const Task&)) {
  Scratch scratch;
  const auto block = scratch.add<unsigned char>(static_cast<index_t>(bytes(task)));
  scratch.allocate();
  task.scratch = scratch.at(block);
  return scratch;
}

template <class Task>
void run(const Task& task, const Kernel<Task>& kernel) {
  run_team(task.plan.threads, [&](Team& team) { kernel.run(task, team); }, task.plan.multiply_adds);
}

// Whether the call needs the sweep that has masks, projection, full peepholes and layer norm.
template <class T>
bool is_extended(const RnnForwardArgs<T>& a) {
  const bool weights = a.packed != nullptr
                           ? a.packed->panels().extended()
                           : a.weights.w_hr || a.weights.w_peephole_full || a.weights.w_norm;
  return weights || a.masks;
}

template <class T>
const Kernel<ForwardTask<T>>& forward_kernel(const KernelTable<T>& table, Cell cell,
                                             bool extended) {
  return extended ? table[cell].extended_forward : table[cell].forward;
}

// Copied before they are looked at: another thread may be writing to the caller's array.
template <class T>
std::vector<index_t> checked_ids(const RnnForwardArgs<T>& a, const Dims& dims) {
  std::vector<index_t> ids;
  if (!a.ids) return ids;
  const index_t V = a.x.shape[1];
  ids.reserve(static_cast<std::size_t>(dims.T * dims.N) + 1);  // an address, also of nothing
  for (index_t t = 0; t < dims.T; ++t)
    for (index_t n = 0; n < dims.N; ++n) {
      ids.push_back(*a.ids.at(t, n));
      FASTRNN_CHECK(ids.back() >= 0 && ids.back() < V, "ids must lie in 0..V-1 = 0.." +
                                                           std::to_string(V - 1) + ", got " +
                                                           std::to_string(ids.back()));
    }
  return ids;
}

// What of a task the caller has given.
template <class T>
ForwardTask<T> forward_task(const RnnForwardArgs<T>& a, const Dims& dims) {
  ForwardTask<T> task;
  task.dims = dims;
  task.choices = a.choices;
  task.weights = a.weights;
  task.panels = a.packed != nullptr ? &a.packed->panels() : nullptr;
  task.masks = a.masks;
  task.x = a.x;
  task.h0 = a.h0;
  task.c0 = a.c0;
  task.y = a.y;
  task.h_n = a.h_n;
  task.c_n = a.c_n;
  return task;
}

// The workspace that backward will need, sized before anything is written.
template <class T>
Tape<T> make_tape(const RnnForwardArgs<T>& a, const Dims& dims, const KernelTable<T>& table,
                  StepOrder order) {
  Tape<T> tape;
  const CellTraits& traits = table[a.cell].traits;
  tape.cell = a.cell;
  tape.choices = a.choices;
  tape.dims = dims;
  tape.table = &table;
  tape.order = std::move(order);
  tape.weights = a.weights;
  tape.x = a.x;
  tape.ids = checked_ids(a, dims);
  tape.masks = a.masks;
  tape.extended = is_extended(a);
  tape.y = {a.y.data, {dims.T, dims.N, dims.P}, {a.y.stride[0], a.y.stride[1], a.y.stride[2]}};
  tape.h0 = a.h0;
  tape.c0 = a.c0;
  const index_t padded = tape.panels() * table.lanes;
  const auto gates = tape.memory.template add<T>(tape.order.rows(), padded, traits.slots);
  const auto cells = tape.memory.template add<T>(tape.order.rows(), padded, traits.cell_state);
  const auto operands =
      tape.memory.template add<T>(tape.order.rows(), padded, bool(a.masks.h_mask));
  const auto outputs = tape.memory.template add<T>(tape.order.rows(), padded, bool(a.weights.w_hr));
  const auto normed = tape.memory.template add<T>(
      tape.order.rows(), normed_row(padded, traits.slots, traits.cell_state),
      bool(a.weights.w_norm));
  tape.memory.allocate();
  if (a.masks.h_mask) tape.operands = tape.memory.at(operands);
  if (a.weights.w_hr) tape.outputs = tape.memory.at(outputs);
  if (a.weights.w_norm) tape.normed = tape.memory.at(normed);
  tape.gates = tape.memory.at(gates);
  tape.cells = traits.cell_state ? tape.memory.at(cells) : nullptr;
  return tape;
}

}  // namespace

template <class T>
void rnn_forward(const RnnForwardArgs<T>& a) {
  const Dims dims = check_forward(a);
  const KernelTable<T>& table = a.packed != nullptr ? a.packed->table() : kernels<T>();
  const Kernel<ForwardTask<T>>& kernel = forward_kernel(table, a.cell, is_extended(a));
  StepOrder order(dims.T, dims.N, a.lengths, a.reverse);
  ForwardTask<T> task = forward_task(a, dims);
  task.plan = plan_for(table, a.cell, dims, order.rows(), a.tape != nullptr, a.num_threads);
  if (a.tape == nullptr) {
    const std::vector<index_t> ids = checked_ids(a, dims);
    task.ids = ids.data();
    task.steps = order.steps();
    const Scratch scratch = take_scratch(task, kernel.bytes);
    return run(task, kernel);
  }
  Tape<T> tape = make_tape(a, dims, table, std::move(order));
  task.ids = tape.ids.data();
  task.steps = tape.order.steps();
  task.gates = tape.gates;
  task.cells = tape.cells;
  task.operands = tape.operands;
  task.outputs = tape.outputs;
  task.normed = tape.normed;
  const Scratch scratch = take_scratch(task, kernel.bytes);
  run(task, kernel);
  *a.tape = std::move(tape);
}

template <class T>
RepeatedForward<T>::RepeatedForward(const RnnForwardArgs<T>& a)
    : table_(&a.packed->table()),
      kernel_(&forward_kernel(*table_, a.cell, is_extended(a))),
      cell_(a.cell),
      task_(forward_task(a, check_forward(a))) {
  FASTRNN_CHECK(!a.lengths && !a.ids && a.tape == nullptr,
                "lengths, ids and tape are not taken here");
  task_.steps = StepOrder(task_.dims.T, task_.dims.N, {}, a.reverse).steps();
}

template <class T>
void RepeatedForward<T>::run(const View<const T, 3>& x, const View<T, 3>& y, int threads) {
  threads = threads > 0 ? threads : num_threads();
  if (threads != threads_) {
    threads_ = 0;  // should memory run out
    const Dims& dims = task_.dims;
    task_.plan = plan_for(*table_, cell_, dims, dims.T * dims.N, false, threads);
    scratch_ = take_scratch(task_, kernel_->bytes);
    threads_ = threads;
  }
  task_.x = x;
  task_.y = y;
  fastrnn::run(task_, *kernel_);
}

template <class T>
void rnn_backward(const RnnBackwardArgs<T>& a) {
  check_backward(a);
  Tape<T>& tape = *a.tape;
  const CellKernels<T>& cell = (*tape.table)[tape.cell];
  const Kernel<BackwardTask<T>>& kernel = tape.extended ? cell.extended_backward : cell.backward;
  BackwardTask<T> task;
  task.dims = tape.dims;
  task.steps = tape.order.steps();
  task.plan = plan_for(*tape.table, tape.cell, tape.dims, tape.order.rows(), true, a.num_threads);
  task.choices = tape.choices;
  task.weights = tape.weights;
  task.x = tape.x;
  task.ids = tape.ids.data();
  task.y = tape.y;
  task.h0 = tape.h0;
  task.c0 = tape.c0;
  task.gates = tape.gates;
  task.cells = tape.cells;
  task.operands = tape.operands;
  task.outputs = tape.outputs;
  task.normed = tape.normed;
  task.masks = tape.masks;
  task.args = a;
  const Scratch scratch = take_scratch(task, kernel.bytes);
  auto body = [&](Team& team) {
    // Gradients replace the gates in place, so even an interrupted backward has spent the tape;
    // one for which there was no memory has not begun.
    if (team.rank() == 0) tape.spent = true;
    kernel.run(task, team);
  };
  run_team(task.plan.threads, body, task.plan.multiply_adds);
}

CellTraits cell_traits(Cell cell) { return kernels<float>()[cell].traits; }

template void rnn_forward(const RnnForwardArgs<float>&);
template void rnn_forward(const RnnForwardArgs<double>&);
template void rnn_backward(const RnnBackwardArgs<float>&);
template void rnn_backward(const RnnBackwardArgs<double>&);
template class RepeatedForward<float>;
template class RepeatedForward<double>;

}  // namespace fastrnn
