// AVX-512 F, BW, DQ, VL: 64-byte vectors.
#pragma once

#define FASTRNN_TARGET avx512
#define FASTRNN_VEC_BYTES 64
#define FASTRNN_REGISTERS 32
#define FASTRNN_X86_FMA 1
#define FASTRNN_X86_AVX512 1
// What a CPU needs beside these for the files kernels/rnn/int8_dots-inl.h and so on.
#define FASTRNN_INT8_DOTS avx512_vnni
#define FASTRNN_BFLOAT16_DOTS avx512_bf16
#define FASTRNN_INT8_TILES amx_int8
#define FASTRNN_BFLOAT16_TILES amx_bf16
