// word2vec, for the baseline.
#define FASTRNN_TARGET baseline
#define FASTRNN_VEC_BYTES 16
#include "fastrnn/kernels/word2vec-inl.h"
