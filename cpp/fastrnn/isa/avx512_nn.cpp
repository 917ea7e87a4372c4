// The operations beside the recurrent ones, for AVX-512.
#define FASTRNN_TARGET avx512
#define FASTRNN_VEC_BYTES 64
#include "fastrnn/kernels/nn_table-inl.h"
