// The product by bfloat16 weights, for CPUs that sum two products of bfloat16 at once.
#ifdef __aarch64__
#define FASTRNN_NEON_BF16 1
#else
#define FASTRNN_X86_BF16 1
#endif

#include "fastrnn/kernels/rnn/dots.h"
#include "fastrnn/kernels/rnn/narrow_tile-inl.h"

namespace fastrnn::FASTRNN_TARGET {

void multiply_bfloat16_dots(const NarrowProduct& p) { narrow_product<BFloat16Dot>(p); }

}  // namespace fastrnn::FASTRNN_TARGET
