// FpScope: kernels run with subnormals flushed to zero; the caller's mode is restored afterwards.
#pragma once

#include <cstdint>

namespace fastrnn {

using FpMode = std::uint64_t;

// Round to nearest, no traps, subnormal operands and results are zero: oneDNN#561 saw LSTMs run
// 18 to 27 times slower on subnormals. Other processors keep their mode.
#if defined(__x86_64__)
inline constexpr FpMode kKernelFpMode = 0x1F80 | 0x8000 | 0x0040;  // masks, FTZ, DAZ of MXCSR
inline FpMode fp_mode() { return __builtin_ia32_stmxcsr(); }
inline void set_fp_mode(FpMode mode) { __builtin_ia32_ldmxcsr(static_cast<unsigned>(mode)); }
#elif defined(__aarch64__)
inline constexpr FpMode kKernelFpMode = FpMode{1} << 24;  // FZ of FPCR
inline FpMode fp_mode() {
  FpMode mode;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
inline void set_fp_mode(FpMode mode) { asm volatile("msr fpcr, %0" : : "r"(mode) : "memory"); }
#else
inline constexpr FpMode kKernelFpMode = 0;
inline FpMode fp_mode() { return 0; }
inline void set_fp_mode(FpMode) {}
#endif

// Sets a mode until the end of the scope; status flags raised inside are dropped with it.
class FpScope {
 public:
  explicit FpScope(FpMode mode) : before_(fp_mode()) { set_fp_mode(mode); }
  ~FpScope() { set_fp_mode(before_); }
  FpScope(const FpScope&) = delete;
  FpScope& operator=(const FpScope&) = delete;

 private:
  FpMode before_;
};

}  // namespace fastrnn
