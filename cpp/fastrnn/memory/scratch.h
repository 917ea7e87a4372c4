// Scratch: one 64-byte-aligned block, sized with overflow checks before anything is written.
#pragma once

#include <cstddef>

#include "fastrnn/memory/blocks.h"
#include "fastrnn/types.h"

namespace fastrnn {

// Declare the pieces first, allocate once, then take pointers:
//   Scratch s; auto a = s.add<float>(n); auto b = s.add<double>(m); s.allocate(); float* p =
//   s.at(a);
class Scratch {
 public:
  template <class T>
  struct Piece {
    std::size_t offset;
  };

  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  Scratch(Scratch&& other) noexcept;
  Scratch& operator=(Scratch&& other) noexcept;
  ~Scratch();

  // count elements of T; each factor may be huge: the product is checked. Throws std::bad_alloc
  // when the total cannot be represented.
  template <class T>
  Piece<T> add(index_t count, index_t times = 1, index_t more = 1) {
    return {reserve(sizeof(T), count, times, more)};
  }

  void allocate();  // throws std::bad_alloc

  template <class T>
  T* at(Piece<T> piece) const {
    return reinterpret_cast<T*>(static_cast<std::byte*>(block_.data) + piece.offset);
  }

  std::size_t bytes() const { return bytes_; }

 private:
  std::size_t reserve(std::size_t size, index_t count, index_t times, index_t more);
  Block block_;
  std::size_t bytes_ = 0;
};

}  // namespace fastrnn
