// Tape: kept by forward for one backward; gates and cell states in panel order, the rest by
// view.
#pragma once

#include <vector>

#include "fastrnn/memory/scratch.h"
#include "fastrnn/rnn/args.h"
#include "fastrnn/rnn/table.h"

namespace fastrnn {

// The sorted order of rows and the extent of every step; see Steps.
struct StepOrder {
  std::vector<index_t> active, offset, order, length;  // empty when every row has all steps
  index_t count = 0, batch = 0;
  bool reverse = false;

  StepOrder() = default;
  // lengths may be absent (all T). Error for one that is not in 0..T.
  StepOrder(index_t T, index_t N, const View<const index_t, 1>& lengths, bool backwards);
  Steps steps() const;
  index_t rows() const { return offset.empty() ? count * batch : offset.back(); }
};

template <class T>
class Tape {
 public:
  bool filled() const { return table != nullptr; }
  std::size_t nbytes() const { return memory.bytes(); }
  index_t panels() const { return (dims.H + table->lanes - 1) / table->lanes; }

  // Copies in the caller's layout and gate order; zero in the padding. Error once spent.
  void copy_gates(View<T, 4> out) const;  // (T, N, G, H)
  void copy_cells(View<T, 3> out) const;  // (T, N, H)

  const CellShape& shape() const { return cell_traits(layer.cell).shape; }

  Layer<T> layer;
  Inputs<T> in;  // ids are a copy of its own
  Options on;
  Dims dims{};
  const KernelTable<T>* table = nullptr;
  bool spent = false;
  StepOrder order;
  View<const T, 3> y;
  std::vector<index_t> ids;
  Scratch memory;
  Kept<T> kept;
};

}  // namespace fastrnn
