// plan: a pure function from sizes and the time of a barrier to team size, split and chunk lengths.
#include "fastrnn/rnn/plan.h"

#include <algorithm>
#include <cmath>

#include "fastrnn/team/launch.h"
#include "fastrnn/thread_local.h"

namespace fastrnn {
namespace {

struct Forced {
  std::optional<Split> split;
  index_t chunk_steps = 0;
  std::optional<Dots> dots;
};
FASTRNN_THREAD_LOCAL Forced forced;

// Multiply-adds, from timing every split of LSTM, GRU and RNN at H = 32 .. 256, N = 1 .. 16 on two
// Zen 4 cores. A barrier costs the more the more threads meet, so n threads that share the units
// need n²·kStepWork in a step: at N = 1 two of them took a quarter less time with an LSTM of 64
// units or an RNN of 128, and 47 to 99 us instead of 46 with a GRU of 64. Whatever they share, they
// need n·kCallWork in a call. Few rows take nearly as long as twice as many, so n threads that
// share rows need n·kRowsWork: training an LSTM of 64 units for 10 steps, two threads took 100 us
// instead of 68 at N = 2 (0.7e6 multiply-adds), 115 to 137 instead of 104 to 132 at N = 4, and 156
// instead of 206 at N = 8 (2.6e6).
constexpr double kStepWork = 3.5e3, kCallWork = 200e3, kRowsWork = 1e6;
// The same as kCallWork where weights are read once, each for one multiply-add: two threads take 27
// us instead of 42 for a step of a GRU of 256 units, 17 instead of 25 with 192, and as long as one
// with an LSTM of 128 units or an RNN of 192. Measured with two threads, so no more are used.
constexpr double kUnpackedWork = 75e3;
// Steps by which one layer follows another where each has a thread: the fewer, the sooner it
// begins. One layer of 64 or 128 units, N = 1, takes as long by 8 as by all 200 forward, and back
// 13 to 17 % longer by 8, 7 % by 16, 3 % by 32.
constexpr double kStepsForward = 8, kStepsBackward = 16;
// Multiply-adds of so many steps forward, below which handing them over costs what it gains.
constexpr double kHandOverWork = 40e3;
// A barrier that takes longer than this needs as much more work in a step. While it took 85 ns, two
// threads had an LSTM of 64 units ready in 44 us instead of 52; a quarter of an hour before, on the
// same two cores, in 67.
constexpr double kBarrierNs = 120;

double slowness(std::chrono::nanoseconds barrier) {
  return std::max(1.0, double(barrier.count()) / kBarrierNs);
}

double recurrent_of(const Problem& p) { return p.gates * double(p.dims.H) * double(p.dims.H); }

// Bytes of the recurrent weights.
double weights_of(const Problem& p) { return recurrent_of(p) * double(p.weight); }

// A narrow weight takes as much less time as it has fewer bytes.
double cost_of_weight(const Problem& p) { return double(p.weight) / double(p.element); }

double work_of(const Problem& p) {
  const double H = double(p.dims.H), I = double(p.dims.I);
  return cost_of_weight(p) * double(p.rows) * p.gates * H * (H + I);
}

// Whether threads should rather share rows, without ever waiting for each other, than units, by
// which each reads its own slice of the recurrent weights only. A few rows hide the time that
// weights take from the L2; weights that small are in the L1 half of the time. Weights that live in
// the L3 need more rows, or it cannot feed all threads: LSTM and GRU forward at H = 1024, N = 16 on
// two Zen 5 cores gained 15 % by sharing units; where not even a thread's share stays in the L2,
// still 5 to 8 % of forward and 1 to 6 % of training at N = 64 .. 128 (processor time).
bool share_rows(double rows_per_thread, double weights, double l2) {
  const double enough = weights <= 2 * l2 ? 8 : weights <= 8 * l2 ? 17 : 65;
  return rows_per_thread >= enough || (rows_per_thread >= 4 && weights <= 0.75 * l2) ||
         (rows_per_thread >= 1 && weights <= 0.125 * l2);
}

}  // namespace

void force_plan(std::optional<Split> split, index_t chunk_steps, std::optional<Dots> dots) {
  forced = {split, chunk_steps, dots};
}

template <class T>
Dots dots_for(const KernelTable<T>& table) {
  const CpuFeatures& cpu = cpu_features();
  const auto has = [&](bool CpuFeatures::* what) { return what != nullptr && cpu.*what; };
  const Dots most = forced.dots.value_or(Dots::tiles);
  if (most == Dots::tiles && has(table.tiles) && tiles_allowed()) return Dots::tiles;
  const bool slow = table.precision == Precision::bfloat16 && cpu.slow_bf16 && !forced.dots;
  return most != Dots::none && has(table.words) && !slow ? Dots::words : Dots::none;
}
template Dots dots_for(const KernelTable<float>&);
template Dots dots_for(const KernelTable<double>&);

int team_size(const Work& work, int asked) {
  const int most = asked > 0 ? asked : num_threads();
  return forced.split ? most : int(std::clamp<double>(work.multiply_adds / kCallWork, 1, most));
}

Plan make_plan(const Problem& p, const CpuCaches& caches, int threads,
               std::chrono::nanoseconds barrier) {
  const double H = double(p.dims.H), I = double(p.dims.I), total = work_of(p);
  const double steps = std::max<double>(1, double(p.dims.T)), weights = weights_of(p);

  Plan plan;
  const bool by_rows = share_rows(double(p.dims.N) / threads, weights, double(caches.l2));
  plan.split = by_rows ? Split::rows : Split::units;
  const index_t panels = (p.dims.H + p.lanes - 1) / p.lanes;
  const double step_work = cost_of_weight(p) * double(p.rows) / steps * recurrent_of(p) /
                           (kStepWork * slowness(barrier));
  const double call_work = p.read_once
                               ? std::max(std::min(total / kUnpackedWork, 2.0), total / kCallWork)
                               : total / kCallWork;
  const double work = by_rows ? total / kRowsWork : std::min(call_work, std::sqrt(step_work));
  const index_t pieces = by_rows ? p.dims.N : (panels + p.stages_grain - 1) / p.stages_grain;
  plan.threads = int(std::clamp<double>(std::min(work, double(pieces)), 1, threads));
  plan.work = {p.training ? 2 * total : total};
  if (plan.threads == 1) plan.split = Split::rows;

  // A thread's share of a chunk stays in half of its L2, but is no fewer rows than make the
  // products outside of the time loop good ones.
  const double x_bytes = p.weight < p.element ? I * double(p.weight) : 0;  // a copy, as operands
  const double row_bytes = std::max(H * p.slots * double(p.element) + x_bytes, 1.0);
  const double fit = 0.5 * double(caches.l2) * plan.threads / row_bytes;
  plan.forward_rows = std::max<index_t>(48 * plan.threads, index_t(std::min(fit, 1e6)));
  // Input and recurrent weights of which the L3 holds only one: each chunk fetches both from
  // memory, so there are few chunks (LSTM at H = 1024, N = 16 on Zen 5: 17 % of forward, 11 % of
  // training).
  if (weights > 0.25 * double(caches.l3))
    plan.forward_rows = std::max<index_t>(plan.forward_rows, 512);
  // Large weight gradients leave the L2 between two chunks, so chunks of 1024 rows are better then,
  // where half of the L3 holds them (3 % of training at H = 256 .. 1024, N = 16; 512 rows rather
  // than 256 are 3 % of it at H = 128).
  // Sums over rows of bfloat16 are of pairs: wherever one begins, it shows in their bits, so that
  // chunks must not depend on the number of threads.
  const bool large = weights >= 0.5 * double(caches.l2), pairs = p.weight < p.element;
  const double many = large ? std::min(0.5 * double(caches.l3) / row_bytes, 1024.0) : 512.0;
  const double share = pairs ? fit / plan.threads : fit;
  plan.backward_rows = index_t(std::clamp(std::max(share, many), 256.0, 1e6));
  // Long sums make better tiles, where the L2 holds what is packed: 512 rows instead of 256 are 2 %
  // of the weight gradients at H = 128 .. 1024, packing and all (Zen 5).
  plan.gradient_rows = caches.l2 >= std::size_t{1} << 20 ? 512 : 256;

  if (p.chained) {
    const auto rows = [&](double of_steps) {
      return index_t(std::ceil(of_steps * double(p.rows) / steps));
    };
    plan.forward_rows = std::min(plan.forward_rows, rows(kStepsForward));
    plan.backward_rows = std::min(plan.backward_rows, rows(kStepsBackward));
  }

  if (forced.split) {
    plan.work = {};
    plan.split = forced.split == Split::units ? Split::units : Split::rows;
    plan.threads = forced.split == Split::calls ? 1 : threads;
  }
  if (forced.chunk_steps > 0)
    plan.forward_rows = plan.backward_rows =
        std::max<index_t>(1, forced.chunk_steps * std::max<index_t>(1, p.dims.N));
  if (forced.chunk_steps == 1) plan.forward_rows = plan.backward_rows = 1;
  return plan;
}

// Threads that have a direction each never meet, so they gain where one direction alone would get
// one thread, or two that share units. Both directions at N = 1, I = H, T = 50 took, in us on two
// Zen 4 cores (bench/cases.py has one as "one sentence"; at T = 200 they gained up to 1.8 times):
//
//   inference, H = 32, 64, 128: LSTM 39 -> 26, 80 -> 61, 365 -> 217; GRU 29 -> 23, 78 -> 46,
//                               283 -> 176; RNN 19 -> 18, 31 -> 24, 100 -> 65
//   training:                   LSTM 105 -> 79, 310 -> 191, 821 -> 701; GRU 83 -> 63, 235 -> 148,
//                               531 -> 493; RNN 49 -> 46, 90 -> 71, 214 -> 181
//
// So do two layers of which the second follows the first by a few steps:
//
//   inference, T = 50, H = 32, 64:        LSTM 39 -> 31, 94 -> 72; GRU 29 -> 24, 76 -> 55
//   inference, T = 200, H = 32, 64, 128:  LSTM 124 -> 84, 355 -> 230, 994 -> 898;
//                                         GRU 85 -> 57, 278 -> 164, 701 -> 689
//   training, T = 50, H = 32, 64:         LSTM 105 -> 87, 311 -> 235; GRU 83 -> 75, 235 -> 195
//   training, T = 200, H = 32, 64:        LSTM 326 -> 271, 1093 -> 798; GRU 244 -> 175, 804 -> 548
//
// Weights that fill the L2 are better shared by units, so that each thread reads half of them: an
// LSTM of 256 units gained nothing, and took 3.86 ms instead of 3.46 in training. Threads that
// share rows need not meet either; at N = 16 training took up to a third longer with a direction
// each.
bool side_by_side(const Problem& p, const CpuCaches& caches, int threads,
                  std::chrono::nanoseconds barrier) {
  if (threads < 2) return false;
  if (forced.split) return forced.split == Split::calls;
  const Plan alone = make_plan(p, caches, threads, barrier);
  const double steps = std::max<double>(1, double(p.dims.T));
  if (p.chained && (steps < 3 * kStepsForward ||
                    work_of(p) / steps * kStepsForward < kHandOverWork * slowness(barrier)))
    return false;
  // Sums of few steps at a time go often over gradients that are as large as the weights.
  const bool units = alone.split == Split::units && !(p.chained && p.training);
  const bool few = alone.threads == 1 || (alone.threads == 2 && units);
  return few && work_of(p) >= kCallWork && weights_of(p) <= 0.5 * double(caches.l2);
}

}  // namespace fastrnn
