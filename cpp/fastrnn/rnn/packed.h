// PackedWeights: the weights of one layer and direction in panel order, for one ISA; immutable.
#pragma once

#include "fastrnn/memory/scratch.h"
#include "fastrnn/rnn/args.h"
#include "fastrnn/rnn/table.h"

namespace fastrnn {

// The active table of calls in T with weights of this precision; Error if there is none.
template <class T>
const KernelTable<T>& table_for(Precision precision);

template <class T>
class PackedWeights {
 public:
  // Of int8: q_hh and what goes with it. Of bfloat16: w_ih and w_hh in float32, which are rounded.
  PackedWeights(Cell cell, const RnnWeights<T>& weights, Precision precision = Precision::plain);

  Cell cell() const { return cell_; }
  const Dims& dims() const { return dims_; }  // I, H and P
  const Options& options() const { return on_; }
  Isa isa() const { return table_->isa; }
  Precision precision() const { return table_->precision; }
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
