// check_weights: the shapes of one layer's weights, and which of them its cell takes.
#pragma once

#include <string>

#include "fastrnn/error.h"
#include "fastrnn/rnn/layer.h"
#include "fastrnn/rnn/narrow.h"

namespace fastrnn {

// I, H and P, once all weights agree on them; I of an x that comes projected is G·H.
template <class T>
Dims check_weights(Cell cell, const RnnWeights<T>& weights, Precision precision = Precision::plain);

// Sums of int8 products fit 32 bits.
void check_int8_columns(const char* name, index_t columns);

template <class T, int Rank>
void check_presence(const char* name, const View<T, Rank>& view, bool wanted, const char* cell) {
  FASTRNN_CHECK(bool(view) == wanted,
                std::string(name) +
                    (wanted ? " is required for the cell " : " is not taken by the cell ") + cell);
}

// G·H without overflow: H comes from an array's shape, which a stride of 0 lets grow without
// memory.
inline index_t blocks_of(int count, index_t H) {
  index_t rows = 0;
  FASTRNN_CHECK(!__builtin_mul_overflow(H, static_cast<index_t>(count), &rows),
                "w_hh is too large: H = " + std::to_string(H));
  return rows;
}

}  // namespace fastrnn
