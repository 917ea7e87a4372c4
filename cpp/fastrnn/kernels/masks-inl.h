// Vectors of what chance did to a call: masks on h, and what zoneout keeps.
#pragma once

#include "fastrnn/kernel_table.h"
#include "fastrnn/kernels/gemm_tile-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// Of panel j at step q, sorted row r; `width` elements of it exist.
template <class T>
FASTRNN_INLINE Vec<T> mask_of(const RnnMasks<T>& masks, const Steps& steps, index_t r, index_t j,
                              index_t width) {
  return load(masks.h_mask.at(steps.caller_row(r)) + j * kLanes<T>, width);
}
template <class T>
FASTRNN_INLINE Vec<T> keep_of(const View<const T, 3>& keep, const Steps& steps, index_t q,
                              index_t r, index_t j, index_t width) {
  return load(keep.at(steps.time(q), steps.caller_row(r)) + j * kLanes<T>, width);
}

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
