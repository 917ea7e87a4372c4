// check_weights: the shapes of one layer's weights, and which of them its cell takes.
#include "fastrnn/rnn/check_weights.h"

#include "fastrnn/check_shape.h"

namespace fastrnn {

namespace {

// Sums of so many products of whole numbers -127 .. 127 fit 32 bits.
constexpr index_t kMostColumns = 0x7fffffff / (127 * 127);

// The matrices of plain or of bfloat16 weights, or of int8.
template <class T, class E>
Dims check_matrices(Cell cell, const RnnWeights<T>& w, const View<const E, 2>& ih,
                    const View<const E, 2>& hh, const View<const E, 2>& peephole,
                    const View<const E, 2>& hr) {
  const auto& [name, general, shape] = cell_traits(cell);
  FASTRNN_CHECK(hh, "w_hh is required");
  const index_t P = hh.shape[1], H = hr ? hr.shape[1] : P;
  const index_t rows = blocks_of(shape.gates, H);
  FASTRNN_CHECK((general && shape.peephole) || !hr, std::string("w_hr is not taken by ") + name);
  FASTRNN_CHECK(P >= 1, "w_hh must have at least one column");
  FASTRNN_CHECK(P <= H, "w_hr must have no more rows than columns, P <= H");
  check_shape("w_hh", hh, "(G*H, P), P = H without w_hr,", {rows, P});
  check_optional("w_ih", ih, "(G*H, I)", {rows, ih.shape[1]});
  check_optional("b_ih", w.b_ih, "(G*H,)", {rows});
  check_optional("b_hh", w.b_hh, "(G*H,)", {rows});
  FASTRNN_CHECK((general && shape.peephole) || !peephole,
                std::string("w_peephole of more than 3 rows is not taken by ") + name);
  if (!general || !shape.peephole) check_presence("w_peephole", w.w_peephole, shape.peephole, name);
  check_optional("w_peephole", w.w_peephole, "(3, H)", {3, H});
  FASTRNN_CHECK(!w.w_peephole || !peephole, "w_peephole has one form at a time");
  check_optional("w_peephole", peephole, "(3, H) or (3*H, H)", {blocks_of(3, H), H});
  check_optional("w_hr", hr, "(P, H)", {P, H});
  FASTRNN_CHECK(general || !w.w_norm, std::string("w_norm is not taken by ") + name);
  check_optional("w_norm", w.w_norm, "(2*G, H), for an LSTM (2*G + 2, H)", {norm_rows(shape), H});
  return {0, 0, ih ? ih.shape[1] : rows, H, P};
}

template <class T>
Dims check_int8(Cell cell, const RnnWeights<T>& w) {
  FASTRNN_CHECK(!w.w_norm, "w_norm is not taken with int8 weights");
  FASTRNN_CHECK(!w.w_hr && !w.w_peephole_full,
                "w_hr and w_peephole of 3*H rows must be int8 where w_hh is");
  const Dims dims = check_matrices(cell, w, w.q_ih, w.q_hh, w.q_peephole, w.q_hr);
  const auto scale = [](const char* name, const View<const T, 1>& given, const char* symbols,
                        const View<const std::int8_t, 2>& of) {
    FASTRNN_CHECK(given || !of, std::string(name) + " is required with int8 weights");
    FASTRNN_CHECK(of || !given, std::string(name) + " must be None without its weights");
    check_optional(name, given, symbols, {of.shape[0]});
  };
  scale("scale_hh", w.scale_hh, "(G*H,)", w.q_hh);
  scale("scale_ih", w.scale_ih, "(G*H,)", w.q_ih);
  scale("scale_peephole", w.scale_peephole, "(3*H,)", w.q_peephole);
  scale("scale_hr", w.scale_hr, "(P,)", w.q_hr);
  check_int8_columns("w_ih and w_hh", w.q_ih && dims.I > dims.H ? dims.I : dims.H);
  return dims;
}

}  // namespace

void check_int8_columns(const char* name, index_t columns) {
  FASTRNN_CHECK(columns <= kMostColumns, std::string(name) + " must have at most " +
                                             std::to_string(kMostColumns) + " columns of int8");
}

template <class T>
Dims check_weights(Cell cell, const RnnWeights<T>& w, Precision precision) {
  return precision == Precision::int8
             ? check_int8(cell, w)
             : check_matrices(cell, w, w.w_ih, w.w_hh, w.w_peephole_full, w.w_hr);
}

template Dims check_weights(Cell, const RnnWeights<float>&, Precision);
template Dims check_weights(Cell, const RnnWeights<double>&, Precision);

}  // namespace fastrnn
