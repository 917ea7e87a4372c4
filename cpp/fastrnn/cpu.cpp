// The features and cache sizes of this CPU, asked of the CPU itself where an instruction tells
// them, of the operating system where none does.
#include "fastrnn/cpu.h"

#include <cstdint>
#include <fstream>
#include <string>

#ifdef __x86_64__
#include <cpuid.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace fastrnn {
namespace {

#ifdef __x86_64__
struct Registers {
  unsigned a = 0, b = 0, c = 0, d = 0;
};

// All zero when the CPU does not have this leaf.
Registers cpuid(unsigned leaf, unsigned subleaf = 0) {
  Registers r;
  if (!__get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d)) return {};
  return r;
}

bool bits(unsigned value, unsigned mask) { return (value & mask) == mask; }

// Which register files the operating system saves at a context switch.
unsigned saved_state() {
  if (!bits(cpuid(1).c, 1u << 27)) return 0;  // OSXSAVE
  unsigned low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

CpuFeatures detect_features() {
  const Registers one = cpuid(1), seven = cpuid(7);
  const unsigned saved = saved_state();
  const bool fma = bits(one.c, 1u << 12 | 1u << 28 | 1u << 29);       // FMA, AVX, F16C
  const unsigned avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;  // F DQ BW VL
  CpuFeatures features;
  features.avx2 = bits(saved, 0x6) && fma && bits(seven.b, 1u << 5);              // SSE, AVX state
  features.avx512 = bits(saved, 0xE6) && features.avx2 && bits(seven.b, avx512);  // opmask, zmm
  const Registers more = cpuid(7, 1);
  features.avx_vnni = features.avx2 && bits(more.a, 1u << 4);
  features.avx512_vnni = features.avx512 && bits(seven.c, 1u << 11);
  features.avx512_bf16 = features.avx512 && bits(more.a, 1u << 5);
  const bool tiles = bits(saved, 0x60000) && bits(seven.d, 1u << 24);
  features.amx_int8 = tiles && features.avx512_vnni && bits(seven.d, 1u << 25);
  features.amx_bf16 = tiles && features.avx512_bf16 && bits(seven.d, 1u << 22);
  features.slow_bf16 = cpuid(0).b == 0x756e6547;  // "Genu", of Intel's name
  return features;
}

// Leaf 4 of Intel and leaf 0x8000001D of AMD list the caches in the same form.
void ask_cpu(unsigned leaf, CpuCaches& caches) {
  for (unsigned i = 0; i < 16; ++i) {
    const Registers r = cpuid(leaf, i);
    const unsigned type = r.a & 31, level = r.a >> 5 & 7;
    if (type == 0) return;
    if (type == 2) continue;  // instructions
    const std::size_t ways = (r.b >> 22) + 1, partitions = (r.b >> 12 & 1023) + 1;
    const std::size_t size = ways * partitions * ((r.b & 4095) + 1) * (std::size_t{r.c} + 1);
    if (level == 1) caches.l1 = size;
    if (level == 2) caches.l2 = size;
    if (level == 3) caches.l3 = size;
  }
}
#elif defined(__aarch64__) && defined(__linux__)
CpuFeatures detect_features() {
  CpuFeatures features;
  features.neon_dotprod = (getauxval(AT_HWCAP) & 1ul << 20) != 0;  // ASIMDDP
  features.neon_bf16 = (getauxval(AT_HWCAP2) & 1ul << 14) != 0;    // BF16
  return features;
}
#elif defined(__aarch64__) && defined(__APPLE__)
bool system_has(const char* name) {
  int value = 0;
  std::size_t size = sizeof value;
  return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0;
}

CpuFeatures detect_features() {
  CpuFeatures features;
  features.neon_dotprod = system_has("hw.optional.arm.FEAT_DotProd");
  features.neon_bf16 = system_has("hw.optional.arm.FEAT_BF16");
  return features;
}
#else
CpuFeatures detect_features() { return {}; }
#endif

// The caches of the first processor as Linux reports them; sizes read "32K".
void ask_linux(CpuCaches& caches) {
  for (int i = 0; i < 8; ++i) {
    const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(i);
    int level = 0;
    std::size_t size = 0;
    std::string type;
    if (!(std::ifstream(folder + "/level") >> level)) return;
    if (!(std::ifstream(folder + "/type") >> type) || type == "Instruction") continue;
    if (!(std::ifstream(folder + "/size") >> size)) continue;
    if (level == 1) caches.l1 = size * 1024;
    if (level == 2) caches.l2 = size * 1024;
    if (level == 3) caches.l3 = size * 1024;
  }
}

CpuCaches detect_caches() {
  CpuCaches caches{};
#ifdef __x86_64__
  ask_cpu(4, caches);
  if (caches.l1 == 0) ask_cpu(0x8000001D, caches);
#endif
  if (caches.l1 == 0) ask_linux(caches);
  if (caches.l1 == 0) caches.l1 = 32 << 10;
  if (caches.l2 == 0) caches.l2 = 512 << 10;
  if (caches.l3 == 0) caches.l3 = 8 << 20;
  return caches;
}

}  // namespace

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = detect_features();
  return features;
}

bool tiles_allowed() {
#if defined(__x86_64__) && defined(__linux__)
  constexpr long kRequest = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM
  static const bool allowed = syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
  return allowed;
#else
  return false;
#endif
}

const CpuCaches& cpu_caches() {
  static const CpuCaches caches = detect_caches();
  return caches;
}

}  // namespace fastrnn
