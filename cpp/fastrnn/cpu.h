// The features of this CPU that the operating system supports too, and the sizes of its caches.
#pragma once

#include <cstddef>

namespace fastrnn {

// Which of the instruction sets of isa/list.h it runs.
struct CpuFeatures {
  bool baseline = true;
  bool avx2 = false;    // AVX2 and FMA, enabled by the operating system
  bool avx512 = false;  // F, BW, DQ, VL and FMA, enabled by the operating system
};

struct CpuCaches {
  std::size_t l1, l2, l3;  // data bytes; l1 and l2 of one core, l3 shared; defaults where unknown
};

CpuFeatures cpu_features();
const CpuCaches& cpu_caches();

}  // namespace fastrnn
