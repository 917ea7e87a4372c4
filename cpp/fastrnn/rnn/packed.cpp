// PackedWeights: the weights of one layer and direction in panel order, for one ISA; immutable.
#include "fastrnn/rnn/packed.h"

#include "fastrnn/dispatch.h"
#include "fastrnn/rnn/check_weights.h"
#include "fastrnn/team/launch.h"

namespace fastrnn {

template <class T>
PackedWeights<T>::PackedWeights(Cell cell, const RnnWeights<T>& weights)
    : cell_(cell),
      table_(&kernels<T>()),
      dims_(check_weights(cell, weights)),
      on_(options_of(weights)) {
  const CellShape& shape = cell_traits(cell).shape;
  block_ =
      memory_.add<unsigned char>(static_cast<index_t>(table_->packed_bytes(shape, weights, dims_)));
  memory_.allocate();
  run_team(1, [&](Team& team) { table_->pack(shape, weights, dims_, block(), team); });
}

template class PackedWeights<float>;
template class PackedWeights<double>;

}  // namespace fastrnn
