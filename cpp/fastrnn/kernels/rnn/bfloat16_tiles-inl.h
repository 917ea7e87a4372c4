// The product by bfloat16 weights, for CPUs that multiply tiles of bfloat16 (AMX).
#define FASTRNN_X86_BF16 1
#define FASTRNN_AMX_DOT _tile_dpbf16ps

#include "fastrnn/kernels/rnn/dots.h"
#include "fastrnn/kernels/rnn/matrix_tile-inl.h"

namespace fastrnn::FASTRNN_TARGET {

void multiply_bfloat16_tiles(const NarrowProduct& p) { matrix_product<BFloat16Dot>(p); }

}  // namespace fastrnn::FASTRNN_TARGET
