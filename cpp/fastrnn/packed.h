// PackedWeights: the weights of one layer and direction in panel order, for one ISA; immutable.
#pragma once

#include "fastrnn/args.h"
#include "fastrnn/kernel_table.h"
#include "fastrnn/scratch.h"

namespace fastrnn {

template <class T>
class PackedWeights {
 public:
  PackedWeights(Cell cell, const RnnWeights<T>& weights);

  Cell cell() const { return cell_; }
  bool projected() const { return panels_.projected; }  // made without w_ih
  index_t input_size() const { return panels_.I; }
  index_t hidden_size() const { return panels_.H; }
  index_t h_size() const { return panels_.P; }
  Isa isa() const { return table_->isa; }
  std::size_t bytes() const { return memory_.bytes(); }
  const KernelTable<T>& table() const { return *table_; }
  const Panels<T>& panels() const { return panels_; }

 private:
  Cell cell_;
  const KernelTable<T>* table_;
  Scratch memory_;
  Panels<T> panels_;
};

}  // namespace fastrnn
