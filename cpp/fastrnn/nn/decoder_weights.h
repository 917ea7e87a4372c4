// DecoderWeights: the matrices of a decoder's time loop in panel order, for one ISA; immutable.
#pragma once

#include <array>

#include "fastrnn/memory/scratch.h"
#include "fastrnn/nn/decoder_args.h"
#include "fastrnn/nn/table.h"

namespace fastrnn {

template <class T>
class DecoderWeights {
 public:
  // Reads the kind, F, memory's width and the matrices.
  explicit DecoderWeights(const DecoderInputs<T>& inputs);

  bool fits(const DecoderInputs<T>& inputs) const { return kind_ == kind_of(inputs); }
  const NnTable<T>& table() const { return *table_; }
  unsigned char* data() const { return memory_.at(panels_); }

 private:
  using Kind = std::array<index_t, 6>;
  static Kind kind_of(const DecoderInputs<T>& inputs);

  Kind kind_;
  const NnTable<T>* table_;
  Scratch memory_;
  Scratch::Piece<unsigned char> panels_;
};

}  // namespace fastrnn
