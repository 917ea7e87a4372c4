// PackedMatrix: the weights of a linear layer with fewer bits than float32, packed once; immutable.
#pragma once

#include "fastrnn/memory/scratch.h"
#include "fastrnn/nn/narrow_linear.h"

namespace fastrnn {

class PackedMatrix {
 public:
  explicit PackedMatrix(const NarrowMatrix& matrix);

  index_t rows() const { return O_; }
  index_t columns() const { return I_; }
  Isa isa() const { return linear_->row->isa; }
  Precision precision() const { return linear_->row->precision; }
  std::size_t bytes() const { return memory_.bytes(); }

  // y = x·wᵀ + b. Throws Error, std::bad_alloc, or Interrupted.
  void multiply(NarrowLinearArgs args, int num_threads) const;

 private:
  const NarrowLinear* linear_;
  index_t O_, I_;
  Scratch memory_;
  Scratch::Piece<unsigned char> block_{};
};

}  // namespace fastrnn
