// One aligned block for all the pieces of a call; sizes are checked before memory is asked for.
#include "fastrnn/memory/scratch.h"

#include <cstdint>
#include <new>
#include <utility>

#include "fastrnn/error.h"

namespace fastrnn {

Scratch::Scratch(Scratch&& other) noexcept
    : block_(std::exchange(other.block_, {})), bytes_(std::exchange(other.bytes_, 0)) {}

Scratch& Scratch::operator=(Scratch&& other) noexcept {
  std::swap(block_, other.block_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Scratch::~Scratch() {
  if (block_.data != nullptr) give_block(block_);
}

void Scratch::allocate() {
  FASTRNN_DCHECK(block_.data == nullptr);
  // An empty piece has an address too: a null pointer means absent elsewhere.
  block_ = take_block(bytes_);
}

std::size_t Scratch::reserve(std::size_t size, index_t count, index_t times, index_t more) {
  FASTRNN_DCHECK(count >= 0 && times >= 0 && more >= 0);
  FASTRNN_DCHECK(block_.data == nullptr);
  const std::size_t offset = bytes_;
  const bool empty = count == 0 || times == 0 || more == 0;  // however large the others are
  std::size_t end = empty ? 0 : size;
  if (__builtin_mul_overflow(end, count, &end) || __builtin_mul_overflow(end, times, &end) ||
      __builtin_mul_overflow(end, more, &end) || __builtin_add_overflow(end, offset + 63, &end) ||
      end > PTRDIFF_MAX) {
    throw std::bad_alloc();
  }
  bytes_ = end / 64 * 64;
  return offset;
}

}  // namespace fastrnn
