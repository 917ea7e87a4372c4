// AVX2 and FMA: 32-byte vectors.
#pragma once

#define FASTRNN_TARGET avx2
#define FASTRNN_VEC_BYTES 32
#define FASTRNN_REGISTERS 16
#define FASTRNN_X86_FMA 1
#define FASTRNN_INT8_DOTS avx_vnni  // what a CPU needs beside these for kernels/rnn/int8_dots-inl.h
