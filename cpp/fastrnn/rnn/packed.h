// PackedWeights: the weights of one layer and direction in panel order, for one ISA; immutable.
#pragma once

#include "fastrnn/memory/scratch.h"
#include "fastrnn/rnn/args.h"
#include "fastrnn/rnn/table.h"

namespace fastrnn {

template <class T>
class PackedWeights {
 public:
  PackedWeights(Cell cell, const RnnWeights<T>& weights);

  Cell cell() const { return cell_; }
  const Dims& dims() const { return dims_; }  // I, H and P
  const Options& options() const { return on_; }
  Isa isa() const { return table_->isa; }
  std::size_t bytes() const { return memory_.bytes(); }
  const KernelTable<T>& table() const { return *table_; }
  unsigned char* block() const { return memory_.at(block_); }  // as table().pack has filled it

 private:
  Cell cell_;
  const KernelTable<T>* table_;
  Dims dims_;
  Options on_;
  Scratch memory_;
  Scratch::Piece<unsigned char> block_{};
};

}  // namespace fastrnn
