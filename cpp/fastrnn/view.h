// View: a non-owning array, pointer + shape + strides (in elements, any sign).
#pragma once

#include "fastrnn/inline.h"
#include "fastrnn/types.h"

namespace fastrnn {

template <class T, int Rank>
struct View {
  T* data = nullptr;
  index_t shape[Rank] = {};
  index_t stride[Rank] = {};

  FASTRNN_INLINE explicit operator bool() const { return data != nullptr; }
  FASTRNN_INLINE T* at(index_t i) const { return data + i * stride[0]; }
  FASTRNN_INLINE T* at(index_t i, index_t j) const { return data + i * stride[0] + j * stride[1]; }
};

}  // namespace fastrnn
