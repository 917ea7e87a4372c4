// PackedWeights: the weights of one layer and direction in panel order, for one ISA; immutable.
#include "fastrnn/rnn/packed.h"

#include <string>
#include <type_traits>

#include "fastrnn/dispatch.h"
#include "fastrnn/error.h"
#include "fastrnn/rnn/check_weights.h"
#include "fastrnn/team/launch.h"

namespace fastrnn {

template <class T>
const KernelTable<T>& table_for(Precision precision) {
  if constexpr (std::is_same_v<T, float>) {
    if (precision == Precision::int8) return kernels<T, std::int8_t>();
    if (precision == Precision::bfloat16) return kernels<T, BFloat16>();
  }
  FASTRNN_CHECK(precision == Precision::plain, "narrow weights are for float32");
  return kernels<T>();
}
template const KernelTable<float>& table_for(Precision);
template const KernelTable<double>& table_for(Precision);

template <class T>
PackedWeights<T>::PackedWeights(Cell cell, const RnnWeights<T>& weights, Precision precision)
    : cell_(cell),
      table_(&table_for<T>(precision)),
      dims_(check_weights(cell, weights, precision)),
      on_(options_of(weights)) {
  const CellTraits& traits = cell_traits(cell);  // Clang 14 captures no part of it in a lambda
  FASTRNN_CHECK((*table_)[cell].forward.run != nullptr,
                std::string("h of ") + traits.name +
                    " can leave -1 .. 1: int8 weights are for its general cell");
  block_ = memory_.add<unsigned char>(
      static_cast<index_t>(table_->packed_bytes(traits.shape, weights, dims_)));
  memory_.allocate();
  run_team(1, [&](Team& team) { table_->pack(traits.shape, weights, dims_, block(), team); });
}

template class PackedWeights<float>;
template class PackedWeights<double>;

}  // namespace fastrnn
