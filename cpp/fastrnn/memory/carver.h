// Carver: cuts typed pieces out of one block; run with no block it only adds up their sizes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fastrnn/view.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

class Carver {
 public:
  explicit Carver(unsigned char* block) : block_(block) {}

  // count elements of T on a 64-byte boundary, count = a·b·c checked; a size that cannot be
  // represented sticks at the maximum, which no allocation can satisfy.
  template <class T>
  T* take(index_t a, index_t b = 1, index_t c = 1) {
    const std::size_t at = bytes_;
    add(sizeof(T), a, b, c);
    return block_ == nullptr ? nullptr : reinterpret_cast<T*>(block_ + at);
  }

  std::size_t bytes() const { return bytes_; }

 private:
  // Where a file asks for small code, one copy of it for all pieces.
#ifdef FASTRNN_SMALL_CODE
  FASTRNN_NOINLINE
#else
  FASTRNN_INLINE
#endif
  void add(std::size_t size, index_t a, index_t b, index_t c) {
    const bool overflow = __builtin_mul_overflow(size, static_cast<std::size_t>(a), &size) ||
                          __builtin_mul_overflow(size, static_cast<std::size_t>(b), &size) ||
                          __builtin_mul_overflow(size, static_cast<std::size_t>(c), &size) ||
                          __builtin_add_overflow(size, bytes_ + 63, &size);
    bytes_ = overflow || size > kTooLarge ? kTooLarge : size / 64 * 64;
  }

  static constexpr std::size_t kTooLarge = PTRDIFF_MAX / 64 * 64;
  unsigned char* block_;
  std::size_t bytes_ = 0;
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
