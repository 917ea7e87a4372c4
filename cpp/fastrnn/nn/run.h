// run: plans a team for a kernel of an operation beside the recurrent ones, and runs it.
#pragma once

#include <vector>

#include "fastrnn/memory/scratch.h"
#include "fastrnn/nn/table.h"
#include "fastrnn/rnn/plan.h"
#include "fastrnn/team/launch.h"

namespace fastrnn {

template <class Args>
void run(const NnKernel<Args>& kernel, const Args& args, int num_threads, const Work& work) {
  const int threads = team_size(work, num_threads);
  Scratch scratch;
  const auto piece = scratch.add<unsigned char>(static_cast<index_t>(kernel.bytes(args, threads)));
  scratch.allocate();
  run_team(threads, [&](Team& team) { kernel.run(args, scratch.at(piece), team); }, work);
}

// So many multiply-adds take as long as copying an element, and as computing an exponential.
inline constexpr double kCopied = 8, kExponential = 20;

// Puts a copy in the place of the caller's array, which another thread may be writing to: what has
// been checked is what is used.
inline std::vector<index_t> own(View<const index_t, 1>& view) {
  std::vector<index_t> copy;
  if (!view || view.shape[0] == 0) return copy;
  copy.reserve(static_cast<std::size_t>(view.shape[0]));
  for (index_t i = 0; i < view.shape[0]; ++i) copy.push_back(*view.at(i));
  view.data = copy.data();
  view.stride[0] = 1;
  return copy;
}

}  // namespace fastrnn
