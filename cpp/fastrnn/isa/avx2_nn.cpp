// The operations beside the recurrent ones, for AVX2 and FMA.
#define FASTRNN_TARGET avx2
#define FASTRNN_VEC_BYTES 32
#include "fastrnn/kernels/nn_table-inl.h"
