// plan: a pure function from sizes to team size, split and chunk lengths.
#include "fastrnn/plan.h"

#include <algorithm>
#include <cmath>

namespace fastrnn {
namespace {

struct Forced {
  std::optional<Split> split;
  index_t chunk_steps = 0;
};
thread_local Forced forced;

// Below so many multiply-adds per thread and step, waiting at the barrier costs more than a second
// thread brings; without barriers the same holds for the whole call.
constexpr double kStepWork = 40e3, kCallWork = 400e3;

}  // namespace

void force_plan(std::optional<Split> split, index_t chunk_steps) { forced = {split, chunk_steps}; }

Plan make_plan(const Problem& p, const CpuCaches& caches, int threads) {
  const double H = double(p.dims.H), I = double(p.dims.I), rows = double(p.rows);
  const double recurrent = p.gates * H * H, total = rows * p.gates * H * (H + I);
  const double steps = std::max<double>(1, double(p.dims.T));
  const double weights = recurrent * double(p.element);

  Plan plan;
  // Rows without synchronisation, as long as every thread has a few and reads weights from its own
  // cache; else units, where each thread keeps its slice of the weights.
  const double per_thread = double(p.dims.N) / threads;
  const bool many_rows =
      per_thread >= 8 || (per_thread >= 2 && weights <= 0.75 * double(caches.l2));
  plan.split = many_rows ? Split::rows : Split::units;
  const index_t panels = (p.dims.H + p.lanes - 1) / p.lanes;
  const double work = many_rows ? total / kCallWork : rows / steps * recurrent / kStepWork;
  const index_t pieces = many_rows ? p.dims.N : (panels + p.stages_grain - 1) / p.stages_grain;
  plan.threads = int(std::clamp<double>(std::min(work, double(pieces)), 1, threads));
  if (plan.threads == 1) plan.split = Split::rows;

  // Forward: a thread's share of the chunk stays in half of its L2, but is no fewer rows than make
  // the projection a good product.
  const double row_bytes = H * p.slots * double(p.element);
  const double fit = 0.5 * double(caches.l2) * plan.threads / std::max(row_bytes, 1.0);
  plan.forward_rows = std::max<index_t>(48 * plan.threads, index_t(std::min(fit, 1e6)));
  // Backward: fixed numbers, because the rounding of the weight gradients follows the chunks.
  plan.backward_rows =
      std::max<index_t>(256, index_t(std::min(4e6 / std::max(row_bytes, 1.0), 1e6)));

  if (forced.split) {
    plan.split = *forced.split;
    plan.threads = threads;
  }
  if (forced.chunk_steps > 0)
    plan.forward_rows = plan.backward_rows =
        std::max<index_t>(1, forced.chunk_steps * std::max<index_t>(1, p.dims.N));
  if (forced.chunk_steps == 1) plan.forward_rows = plan.backward_rows = 1;
  return plan;
}

}  // namespace fastrnn
