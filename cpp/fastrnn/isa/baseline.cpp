// The instruction set every x86-64 or aarch64 has: 16-byte vectors (SSE2, NEON).
#define FASTRNN_TARGET baseline
#define FASTRNN_VEC_BYTES 16
#include "fastrnn/kernels/table-inl.h"
