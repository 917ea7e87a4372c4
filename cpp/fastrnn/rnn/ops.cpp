// rnn_forward and rnn_backward: validate, plan, take scratch, run a team on the active table.
#include "fastrnn/rnn/ops.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fastrnn/dispatch.h"
#include "fastrnn/error.h"
#include "fastrnn/rnn/packed.h"
#include "fastrnn/rnn/plan.h"
#include "fastrnn/rnn/tape.h"
#include "fastrnn/rnn/validate.h"
#include "fastrnn/team/barrier_time.h"
#include "fastrnn/team/launch.h"

namespace fastrnn {
namespace {

template <class T>
Problem problem_of(const KernelTable<T>& table, Cell cell, const Dims& dims, index_t rows,
                   bool training, bool read_once = false) {
  const CellShape& shape = cell_traits(cell).shape;
  return {dims,     shape.gates, shape.slots, training ? 4 : table[cell].unit_grain,
          rows,     table.lanes, sizeof(T),   static_cast<std::size_t>(table.weight_bytes),
          training, read_once,   false};
}

template <class T>
Plan plan_for(const KernelTable<T>& table, const Problem& problem, int threads,
              std::chrono::nanoseconds barrier = {}) {
  Plan plan = make_plan(problem, cpu_caches(), threads, barrier);
  plan.dots = dots_for(table);
  return plan;
}

int most_threads(int asked) { return asked > 0 ? asked : num_threads(); }

// Sizes a task's scratch and takes it; it must live as long as the run.
template <class Task>
Scratch take_scratch(Task& task, std::size_t (*bytes)(const Task&)) {
  Scratch scratch;
  const auto block = scratch.add<unsigned char>(static_cast<index_t>(bytes(task)));
  scratch.allocate();
  task.scratch = scratch.at(block);
  return scratch;
}

// Of int8 weights, which have h in 127ths unless its rows have scales. NaN comes through.
template <class T>
void check_h0(const RnnForwardArgs<T>& a, const Options& on) {
  const View<const T, 2>& h0 = a.in.h0;
  if (!h0 || on.by_row || a.layer.packed == nullptr) return;
  if (a.layer.packed->precision() != Precision::int8) return;
  for (index_t n = 0; n < h0.shape[0]; ++n)
    for (index_t i = 0; i < h0.shape[1]; ++i)
      FASTRNN_CHECK(!(std::abs(*h0.at(n, i)) > 1), "h0 must lie within -1 .. 1 with int8 weights");
}

// Copied before they are looked at: another thread may be writing to the caller's array.
template <class T>
std::vector<index_t> checked_ids(const Inputs<T>& in, const Dims& dims) {
  std::vector<index_t> ids;
  if (!in.ids) return ids;
  const index_t V = in.x.shape[1];
  ids.reserve(static_cast<std::size_t>(dims.T * dims.N) + 1);  // an address, also of nothing
  for (index_t t = 0; t < dims.T; ++t)
    for (index_t n = 0; n < dims.N; ++n) {
      ids.push_back(*in.ids.at(t, n));
      FASTRNN_CHECK(ids.back() >= 0 && ids.back() < V, "ids must lie in 0..V-1 = 0.." +
                                                           std::to_string(V - 1) + ", got " +
                                                           std::to_string(ids.back()));
    }
  return ids;
}
template <class T>
Inputs<T> with_ids(Inputs<T> in, const std::vector<index_t>& ids) {
  if (in.ids) in.ids = {ids.data(), {in.ids.shape[0], in.ids.shape[1]}, {in.ids.shape[1], 1}};
  return in;
}

// The fields of a task that come from the caller's arguments.
template <class T>
ForwardTask<T> forward_task(const RnnForwardArgs<T>& a, const Call& call) {
  ForwardTask<T> task;
  task.layer = a.layer;
  task.in = a.in;
  task.on = call.on;
  task.dims = call.dims;
  task.packed = a.layer.packed != nullptr ? a.layer.packed->block() : nullptr;
  task.y = a.y;
  task.h_n = a.h_n;
  task.c_n = a.c_n;
  return task;
}

// Gives a new tape memory for all that backward will need, before anything is written.
template <class T>
void prepare_tape(Tape<T>& tape, const RnnForwardArgs<T>& a, const Call& call,
                  const KernelTable<T>& table, StepOrder order) {
  const CellShape& shape = cell_traits(a.layer.cell).shape;
  tape.layer = a.layer;
  tape.ids = checked_ids(a.in, call.dims);
  tape.in = with_ids(a.in, tape.ids);
  tape.on = call.on;
  tape.dims = call.dims;
  tape.table = &table;
  tape.order = std::move(order);
  tape.y = {a.y.data,
            {tape.dims.T, tape.dims.N, tape.dims.P},
            {a.y.stride[0], a.y.stride[1], a.y.stride[2]}};
  const index_t rows = tape.order.rows(), padded = tape.panels() * table.lanes;
  // What layer normalisation keeps is float32, and has to fit the gates.
  const bool halves = table.precision == Precision::bfloat16 && !call.on.norm;
  const index_t rows_of_halves = halves ? rows : 0, rows_of_T = rows - rows_of_halves;
  const index_t cell_width = shape.cell_state ? padded : 0;
  const auto gates = tape.memory.template add<T>(rows_of_T, padded, shape.slots);
  const auto cells = tape.memory.template add<T>(rows_of_T, cell_width);
  const auto half_gates = tape.memory.template add<Half>(rows_of_halves, padded, shape.slots);
  const auto half_cells = tape.memory.template add<Half>(rows_of_halves, cell_width);
  const auto outputs = tape.memory.template add<T>(rows_of_T, call.on.projection ? padded : 0);
  const auto normed = tape.memory.template add<T>(
      call.on.norm ? rows : 0, normed_row(padded, shape.slots, shape.cell_state));
  tape.memory.allocate();
  if (halves) {
    tape.kept.half_gates = tape.memory.at(half_gates);
    if (shape.cell_state) tape.kept.half_cells = tape.memory.at(half_cells);
  } else {
    tape.kept.gates = tape.memory.at(gates);
    if (shape.cell_state) tape.kept.cells = tape.memory.at(cells);
    if (call.on.projection) tape.kept.outputs = tape.memory.at(outputs);
  }
  if (call.on.norm) tape.kept.normed = tape.memory.at(normed);
}

// Whether two calls have the same rows at the same steps.
bool same_steps(const Steps& a, const Steps& b) {
  const auto same = [&](const index_t* one, const index_t* other) {
    return one == other ||
           (one != nullptr && other != nullptr && std::equal(one, one + a.batch, other));
  };
  return a.count == b.count && a.batch == b.batch && a.reverse == b.reverse &&
         same(a.order, b.order) && same(a.length, b.length);
}

// A forward call that is checked and has its tape's memory, but neither plan nor workspace.
template <class T>
struct Forward {
  explicit Forward(const RnnForwardArgs<T>& a)
      : args(a),
        call(check_forward(a)),
        table(a.layer.packed != nullptr ? a.layer.packed->table()
                                        : table_for<T>(a.layer.precision)),
        kernel(table[a.layer.cell].forward),
        order(call.dims.T, call.dims.N, a.lengths, a.reverse),
        problem(problem_of(table, a.layer.cell, call.dims, order.rows(), a.tape != nullptr,
                           reads_once(a.layer, call.on, call.dims) && threads_are_kept())),
        task(forward_task(a, call)) {
    check_h0(a, call.on);
    if (a.tape == nullptr) {
      ids = checked_ids(a.in, call.dims);
      task.in = with_ids(a.in, ids);
      task.steps = order.steps();
    } else {
      prepare_tape(tape.emplace(), a, call, table, std::move(order));
      task.in = tape->in;
      task.steps = tape->order.steps();
      task.kept = tape->kept;
    }
  }

