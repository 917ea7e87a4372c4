// THE LIST of instruction sets, weakest first: the enum, the tables and their choice follow from
// it.
//
// isa/NAME.h says how wide the vectors are, how many registers there are, and, as macros, what the
// instruction set can do: simd/ asks for these, never for the width.
#pragma once

#define FASTRNN_FOR_EACH_ISA(X) X(baseline) X(avx2) X(avx512)

// Those that this build contains (cpp/CMakeLists.txt).
#ifdef FASTRNN_HAVE_AVX2
#define FASTRNN_IF_AVX2(X) X(avx2)
#else
#define FASTRNN_IF_AVX2(X)
#endif
#ifdef FASTRNN_HAVE_AVX512
#define FASTRNN_IF_AVX512(X) X(avx512)
#else
#define FASTRNN_IF_AVX512(X)
#endif
#define FASTRNN_FOR_EACH_BUILT_ISA(X) X(baseline) FASTRNN_IF_AVX2(X) FASTRNN_IF_AVX512(X)
