// The product by int8 weights, for CPUs that multiply tiles of bytes (AMX). Few rows are faster by
// words, to the same sums.
#define FASTRNN_X86_VNNI 1
#define FASTRNN_AMX_DOT _tile_dpbusd

#include "fastrnn/kernels/rnn/dots.h"
#include "fastrnn/kernels/rnn/matrix_tile-inl.h"

namespace fastrnn::FASTRNN_TARGET {

void multiply_int8_tiles(const NarrowProduct& p) {
  if (p.rows < 4 || p.steps < kTileRows) return multiply_int8_dots(p);
  matrix_product<ByteDot>(p);
}

}  // namespace fastrnn::FASTRNN_TARGET
