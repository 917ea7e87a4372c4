// Rows that several threads change without a lock: the only data races of the library, in word2vec.
//
// An update may get lost when two threads meet in a row, which sparse data makes rare (F. Niu et
// al., "Hogwild!", 2011). The thread sanitizer sees relaxed atomics instead, float by float.
#pragma once

#include "fastrnn/simd/vec.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FASTRNN_ATOMIC_ROWS 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define FASTRNN_ATOMIC_ROWS 1
#endif

namespace fastrnn::FASTRNN_TARGET {
namespace {

FASTRNN_INLINE Vec<float> load_shared(const float* p) {
#ifdef FASTRNN_ATOMIC_ROWS
  Vec<float> v{};
  for (int i = 0; i < kLanes<float>; ++i) {
    float lane;
    __atomic_load(p + i, &lane, __ATOMIC_RELAXED);
    v[i] = lane;
  }
  return v;
#else
  return load(p);
#endif
}

FASTRNN_INLINE void add_shared(float* p, Vec<float> change) {
#ifdef FASTRNN_ATOMIC_ROWS
  for (int i = 0; i < kLanes<float>; ++i) {
    float lane;
    __atomic_load(p + i, &lane, __ATOMIC_RELAXED);
    lane += change[i];
    __atomic_store(p + i, &lane, __ATOMIC_RELAXED);
  }
#else
  store(p, load(p) + change);
#endif
}

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