  void run(Team& team) const { kernel.run(task, team); }
  bool needs(const Forward& other) const { return args.in.x.data == other.args.y.data; }
  bool may_run_beside(const Forward& other) const {
    return !needs(other) || same_steps(task.steps, other.task.steps);
  }
  void keep() {
    if (tape) *args.tape = std::move(*tape);
  }

  const RnnForwardArgs<T>& args;
  const Call call;
  const KernelTable<T>& table;
  const Kernel<ForwardTask<T>>& kernel;
  StepOrder order;           // where a tape is kept, that has it, ...
  std::vector<index_t> ids;  // ... and these
  std::optional<Tape<T>> tape;
  Problem problem;
  ForwardTask<T> task;
};

// A backward call likewise.
template <class T>
struct Backward {
  explicit Backward(const RnnBackwardArgs<T>& a)
      : args(a),
        tape((check_backward(a), *a.tape)),
        table(*tape.table),
        kernel((*table.plain)[tape.layer.cell].backward),
        problem(problem_of(table, tape.layer.cell, tape.dims, tape.order.rows(), true)) {
    task.layer = tape.layer;
    task.in = tape.in;
    task.on = tape.on;
    task.dims = tape.dims;
    task.steps = tape.order.steps();
    task.kept = tape.kept;
    task.y = tape.y;
    task.args = a;
  }

  void run(Team& team) const {
    // Gradients replace the gates in place, so even an interrupted backward has spent the tape;
    // one for which there was no memory has not begun.
    if (team.rank() == 0) tape.spent = true;
    kernel.run(task, team);
  }
  bool needs(const Backward& other) const { return args.dy && args.dy.data == other.args.dx.data; }
  bool may_run_beside(const Backward& other) const {
    // Calls that follow each other go by chunks of few steps, and sums over rows of bfloat16 show
    // where one begins.
    const auto exact = [](const Problem& p) { return p.weight == p.element; };
    if (needs(other))
      return exact(problem) && exact(other.problem) && same_steps(task.steps, other.task.steps);
    // dx that is added to another's is computed at the end, from gradients of the gates of all
    // steps; with a tape of halves there are only those of a chunk.
    return !args.add_dx || task.kept.half_gates == nullptr;
  }

