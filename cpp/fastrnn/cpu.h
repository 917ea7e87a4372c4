// The features of this CPU that the operating system supports too, and the sizes of its caches.
#pragma once

#include <cstddef>

namespace fastrnn {

// Which of the instruction sets of isa/list.h it runs.
struct CpuFeatures {
  bool baseline = true;
  bool avx2 = false;    // AVX2 and FMA, enabled by the operating system
  bool avx512 = false;  // F, BW, DQ, VL and FMA, enabled by the operating system
  // Dot products beside these, of bytes and of bfloat16. Those of bfloat16 are slow where widened
  // ones are faster: on Intel's one takes two cycles, in which four FMA do twice the work.
  bool avx_vnni = false, avx512_vnni = false, avx512_bf16 = false, slow_bf16 = false;
  bool amx_int8 = false, amx_bf16 = false;  // of whole tiles, and the same of words; ask for them
  bool neon_dotprod = false, neon_bf16 = false;  // the same of words on aarch64
};

struct CpuCaches {
  std::size_t l1, l2, l3;  // data bytes; l1 and l2 of one core, l3 shared; defaults where unknown
};

const CpuFeatures& cpu_features();

// Asks the operating system for the registers of tiles, for this process, once.
bool tiles_allowed();
const CpuCaches& cpu_caches();

}  // namespace fastrnn
