// The instruction set every x86-64 or aarch64 has: 16-byte vectors (SSE2, NEON).
#pragma once

#define FASTRNN_TARGET baseline
#define FASTRNN_VEC_BYTES 16
#if defined(__aarch64__)
#define FASTRNN_REGISTERS 32
// What a CPU needs beside these for the files kernels/rnn/int8_dots-inl.h and so on.
#define FASTRNN_INT8_DOTS neon_dotprod
#define FASTRNN_BFLOAT16_DOTS neon_bf16
#else
#define FASTRNN_REGISTERS 16
#endif
