// NarrowMatrix: a matrix of fewer bits than float32, as a caller has it.
#pragma once

#include <cstdint>

#include "fastrnn/view.h"

namespace fastrnn {

// w (O, I) in the caller's layout, any strides: float32, which is rounded to bfloat16; or q, whole
// numbers -127 .. 127, times the scale of their row.
struct NarrowMatrix {
  View<const float, 2> w;
  View<const std::int8_t, 2> q;
  View<const float, 1> scale;  // (O,)
};

}  // namespace fastrnn
