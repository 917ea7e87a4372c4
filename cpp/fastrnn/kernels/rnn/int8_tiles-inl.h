// The product by int8 weights, for CPUs that multiply tiles of bytes (AMX). Few rows are faster by
// words, to the same sums.
#define FASTRNN_X86_VNNI 1
#define FASTRNN_AMX_DOT _tile_dpbusd

#include "fastrnn/kernels/rnn/dots.h"
#include "fastrnn/kernels/rnn/matrix_tile-inl.h"
#include "fastrnn/thread_local.h"

namespace fastrnn::FASTRNN_TARGET {

namespace {
FASTRNN_THREAD_LOCAL int set_rows = 0;
}

int& tile_rows() { return set_rows; }
void release_tiles() {
  if (set_rows != 0) _tile_release();
  set_rows = 0;
}

void multiply_int8_tiles(const NarrowProduct& p) {
  if (p.rows < 4 || p.steps < kTileRows) return multiply_int8_dots(p);
  matrix_product<ByteDot>(p);
}

}  // namespace fastrnn::FASTRNN_TARGET
