// DecoderPanels: the packed matrices of the decoder's time loop, forward or backward.
#pragma once

#include "fastrnn/kernels/nn/decoder_rows-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class T>
class DecoderPanels {
 public:
  // forward: of rows times wᵀ; else of rows times w, which are never narrow.
  DecoderPanels(const DecoderInputs<T>& a, bool forward, const NarrowDecoder& narrow = {})
      : a_(a), narrow_(narrow), H_(a.w_hh.shape[1]), forward_(forward) {}

  void take(Carver& carver) {
    for_each([&](Whole<T>& to, const Part& w, const View<const T, 1>&) {
      const index_t(&shape)[2] = w.plain.shape;
      to.take(carver, shape[forward_ ? 1 : 0], shape[forward_ ? 0 : 1], narrow_);
    });
  }
  // Scratch of a thread for products of up to so many rows.
  index_t bytes(index_t rows) {
    index_t most = 0;
    for_each([&](Whole<T>& to, const Part&, const View<const T, 1>&) {
      const index_t bytes = to.bytes(rows);
      most = bytes > most ? bytes : most;
    });
    return most;
  }

  // This thread's part of the packing.
  void fill(Team& team) {
    for_each([&](Whole<T>& to, const Part& w, const View<const T, 1>& b) {
      if (narrow_.linear)
        to.fill(w.narrow, b, team);
      else
        to.fill(w.plain, forward_, forward_ ? b : View<const T, 1>{}, team);
    });
  }

  Whole<T> feed, recurrent, candidate, query, output_h, output_c;

 private:
  // A part of a matrix, and the same of the one with fewer bits.
  struct Part {
    View<const T, 2> plain;
    NarrowMatrix narrow;
  };
  static Part part(const Part& of, index_t row, index_t rows, index_t column, index_t columns) {
    Part some{block_of(of.plain, row, rows, column, columns), {}};
    if (of.narrow.w) some.narrow.w = block_of(of.narrow.w, row, rows, column, columns);
    if (of.narrow.q) {
      some.narrow.q = block_of(of.narrow.q, row, rows, column, columns);
      some.narrow.scale = {of.narrow.scale.at(row), {rows}, {of.narrow.scale.stride[0]}};
    }
    return some;
  }

  // f(panels, matrix, its bias) for each matrix that is there.
  template <class F>
  FASTRNN_INLINE void for_each(F&& f) {
    const View<const T, 1> none{};
    const Part w{a_.w_ih, narrow_.w_ih}, u{a_.w_hh, narrow_.w_hh}, y{a_.w_output, narrow_.w_output};
    const index_t gates = a_.w_hh.shape[0], joint = a_.lstm ? gates : 2 * H_;
    if (a_.F > 0) f(feed, part(w, 0, gates, a_.w_ih.shape[1] - a_.F, a_.F), none);
    f(recurrent, part(u, 0, joint, 0, H_), none);
    if (!a_.lstm) f(candidate, part(u, joint, H_, 0, H_), candidate_bias());
    if (a_.w_query) f(query, Part{a_.w_query, narrow_.w_query}, none);
    if (!a_.w_output) return;
    const index_t O = a_.w_output.shape[0], C = a_.w_output.shape[1] - H_;
    f(output_h, part(y, 0, O, 0, H_), a_.b_output);
    f(output_c, part(y, 0, O, H_, C), none);
  }

  View<const T, 1> candidate_bias() const {
    if (!a_.b_hh) return {};
    return {a_.b_hh.at(2 * H_), {H_}, {a_.b_hh.stride[0]}};
  }

  const DecoderInputs<T>& a_;
  const NarrowDecoder narrow_;
  index_t H_;
  bool forward_;
};

// In a team of one.
template <class T>
struct DecoderPack {
  using Args = DecoderPackTask<T>;
  static std::size_t bytes(const Args& task, int) {
    Carver sizes(nullptr);
    DecoderPanels<T>(task.args, true, task.narrow).take(sizes);
    return sizes.bytes();
  }
  static void run(const Args& task, unsigned char* memory, Team& team) {
    Carver carver(memory);
    DecoderPanels<T> panels(task.args, true, task.narrow);
    panels.take(carver);
    panels.fill(team);
  }
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
