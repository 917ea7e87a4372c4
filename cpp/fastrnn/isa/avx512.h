// AVX-512 F, BW, DQ, VL: 64-byte vectors.
#pragma once

#define FASTRNN_TARGET avx512
#define FASTRNN_VEC_BYTES 64
#define FASTRNN_REGISTERS 32
#define FASTRNN_X86_FMA 1
#define FASTRNN_X86_AVX512 1
