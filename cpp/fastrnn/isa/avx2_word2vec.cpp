// word2vec, for AVX2.
#define FASTRNN_TARGET avx2
#define FASTRNN_VEC_BYTES 32
#include "fastrnn/kernels/word2vec-inl.h"
