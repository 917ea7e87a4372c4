// Every rule of args.h about shapes and presence, checked before anything is computed.
#include "fastrnn/rnn/validate.h"

#include <string>

#include "fastrnn/check_shape.h"
#include "fastrnn/error.h"
#include "fastrnn/rnn/check_weights.h"
#include "fastrnn/rnn/packed.h"
#include "fastrnn/rnn/tape.h"

namespace fastrnn {
namespace {

template <class T>
void check_masks(const RnnMasks<T>& masks, const CellTraits& traits, const Options& on,
                 const Dims& d) {
  FASTRNN_CHECK(traits.general || !(on.h_mask || on.h_keep || on.c_keep),
                std::string("h_mask, h_keep and c_keep are not taken by ") + traits.name);
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

// Whether an activation gives numbers of low .. 1, for low = -1 and 0.
bool within(const Squash& squash, int low) {
  switch (squash.which) {
    case Activation::sigmoid:
    case Activation::hard_sigmoid:
      return true;
    case Activation::tanh:
    case Activation::softsign:
      return low < 0;
    default:
      return false;
  }
}

// Whether h stays within -1 .. 1.
bool bounded(const CellTraits& traits, const CellChoices& choices) {
  if (!traits.general) return true;
  const bool gates = traits.shape.gates > 1, lstm = traits.shape.cell_state;
  return lstm    ? (within(choices.f, -1) || !choices.output_gate) && within(choices.h, -1)
         : gates ? within(choices.f, 0) && within(choices.g, -1)
                 : within(choices.f, -1);
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
    if (layer.packed->precision() == Precision::int8) {
      call.on.by_row = call.on.projection || !bounded(traits, layer.choices);
      FASTRNN_CHECK(!in.masks.h_mask, "h_mask is not taken with int8 weights");
    }
  } else {
    FASTRNN_CHECK(layer.precision != Precision::int8, "int8 weights must be packed");
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
                "dw_peephole of 3*H rows cannot be given: w_peephole had none");
  check_optional("dw_peephole", a.dw_peephole_full, "(3*H, H)", {3 * H, H});
  FASTRNN_CHECK(on.projection || !a.dw_hr, "dw_hr cannot be given: there was no w_hr");
  check_optional("dw_hr", a.dw_hr, "(P, H)", {P, H});
  FASTRNN_CHECK(on.norm || !a.dw_norm, "dw_norm cannot be given: there was no w_norm");
  check_optional("dw_norm", a.dw_norm, "shape of w_norm", {norm_rows(traits.shape), H});
}

#define FASTRNN_INSTANTIATE(T)                           \
  template Call check_forward(const RnnForwardArgs<T>&); \
  template void check_backward(const RnnBackwardArgs<T>&);
FASTRNN_INSTANTIATE(float)
FASTRNN_INSTANTIATE(double)

}  // namespace fastrnn
