// check_weights: the shapes of one layer's weights, and which of them its cell takes.
#include "fastrnn/rnn/check_weights.h"

#include "fastrnn/check_shape.h"

namespace fastrnn {

template <class T>
Dims check_weights(Cell cell, const RnnWeights<T>& w) {
  const auto& [name, general, shape] = cell_traits(cell);
  FASTRNN_CHECK(w.w_hh, "w_hh is required");
  const index_t P = w.w_hh.shape[1], H = w.w_hr ? w.w_hr.shape[1] : P;
  const index_t rows = blocks_of(shape.gates, H);
  FASTRNN_CHECK((general && shape.peephole) || !w.w_hr,
                std::string("w_hr is not taken by ") + name);
  FASTRNN_CHECK(P >= 1, "w_hh must have at least one column");
  FASTRNN_CHECK(P <= H, "w_hr must have no more rows than columns, P <= H");
  check_shape("w_hh", w.w_hh, "(G*H, P), P = H without w_hr,", {rows, P});
  check_optional("w_ih", w.w_ih, "(G*H, I)", {rows, w.w_ih.shape[1]});
  check_optional("b_ih", w.b_ih, "(G*H,)", {rows});
  check_optional("b_hh", w.b_hh, "(G*H,)", {rows});
  FASTRNN_CHECK((general && shape.peephole) || !w.w_peephole_full,
                std::string("w_peephole of more than 3 rows is not taken by ") + name);
  if (!general || !shape.peephole) check_presence("w_peephole", w.w_peephole, shape.peephole, name);
  check_optional("w_peephole", w.w_peephole, "(3, H)", {3, H});
  FASTRNN_CHECK(!w.w_peephole || !w.w_peephole_full, "w_peephole has one form at a time");
  check_optional("w_peephole", w.w_peephole_full, "(3, H) or (3*H, H)", {blocks_of(3, H), H});
  check_optional("w_hr", w.w_hr, "(P, H)", {P, H});
  FASTRNN_CHECK(general || !w.w_norm, std::string("w_norm is not taken by ") + name);
  check_optional("w_norm", w.w_norm, "(2*G, H), for an LSTM (2*G + 2, H)", {norm_rows(shape), H});
  return {0, 0, w.w_ih ? w.w_ih.shape[1] : rows, H, P};
}

template Dims check_weights(Cell, const RnnWeights<float>&);
template Dims check_weights(Cell, const RnnWeights<double>&);

}  // namespace fastrnn
