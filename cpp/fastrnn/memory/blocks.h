// Large blocks of memory, kept for the next call: fresh pages would cost more than the arithmetic.
#pragma once

#include <cstddef>

namespace fastrnn {

struct Block {
  void* data = nullptr;
  std::size_t bytes = 0;  // at least what was asked for
};

// 64-byte aligned; throws std::bad_alloc. Large ones may come from the cache and are backed by huge
// pages where the system has them.
Block take_block(std::size_t bytes);

// A block of take_block, or an empty one. At most 512 MB in all are kept; beyond that the ones that
// have waited longest are freed.
void give_block(Block block) noexcept;

}  // namespace fastrnn
