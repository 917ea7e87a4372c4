// Products by narrow weights on CPUs with instructions for them, which not all of an ISA have: each
// compiled in a file of its own (cpp/CMakeLists.txt). isa/NAME.h says which there are.
#pragma once

#include "fastrnn/rnn/narrow.h"

namespace fastrnn::FASTRNN_TARGET {

// Of bfloat16, by what `dots` says; in the file of its table.
void multiply_bfloat16(const NarrowProduct& p, Dots dots);

#ifdef FASTRNN_INT8_DOTS
void multiply_int8_dots(const NarrowProduct& p);
#endif
#ifdef FASTRNN_INT8_TILES
// The rows that this thread's tiles are set for, 0 where they are not. A thread that has called
// products of tiles releases them.
int& tile_rows();
void release_tiles();
void multiply_int8_tiles(const NarrowProduct& p);
#endif
#ifdef FASTRNN_BFLOAT16_DOTS
void multiply_bfloat16_dots(const NarrowProduct& p);
#endif
#ifdef FASTRNN_BFLOAT16_TILES
void multiply_bfloat16_tiles(const NarrowProduct& p);
#endif

}  // namespace fastrnn::FASTRNN_TARGET
