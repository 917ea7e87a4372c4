// word2vec, for AVX-512.
#define FASTRNN_TARGET avx512
#define FASTRNN_VEC_BYTES 64
#include "fastrnn/kernels/word2vec-inl.h"
