// AVX2 and FMA: 32-byte vectors.
#define FASTRNN_TARGET avx2
#define FASTRNN_VEC_BYTES 32
#include "fastrnn/kernels/table-inl.h"
