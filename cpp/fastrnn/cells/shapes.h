// The shape of a cell: its gates, its stages and the products that each of them begins with, as
// data. It knows no instruction set.
//
// A cell keeps `slots` vectors for every hidden unit: pre-activations on the way in, on return what
// backward needs. The product of x by w_ih fills slots 0 .. x_products before the time loop. One
// step is a list of stages; a stage is no, one or two products, each into some slots, and then the
// pointwise work of the cell's own text. Backward turns the kept slots into the gradients of the
// pre-activations, in the same places, and walks the stages the other way round.
#pragma once

#include "fastrnn/inline.h"

namespace fastrnn {

// The rows that a product multiplies.
enum class Operand {
  h,        // h of the step before
  aux,      // written by the stage before, for this one
  c,        // c of the step before
  c_after,  // c of this step
};

// The matrix that it multiplies by. The full peepholes are an option of a call: without them their
// products do not exist.
enum class Matrix { w_hh, w_peephole };

// Slots slot .. slot + count get operand times blocks of H rows of the matrix; of w_hh those of the
// slots' gates, of w_peephole those from `row` on.
struct CellProduct {
  Operand operand;
  Matrix matrix;
  int slot, count;
  int row = 0;

  FASTRNN_INLINE constexpr bool fills(int s) const { return s >= slot && s < slot + count; }
};

struct Stage {
  int products;
  CellProduct product[2];
};

// Slots slot .. slot + count, which layer normalisation takes together.
struct Slots {
  int slot, count;
};

struct CellShape {
  int gates;       // G: the caller's weight rows are G·H
  int slots;       // vectors per hidden unit in the workspace
  int x_products;  // slots that the product of x fills
  int gate[4];     // of each slot, in the caller's order; -1: the slot is no gate
  int stages;
  Stage stage[2];
  bool cell_state;  // has c beside h
  bool peephole;    // takes w_peephole
  bool carries_h;   // h of a step depends on h before it other than through a product
  int aux_slot;     // the slot that Operand::aux is kept in; -1: no stage has it
  int norm_groups;  // what layer normalisation takes together, of W·x and of U·h
  Slots norm_x[2], norm_h[2];

  // The product by w_hh that fills a slot's pre-activation: stage and product; -1: there is none.
  FASTRNN_INLINE constexpr int recurrent_stage(int slot) const {
    for (int s = 0; s < stages; ++s)
      for (int p = 0; p < stage[s].products; ++p)
        if (stage[s].product[p].matrix == Matrix::w_hh && stage[s].product[p].fills(slot)) return s;
    return -1;
  }
  // The product by w_hh of a stage; its count is 0 where the stage has none.
  FASTRNN_INLINE constexpr CellProduct recurrent(int s) const {
    for (int p = 0; p < stage[s].products; ++p)
      if (stage[s].product[p].matrix == Matrix::w_hh) return stage[s].product[p];
    return {};
  }
  // Whether a stage needs more than its own units of the one before it, whatever the options are.
  FASTRNN_INLINE constexpr bool waits(int s) const { return s > 0 && recurrent(s).count > 0; }
  // The stage after which a slot's pre-activation is complete.
  FASTRNN_INLINE constexpr int last_stage(int slot) const {
    int last = 0;
    for (int s = 0; s < stages; ++s)
      for (int p = 0; p < stage[s].products; ++p)
        if (stage[s].product[p].fills(slot)) last = s;
    return last;
  }
  // The slot of an activated gate: GRU's hn is not the activated n.
  FASTRNN_INLINE constexpr int slot_of_gate(int g) const {
    for (int s = 0; s < slots; ++s)
      if (gate[s] == g) return s;
    return -1;
  }
};

// f(W·x + U·h + b)
inline constexpr CellShape kRnnShape{.gates = 1,
                                     .slots = 1,
                                     .x_products = 1,
                                     .gate = {0},
                                     .stages = 1,
                                     .stage = {{1, {{Operand::h, Matrix::w_hh, 0, 1}}}},
                                     .aux_slot = -1,
                                     .norm_groups = 1,
                                     .norm_x = {{0, 1}},
                                     .norm_h = {{0, 1}}};

// i f g o. Up to c in the first stage, from c on in the second: where no full peephole and no layer
// normalisation lies between them they run as one.
constexpr CellShape lstm_shape(bool peephole) {
  return {
      .gates = 4,
      .slots = 4,
      .x_products = 4,
      .gate = {0, 1, 2, 3},
      .stages = 2,
      .stage = {{2, {{Operand::h, Matrix::w_hh, 0, 4}, {Operand::c, Matrix::w_peephole, 0, 2, 0}}},
                {1, {{Operand::c_after, Matrix::w_peephole, 3, 1, 2}}}},
      .cell_state = true,
      .peephole = peephole,
      .aux_slot = -1,
      .norm_groups = 1,  // Ba et al.: all gates together
      .norm_x = {{0, 4}},
      .norm_h = {{0, 4}}};
}
inline constexpr CellShape kLstmShape = lstm_shape(false), kLstmPeepholeShape = lstm_shape(true);

// n r z hn with hn = U_n·h + b_hn: the input product fills the first three, the recurrent one the
// last three, so a step is one product and needs one barrier. The caller's order is r z n.
inline constexpr CellShape kGruAfterShape{
    .gates = 3,
    .slots = 4,
    .x_products = 3,
    .gate = {2, 0, 1, 2},
    .stages = 1,
    .stage = {{1, {{Operand::h, Matrix::w_hh, 1, 3}}}},
    .carries_h = true,
    .aux_slot = -1,
    .norm_groups = 2,  // Ba et al.: r and z together, n by itself
    .norm_x = {{1, 2}, {0, 1}},
    .norm_h = {{1, 2}, {3, 1}}};

// n r z rh: r and z first, then n from all of r∘h, which is kept because the gradient of U_n needs
// it; it is no gate.
inline constexpr CellShape kGruBeforeShape{
    .gates = 3,
    .slots = 4,
    .x_products = 3,
    .gate = {2, 0, 1, -1},
    .stages = 2,
    .stage = {{1, {{Operand::h, Matrix::w_hh, 1, 2}}}, {1, {{Operand::aux, Matrix::w_hh, 0, 1}}}},
    .carries_h = true,
    .aux_slot = 3,
    .norm_groups = 2,
    .norm_x = {{1, 2}, {0, 1}},
    .norm_h = {{1, 2}, {0, 1}}};

}  // namespace fastrnn
