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
  // Reads the kind, F, memory's width and the matrices: those of int8 from `narrow`, and their
  // shapes alone from `inputs`.
  explicit DecoderWeights(const DecoderInputs<T>& inputs, Precision precision = Precision::plain,
                          NarrowDecoder narrow = {});

  bool fits(const DecoderInputs<T>& inputs) const { return kind_ == kind_of(inputs); }
  const NnTable<T>& table() const { return *table_; }
  unsigned char* data() const { return memory_.at(panels_); }
  const NarrowDecoder& narrow() const { return narrow_; }
  // Of narrow ones, the columns of w_ih for x, as narrow().linear takes them.
  const unsigned char* for_x() const { return memory_.at(for_x_); }

 private:
  using Kind = std::array<index_t, 6>;
  static Kind kind_of(const DecoderInputs<T>& inputs);

  Kind kind_;
  const NnTable<T>* table_;
  NarrowDecoder narrow_;  // without the caller's matrices
  Scratch memory_;
  Scratch::Piece<unsigned char> panels_, for_x_;
};

}  // namespace fastrnn
