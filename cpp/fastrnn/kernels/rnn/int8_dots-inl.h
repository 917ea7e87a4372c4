// The product by int8 weights, for CPUs that sum four products of bytes at once (VNNI, DotProd).
#ifdef __aarch64__
#define FASTRNN_NEON_DOTPROD 1
#else
#define FASTRNN_X86_VNNI 1
#endif

#include "fastrnn/kernels/rnn/dots.h"
#include "fastrnn/kernels/rnn/narrow_tile-inl.h"

namespace fastrnn::FASTRNN_TARGET {

void multiply_int8_dots(const NarrowProduct& p) { narrow_product<ByteDot>(p); }

}  // namespace fastrnn::FASTRNN_TARGET
