// Packed weights of fewer bits than the call's float type: which types are such, and what each of
// them says of itself. Where weights are plain, nothing of it is compiled.
#pragma once

#include "fastrnn/kernels/rnn/tile-inl.h"
#include "fastrnn/memory/carver.h"
#include "fastrnn/rnn/narrow.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class W>
inline constexpr bool kNarrow = true;
template <>
inline constexpr bool kNarrow<float> = false;
template <>
inline constexpr bool kNarrow<double> = false;

// Whether tapes are of halves.
template <class W>
inline constexpr bool kKeepsHalves = false;
template <>
inline constexpr bool kKeepsHalves<BFloat16> = true;

// Whether calls in T may have narrow products.
template <class T>
inline constexpr bool kMayBeNarrow = false;
template <>
inline constexpr bool kMayBeNarrow<float> = true;

// How such weights are packed and multiplied, and what by: int8-inl.h, bfloat16-inl.h.
template <class W>
struct Narrow;

// Whether weights and operands are whole numbers times scales.
template <class W>
constexpr bool scaled() {
  if constexpr (kNarrow<W>) return Narrow<W>::scaled;
  return false;
}

// Words of 4 bytes of so many elements.
template <class W>
FASTRNN_INLINE constexpr index_t words_of(index_t count) {
  return ceil_div(count, Narrow<W>::together);
}

// What sums of bytes take beside the weights, as vectors of these lie: the scale of each row of
// weights, and what its operands' 128 come to.
template <class T>
struct Scales {
  T* scale = nullptr;
  std::int32_t* start = nullptr;
};

// What each thread converts whole, as rows with scales of their own: h, and c for full peepholes.
struct OwnRows {
  bool h = false, c = false;
};

// The rows that products multiply; those by plain weights take the sweep's own. operands-inl.h
template <class W, bool = kNarrow<W>>
class Operands {
 public:
  Operands(Carver&, index_t, index_t, index_t, index_t, int, int, OwnRows = {}) {}
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
