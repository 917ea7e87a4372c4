// How functions are marked that a file compiled per ISA uses: one that the compiler might emit by
// itself would be a weak symbol, which the linker may pick for another ISA.
#pragma once

#define FASTRNN_INLINE inline __attribute__((always_inline))
#define FASTRNN_NOINLINE __attribute__((noinline))  // one copy for all cells
