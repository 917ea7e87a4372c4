// DecoderWeights: the matrices of a decoder's time loop in panel order, for one ISA; immutable.
#include "fastrnn/nn/decoder_weights.h"

#include "fastrnn/dispatch.h"
#include "fastrnn/nn/decoder_checks.h"
#include "fastrnn/team/launch.h"

namespace fastrnn {

template <class T>
typename DecoderWeights<T>::Kind DecoderWeights<T>::kind_of(const DecoderInputs<T>& a) {
  const Sizes s = sizes_of<T>(a);
  return {a.lstm, s.H, s.F, a.w_query ? s.A : 0, a.w_output ? s.O : 0, a.w_output ? s.C : 0};
}

template <class T>
DecoderWeights<T>::DecoderWeights(const DecoderInputs<T>& a)
    : kind_(kind_of(a)), table_(&nn_kernels<T>()) {
  check_weights<T>(a, sizes_of<T>(a));
  const auto& pack = table_->attention_decoder_pack;
  panels_ = memory_.template add<unsigned char>(static_cast<index_t>(pack.bytes(a, 1)));
  memory_.allocate();
  run_team(1, [&](Team& team) { pack.run(a, data(), team); });
}

template class DecoderWeights<float>;
template class DecoderWeights<double>;

}  // namespace fastrnn
