// AVX-512 F, BW, DQ, VL: 64-byte vectors.
#define FASTRNN_TARGET avx512
#define FASTRNN_VEC_BYTES 64
#include "fastrnn/kernels/table-inl.h"
