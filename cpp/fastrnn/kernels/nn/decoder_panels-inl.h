// DecoderPanels: the packed matrices of the decoder's time loop, forward or backward.
#pragma once

#include "fastrnn/kernels/nn/decoder_rows-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class T>
class DecoderPanels {
 public:
  // forward: of rows times wᵀ; else of rows times w.
  DecoderPanels(const DecoderInputs<T>& a, bool forward)
      : a_(a), H_(a.w_hh.shape[1]), forward_(forward) {}

  void take(Carver& carver) {
    for_each([&](Whole<T>& to, const View<const T, 2>& w, const View<const T, 1>&) {
      to.take(carver, w.shape[forward_ ? 1 : 0], w.shape[forward_ ? 0 : 1]);
    });
  }

  // This thread's part of the packing.
  void fill(Team& team) {
    for_each([&](Whole<T>& to, const View<const T, 2>& w, const View<const T, 1>& b) {
      to.fill(w, forward_, forward_ ? b : View<const T, 1>{}, team);
    });
  }

  Whole<T> feed, recurrent, candidate, query, output_h, output_c;

 private:
  // f(panels, matrix, its bias) for each matrix that is there.
  template <class F>
  FASTRNN_INLINE void for_each(F&& f) {
    const View<const T, 1> none{};
    const View<const T, 2>&u = a_.w_hh, &w = a_.w_ih, &y = a_.w_output;
    if (a_.F > 0) f(feed, columns_of(w, w.shape[1] - a_.F, a_.F), none);
    f(recurrent, rows_of(u, 0, a_.lstm ? 4 * H_ : 2 * H_), none);
    if (!a_.lstm) f(candidate, rows_of(u, 2 * H_, H_), candidate_bias());
    if (a_.w_query) f(query, a_.w_query, none);
    if (y) f(output_h, columns_of(y, 0, H_), a_.b_output);
    if (y) f(output_c, columns_of(y, H_, y.shape[1] - H_), none);
  }

  View<const T, 1> candidate_bias() const {
    if (!a_.b_hh) return {};
    return {a_.b_hh.at(2 * H_), {H_}, {a_.b_hh.stride[0]}};
  }

  const DecoderInputs<T>& a_;
  index_t H_;
  bool forward_;
};

template <class T>
struct DecoderPack {
  using Args = DecoderInputs<T>;
  static std::size_t bytes(const Args& a, int) {
    Carver sizes(nullptr);
    DecoderPanels<T>(a, true).take(sizes);
    return sizes.bytes();
  }
  static void run(const Args& a, unsigned char* memory, Team& team) {
    Carver carver(memory);
    DecoderPanels<T> panels(a, true);
    panels.take(carver);
    panels.fill(team);
  }
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
