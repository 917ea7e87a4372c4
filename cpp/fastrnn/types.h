// Sizes, enumerations and the four dimensions that travel together.
#pragma once

#include <cstdint>

#include "fastrnn/cells/cells.h"

namespace fastrnn {

using index_t = std::int64_t;

enum class Isa : int { baseline, avx2, avx512 };

// One enumerator per line of THE LIST (cells/cells.h).
enum class Cell : int {
#define FASTRNN_ENUMERATOR(name) name,
  FASTRNN_FOR_EACH_CELL(FASTRNN_ENUMERATOR)
#undef FASTRNN_ENUMERATOR
};

#define FASTRNN_COUNT(name) +1
inline constexpr int kCells = 0 FASTRNN_FOR_EACH_CELL(FASTRNN_COUNT);
#undef FASTRNN_COUNT

#define FASTRNN_FOR_EACH_ACTIVATION(X) X(sigmoid) X(tanh) X(relu) X(linear) X(hard_sigmoid)
enum class Activation : int {
#define FASTRNN_ENUMERATOR(name) name,
  FASTRNN_FOR_EACH_ACTIVATION(FASTRNN_ENUMERATOR)
#undef FASTRNN_ENUMERATOR
};

// What a general cell is told at run time. The gates that do not exist are the constant 1; coupled:
// the forget gate is 1 - the input gate.
struct CellChoices {
  Activation f = Activation::sigmoid;  // of the gates
  Activation g = Activation::tanh;     // of the candidate
  Activation h = Activation::tanh;     // of what leaves the cell, LSTM only; as the rest
  bool input_gate = true, forget_gate = true, output_gate = true;
  bool coupled = false;
};

// T steps, N batch, I input, H hidden.
struct Dims {
  index_t T, N, I, H;
};

// What code outside of the cells has to know of one: constants, taken from the cell's own struct.
struct CellTraits {
  const char* name;
  int gates;        // G: the caller's weight rows are G·H
  int slots;        // vectors per hidden unit in the workspace
  bool cell_state;  // has c beside h
  bool peephole;    // takes w_peephole
  bool general;     // takes CellChoices, and w_peephole may be absent
};

}  // namespace fastrnn
