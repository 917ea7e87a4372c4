// plan: a pure function from sizes and the time of a barrier to team size, split and chunk lengths.
#pragma once

#include <chrono>
#include <optional>

#include "fastrnn/cpu.h"
#include "fastrnn/rnn/table.h"
#include "fastrnn/team/work.h"

namespace fastrnn {

struct Problem {
  Dims dims;
  int gates;            // G
  int slots;            // workspace vectors per unit
  int stages_grain;     // panels that a unit split keeps together
  index_t rows;         // sum of lengths
  index_t lanes;        // of one vector
  std::size_t element;  // bytes
  std::size_t weight;   // bytes of a packed one
  bool training;
  bool read_once;  // weights by a single row, and threads are kept from one team to the next
  bool chained;    // one of two layers side by side, of which the second follows the first
};

// `threads` is the most that may be used; barrier is what one takes (team/barrier_time.h), if
// known.
Plan make_plan(const Problem& problem, const CpuCaches& caches, int threads,
               std::chrono::nanoseconds barrier = {});

// Whether two calls like this one should run side by side, on one thread each, rather than one
// after the other.
bool side_by_side(const Problem& problem, const CpuCaches& caches, int threads,
                  std::chrono::nanoseconds barrier = {});

// Threads for a call that divides into parts of any size; asked, 0: the process-wide setting.
int team_size(const Work& work, int asked);

// Test hook, this thread only: the split to use with all threads asked for, and steps per chunk;
// none and 0 leave the choice to make_plan. dots: what products by narrow weights use, or the next
// best that the CPU has.
void force_plan(std::optional<Split> split, index_t chunk_steps,
                std::optional<Dots> dots = std::nullopt);

// What products by the narrow weights of a table use.
template <class T>
Dots dots_for(const KernelTable<T>& table);

}  // namespace fastrnn
