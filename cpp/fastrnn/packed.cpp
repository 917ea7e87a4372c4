// PackedWeights: the weights of one layer and direction in panel order, for one ISA; immutable.
#include "fastrnn/packed.h"

#include "fastrnn/dispatch.h"
#include "fastrnn/validate.h"

namespace fastrnn {

template <class T>
PackedWeights<T>::PackedWeights(Cell cell, const RnnWeights<T>& weights)
    : cell_(cell), table_(&kernels<T>()) {
  check_weights(cell, weights);
  const CellKernels<T>& kernel = (*table_)[cell];
  const index_t I = weights.w_ih ? weights.w_ih.shape[1] : 0;
  const index_t H = weights.w_hh.shape[0] / kernel.traits.gates;
  const auto block =
      memory_.add<unsigned char>(static_cast<index_t>(kernel.packed_bytes(weights, I, H)));
  memory_.allocate();
  run_team(1, [&](Team& team) { panels_ = kernel.pack(weights, I, H, memory_.at(block), team); });
}

template class PackedWeights<float>;
template class PackedWeights<double>;

}  // namespace fastrnn
