// The last line of defence: every rule of args.h about shapes and presence.
#include "fastrnn/validate.h"

#include <string>

#include "fastrnn/check_shape.h"
#include "fastrnn/error.h"
#include "fastrnn/packed.h"
#include "fastrnn/tape.h"

namespace fastrnn {
namespace {

template <class T, int Rank>
void check_presence(const char* name, const View<T, Rank>& view, bool wanted, const char* cell) {
  FASTRNN_CHECK(bool(view) == wanted,
                std::string(name) +
                    (wanted ? " is required for the cell " : " is not taken by the cell ") + cell);
}

// G·H without overflow: H comes from an array's shape, which a stride of 0 lets grow without
// memory.
index_t blocks_of(int count, index_t H) {
  index_t rows = 0;
  FASTRNN_CHECK(!__builtin_mul_overflow(H, static_cast<index_t>(count), &rows),
                "w_hh is too large: H = " + std::to_string(H));
  return rows;
}

}  // namespace

template <class T>
Dims check_weights(Cell cell, const RnnWeights<T>& w) {
  const auto& [name, general, shape] = cell_traits(cell);
  FASTRNN_CHECK(w.w_hh, "w_hh is required");
  const index_t P = w.w_hh.shape[1], H = w.w_hr ? w.w_hr.shape[1] : P;
  const index_t rows = blocks_of(shape.gates, H);
  FASTRNN_CHECK(P >= 1 && P <= H, "w_hh must have shape (G*H, H) with H >= 1");
  check_shape("w_hh", w.w_hh, "(G*H, P), P = H without w_hr,", {rows, P});
  check_optional("w_ih", w.w_ih, "(G*H, I)", {rows, w.w_ih.shape[1]});
  check_optional("b_ih", w.b_ih, "(G*H,)", {rows});
  check_optional("b_hh", w.b_hh, "(G*H,)", {rows});
  if (!general || !shape.peephole) check_presence("w_peephole", w.w_peephole, shape.peephole, name);
  check_optional("w_peephole", w.w_peephole, "(3, H)", {3, H});
  FASTRNN_CHECK((general && shape.peephole) || (!w.w_peephole_full && !w.w_hr),
                std::string("w_hr and full w_peephole are not taken by ") + name);
  FASTRNN_CHECK(!w.w_peephole || !w.w_peephole_full, "w_peephole has one form at a time");
  check_optional("w_peephole_full", w.w_peephole_full, "(3*H, H)", {blocks_of(3, H), H});
  check_optional("w_hr", w.w_hr, "(P, H)", {P, H});
  FASTRNN_CHECK(general || !w.w_norm, std::string("w_norm is not taken by ") + name);
  check_optional("w_norm", w.w_norm, "(2*G, H), for an LSTM (2*G + 2, H)", {norm_rows(shape), H});
  return {0, 0, w.w_ih ? w.w_ih.shape[1] : rows, H, P};
}

namespace {

template <class T>
void check_masks(const RnnMasks<T>& masks, const CellTraits& traits, const Options& on,
                 const Dims& d) {
  FASTRNN_CHECK(traits.general || !(on.h_mask || on.h_keep || on.c_keep),
                std::string("masks are not taken by ") + traits.name);
  check_optional("h_mask", masks.h_mask, "(N, P)", {d.N, d.P});
  check_optional("h_keep", masks.h_keep, "(T, N, P)", {d.T, d.N, d.P});
  for (const Draws* draws : {&masks.h_draws, &masks.c_draws})
    FASTRNN_CHECK(draws->p >= 0 && draws->p <= 1, "a probability of zoneout must lie in 0..1");
  FASTRNN_CHECK(traits.shape.cell_state || !on.c_keep,
                std::string("c_keep is not taken by ") + traits.name);
  check_optional("c_keep", masks.c_keep, "(T, N, H)", {d.T, d.N, d.H});
  FASTRNN_CHECK(!on.c_keep || !(on.peephole || on.full_peephole),
                "c_keep is not taken together with w_peephole");
}

}  // namespace

template <class T>
Call check_forward(const RnnForwardArgs<T>& a) {
  const Layer<T>& layer = a.layer;
  const Inputs<T>& in = a.in;
  const CellTraits& traits = cell_traits(layer.cell);
  Call call;
  if (layer.packed != nullptr) {
    FASTRNN_CHECK(layer.packed->cell() == layer.cell, "packed was made for another cell");
    FASTRNN_CHECK(a.tape == nullptr, "packed weights are for inference: tape must be absent");
    call.dims = layer.packed->dims();
    call.on = layer.packed->options();
  } else {
    call.dims = check_weights(layer.cell, layer.weights);
    call.on = options_of(layer.weights);
  }
  call.on = with_masks(call.on, in.masks);
  FASTRNN_CHECK(!in.ids || (!call.on.w_ih && layer.packed == nullptr),
                "ids need a projected x: w_ih and packed must be absent");
  call.dims.T = in.ids ? in.ids.shape[0] : in.x.shape[0];
  call.dims.N = in.ids ? in.ids.shape[1] : in.x.shape[1];
  const Dims& d = call.dims;
  FASTRNN_CHECK(a.num_threads >= 0, "num_threads must be at least 1");
  if (in.ids)
    check_shape("x", in.x, "(1, V, G*H)", {1, in.x.shape[1], d.I});
  else
    check_shape("x", in.x, call.on.w_ih ? "(T, N, I)" : "(T, N, G*H)", {d.T, d.N, d.I});
  check_shape("y", a.y, "(T, N, P)", {d.T, d.N, d.P});
  check_shape("h_n", a.h_n, "(N, P)", {d.N, d.P});
  check_optional("h0", in.h0, "(N, P)", {d.N, d.P});
  check_masks(in.masks, traits, call.on, d);
  const CellChoices& choices = layer.choices;
  FASTRNN_CHECK(!choices.coupled || (choices.input_gate && choices.forget_gate),
                "a coupled forget gate needs both gates");
  FASTRNN_CHECK(traits.shape.cell_state || !in.c0,
                std::string("c0 is not taken by ") + traits.name);
  check_optional("c0", in.c0, "(N, H)", {d.N, d.H});
  check_presence("c_n", a.c_n, traits.shape.cell_state, traits.name);
  check_optional("c_n", a.c_n, "(N, H)", {d.N, d.H});
  check_optional("lengths", a.lengths, "(N,)", {d.N});
  return call;
}

template <class T>
void check_backward(const RnnBackwardArgs<T>& a) {
  FASTRNN_CHECK(a.tape != nullptr && a.tape->filled(), "tape is empty: run forward with it first");
  FASTRNN_CHECK(!a.tape->spent, "tape is spent: a tape serves one backward");
  FASTRNN_CHECK(a.num_threads >= 0, "num_threads must be at least 1");
  FASTRNN_CHECK(a.truncate >= 0, "truncate must be at least 1");
  FASTRNN_CHECK(a.clip_step >= 0, "clip_step must be above 0");
  const Tape<T>& tape = *a.tape;
  const CellTraits& traits = cell_traits(tape.layer.cell);
  const Options& on = tape.on;
  const auto [T_, N, I, H, P] = tape.dims;
  const index_t rows = blocks_of(traits.shape.gates, H);
  check_optional("dy", a.dy, "(T, N, P)", {T_, N, P});
  check_optional("dh_n", a.dh_n, "(N, P)", {N, P});
  check_optional("dh0", a.dh0, "(N, P)", {N, P});
  FASTRNN_CHECK(traits.shape.cell_state || (!a.dc_n && !a.dc0),
                std::string("dc_n and dc0 are not taken by ") + traits.name);
  check_optional("dc_n", a.dc_n, "(N, H)", {N, H});
  check_optional("dc0", a.dc0, "(N, H)", {N, H});
  check_optional("dx", a.dx, "shape of x", {tape.in.x.shape[0], tape.in.x.shape[1], I});
  FASTRNN_CHECK(on.w_ih || !a.add_dx, "add_dx cannot be set: x came projected");
  FASTRNN_CHECK(on.w_ih || !a.dw_ih, "dw_ih cannot be given: x came projected");
  check_optional("dw_ih", a.dw_ih, "(G*H, I)", {rows, I});
  check_optional("dw_hh", a.dw_hh, "(G*H, P)", {rows, P});
  check_optional("db_ih", a.db_ih, "(G*H,)", {rows});
  check_optional("db_hh", a.db_hh, "(G*H,)", {rows});
  FASTRNN_CHECK(on.peephole || !a.dw_peephole,
                "dw_peephole cannot be given: there was no w_peephole");
  check_optional("dw_peephole", a.dw_peephole, "(3, H)", {3, H});
  FASTRNN_CHECK(on.full_peephole || !a.dw_peephole_full,
                "dw_peephole_full cannot be given: there was no w_peephole_full");
  check_optional("dw_peephole_full", a.dw_peephole_full, "(3*H, H)", {3 * H, H});
  FASTRNN_CHECK(on.projection || !a.dw_hr, "dw_hr cannot be given: there was no w_hr");
  check_optional("dw_hr", a.dw_hr, "(P, H)", {P, H});
  FASTRNN_CHECK(on.norm || !a.dw_norm, "dw_norm cannot be given: there was no w_norm");
  check_optional("dw_norm", a.dw_norm, "shape of w_norm", {norm_rows(traits.shape), H});
}

#define FASTRNN_INSTANTIATE(T)                             \
  template Dims check_weights(Cell, const RnnWeights<T>&); \
  template Call check_forward(const RnnForwardArgs<T>&);   \
  template void check_backward(const RnnBackwardArgs<T>&);
FASTRNN_INSTANTIATE(float)
FASTRNN_INSTANTIATE(double)

}  // namespace fastrnn
