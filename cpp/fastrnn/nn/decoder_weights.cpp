// DecoderWeights: the matrices of a decoder's time loop in panel order, for one ISA; immutable.
#include "fastrnn/nn/decoder_weights.h"

#include <type_traits>

#include "fastrnn/dispatch.h"
#include "fastrnn/nn/decoder_checks.h"
#include "fastrnn/nn/narrow_linear.h"
#include "fastrnn/rnn/check_weights.h"
#include "fastrnn/rnn/plan.h"
#include "fastrnn/team/launch.h"

namespace fastrnn {

template <class T>
typename DecoderWeights<T>::Kind DecoderWeights<T>::kind_of(const DecoderInputs<T>& a) {
  const Sizes s = sizes_of<T>(a);
  return {a.lstm, s.H, s.F, a.w_query ? s.A : 0, a.w_output ? s.O : 0, a.w_output ? s.C : 0};
}

namespace {

// The matrix in fewer bits: q as it comes, or rounded from w.
template <class T>
void complete(const char* name, const View<const T, 2>& w, Precision precision, NarrowMatrix& m) {
  if (!w) return;
  if constexpr (std::is_same_v<T, float>) {
    if (precision == Precision::bfloat16) m.w = w;
  }
  if (precision != Precision::int8) return;
  check_shape(name, m.q, "that of float32", {w.shape[0], w.shape[1]});
  check_shape("scale", m.scale, "(O,)", {w.shape[0]});
  check_int8_columns(name, w.shape[1]);
}

// Its first columns.
NarrowMatrix columns_of(NarrowMatrix m, index_t columns) {
  m.w.shape[1] = m.q.shape[1] = columns;
  return m;
}

}  // namespace

template <class T>
DecoderWeights<T>::DecoderWeights(const DecoderInputs<T>& a, Precision precision,
                                  NarrowDecoder narrow)
    : kind_(kind_of(a)), table_(&nn_kernels<T>()) {
  check_weights<T>(a, sizes_of<T>(a));
  if (precision != Precision::plain) {
    FASTRNN_CHECK((std::is_same_v<T, float>), "weights of fewer bits are for float32");
    narrow_.linear = narrow.linear = &narrow_linear(precision);
    narrow_.dots = dots_for(*narrow.linear->row);
    complete("weight_ih", a.w_ih, precision, narrow.w_ih);
    complete("weight_hh", a.w_hh, precision, narrow.w_hh);
    complete("weight_query", a.w_query, precision, narrow.w_query);
    complete("weight_output", a.w_output, precision, narrow.w_output);
  }
  const index_t E = a.w_ih.shape[1] - a.F, gates = a.w_ih.shape[0];
  const NarrowMatrix x = columns_of(narrow.w_ih, E);
  const NarrowLinear* const linear = narrow.linear;
  const auto& pack = table_->attention_decoder_pack;
  const DecoderPackTask<T> task{a, narrow};
  panels_ = memory_.template add<unsigned char>(static_cast<index_t>(pack.bytes(task, 1)));
  for_x_ = memory_.template add<unsigned char>(
      linear ? static_cast<index_t>(linear->packed_bytes(gates, E)) : 0);
  memory_.allocate();
  run_team(1, [&](Team& team) {
    pack.run(task, data(), team);
    if (linear) linear->pack(x, memory_.at(for_x_), team);
  });
}

template class DecoderWeights<float>;
template class DecoderWeights<double>;

}  // namespace fastrnn