  const RnnBackwardArgs<T>& args;
  Tape<T>& tape;
  const KernelTable<T>& table;
  const Kernel<BackwardTask<T>>& kernel;
  Problem problem;
  BackwardTask<T> task;
};

// Gives a call its plan and its workspace, which must live as long as the run.
template <class Call>
Scratch make_ready(Call& call, int threads) {
  const std::chrono::nanoseconds none{};
  call.task.plan = plan_for(call.table, call.problem, threads, threads > 1 ? barrier_time() : none);
  return take_scratch(call.task, call.kernel.bytes);
}

template <class Call>
void run_alone(Call& call) {
  const Scratch scratch = make_ready(call, most_threads(call.args.num_threads));
  const Plan& plan = call.task.plan;
  run_team(plan.threads, [&](Team& team) { call.run(team); }, plan.work);
}

template <class Call>
void run_both(Call& first, Call& second) {
  const auto gains = [barrier = barrier_time()](const Call& call) {
    return side_by_side(call.problem, cpu_caches(), most_threads(call.args.num_threads), barrier);
  };
  const bool chained = second.needs(first);
  first.problem.chained = second.problem.chained = chained;
  if (!second.may_run_beside(first) || !gains(first) || !gains(second)) {
    first.problem.chained = second.problem.chained = false;
    run_alone(first);
    return run_alone(second);
  }
  const Scratch of_first = make_ready(first, 1), of_second = make_ready(second, 1);
  const Work work{first.task.plan.work.multiply_adds + second.task.plan.work.multiply_adds};
  auto body = [&](Team& team) {
    Team alone = chained ? team.chained() : team.alone();
    if (team.rank() == 0) first.run(alone);
    if (team.rank() == team.size() - 1) second.run(alone);
  };
  run_team(2, body, work);
}

}  // namespace

template <class T>
void rnn_forward(const RnnForwardArgs<T>& a) {
  Forward<T> call(a);
  run_alone(call);
  call.keep();
}

template <class T>
void rnn_forward(const RnnForwardArgs<T>& a, const RnnForwardArgs<T>& b) {
  Forward<T> first(a), second(b);
  run_both(first, second);
  first.keep();
  second.keep();
}

template <class T>
RepeatedForward<T>::RepeatedForward(const RnnForwardArgs<T>& a)
    : table_(&a.layer.packed->table()), task_(forward_task(a, check_forward(a))) {
  FASTRNN_CHECK(!a.lengths && !a.in.ids && a.tape == nullptr,
                "lengths, ids and tape are not taken here");
  task_.steps = StepOrder(task_.dims.T, task_.dims.N, {}, a.reverse).steps();
}

template <class T>
void RepeatedForward<T>::run(const View<const T, 3>& x, const View<T, 3>& y, int threads) {
  const Cell cell = task_.layer.cell;
  const Kernel<ForwardTask<T>>& kernel = (*table_)[cell].forward;
  threads = most_threads(threads);
  if (threads != threads_) {
    threads_ = 0;  // should memory run out
    const Dims& dims = task_.dims;
    // Without the barrier time of this moment, as it is for many steps.
    task_.plan =
        plan_for(*table_, problem_of(*table_, cell, dims, dims.T * dims.N, false), threads);
    scratch_ = take_scratch(task_, kernel.bytes);
    threads_ = threads;
  }
  task_.in.x = x;
  task_.y = y;
  run_team(task_.plan.threads, [&](Team& team) { kernel.run(task_, team); }, task_.plan.work);
}

template <class T>
void rnn_backward(const RnnBackwardArgs<T>& a) {
  Backward<T> call(a);
  run_alone(call);
}

template <class T>
void rnn_backward(const RnnBackwardArgs<T>& a, const RnnBackwardArgs<T>& b) {
  Backward<T> first(a), second(b);
  run_both(first, second);
}

template void rnn_forward(const RnnForwardArgs<float>&);
template void rnn_forward(const RnnForwardArgs<double>&);
template void rnn_backward(const RnnBackwardArgs<float>&);
template void rnn_backward(const RnnBackwardArgs<double>&);
template void rnn_forward(const RnnForwardArgs<float>&, const RnnForwardArgs<float>&);
template void rnn_forward(const RnnForwardArgs<double>&, const RnnForwardArgs<double>&);
template void rnn_backward(const RnnBackwardArgs<float>&, const RnnBackwardArgs<float>&);
template void rnn_backward(const RnnBackwardArgs<double>&, const RnnBackwardArgs<double>&);
template class RepeatedForward<float>;
template class RepeatedForward<double>;

}  // namespace fastrnn
