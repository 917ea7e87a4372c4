// Sizes, enumerations and the four dimensions that travel together.
#pragma once

#include <cstdint>

#include "fastrnn/cells/list.h"
#include "fastrnn/cells/shapes.h"
#include "fastrnn/isa/list.h"

namespace fastrnn {

using index_t = std::int64_t;

// One enumerator per line of THE LIST (isa/list.h).
enum class Isa : int {
#define FASTRNN_ENUMERATOR(name) name,
  FASTRNN_FOR_EACH_ISA(FASTRNN_ENUMERATOR)
#undef FASTRNN_ENUMERATOR
};

// One enumerator per line of THE LIST (cells/list.h).
enum class Cell : int {
#define FASTRNN_ENUMERATOR(name, shape, general) name,
  FASTRNN_FOR_EACH_CELL(FASTRNN_ENUMERATOR)
#undef FASTRNN_ENUMERATOR
};

#define FASTRNN_COUNT(name, shape, general) +1
inline constexpr int kCells = 0 FASTRNN_FOR_EACH_CELL(FASTRNN_COUNT);
#undef FASTRNN_COUNT

// clang-format off: two of its runs disagree about this list
#define FASTRNN_FOR_EACH_ACTIVATION(X) \
  X(sigmoid) X(tanh) X(relu) X(linear) X(hard_sigmoid) X(affine) X(leaky_relu) \
  X(thresholded_relu) X(scaled_tanh) X(elu) X(softsign) X(softplus)
// clang-format on
enum class Activation : int {
#define FASTRNN_ENUMERATOR(name) name,
  FASTRNN_FOR_EACH_ACTIVATION(FASTRNN_ENUMERATOR)
#undef FASTRNN_ENUMERATOR
};

// An activation with ONNX's alpha and beta, which are 0 where it has none.
struct Squash {
  Activation which;
  double alpha = 0, beta = 0;
};

// The numbers among the options of a general cell, as Python calls them: X(name, what it is when
// off). clip: what f and g are applied to stays within +- this.
#define FASTRNN_FOR_EACH_NUMBER(X) X(clip, __builtin_inf())

// The options of a general cell, chosen at run time. Gates that do not exist are the constant 1;
// coupled: the forget gate is 1 - the input gate.
struct CellChoices {
  Squash f{Activation::sigmoid};  // of the gates, and of the RNN
  Squash g{Activation::tanh};     // of the candidate
  Squash h{Activation::tanh};     // of what leaves the cell, LSTM only; as the rest
#define FASTRNN_MEMBER(name, off) double name = off;
  FASTRNN_FOR_EACH_NUMBER(FASTRNN_MEMBER)
#undef FASTRNN_MEMBER
  bool input_gate = true, forget_gate = true, output_gate = true;
  bool coupled = false;
};

// T steps, N batch, I input, H hidden, P columns of h: H, but for an LSTM with projection.
struct Dims {
  index_t T, N, I, H, P;
};

// The properties of a cell that code outside of the cells needs.
struct CellTraits {
  const char* name;
  bool general;  // takes CellChoices, masks, w_norm; of an LSTM w_hr and full w_peephole, and
                 // w_peephole may be absent
  CellShape shape;
};
#define FASTRNN_TRAITS(name, shape, general) {#name, general, shape},
inline constexpr CellTraits kCellTraits[] = {FASTRNN_FOR_EACH_CELL(FASTRNN_TRAITS)};
#undef FASTRNN_TRAITS
FASTRNN_INLINE constexpr const CellTraits& cell_traits(Cell cell) {
  return kCellTraits[static_cast<int>(cell)];
}

// Rows of w_norm: the gains of W·x and of U·h gate by gate, an LSTM's gain and shift of c.
FASTRNN_INLINE constexpr int norm_rows(const CellShape& shape) {
  return 2 * shape.gates + 2 * shape.cell_state;
}

}  // namespace fastrnn
