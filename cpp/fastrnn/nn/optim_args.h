// The arguments of an update of parameters: rules, their numbers, and flat arrays.
#pragma once

#include "fastrnn/types.h"

namespace fastrnn {

// THE LIST of rules, each with the number of arrays that it keeps beside every parameter array.
#define FASTRNN_FOR_EACH_RULE(X)  \
  X(sgd, 0)                       \
  X(sgd_momentum, 1)              \
  X(sgd_nesterov, 1)              \
  X(adam, 2)                      \
  X(rmsprop, 1)                   \
  X(rmsprop_momentum, 2)          \
  X(rmsprop_centered, 2)          \
  X(rmsprop_centered_momentum, 3) \
  X(adagrad, 1)

enum class UpdateRule : int {
#define FASTRNN_ENUMERATOR(name, kept) name,
  FASTRNN_FOR_EACH_RULE(FASTRNN_ENUMERATOR)
#undef FASTRNN_ENUMERATOR
};

#define FASTRNN_COUNT(name, kept) +1
inline constexpr int kRules = 0 FASTRNN_FOR_EACH_RULE(FASTRNN_COUNT);
#undef FASTRNN_COUNT
inline constexpr int kMostKept = 3;

// θ parameter, g gradient. A rule uses those of them that it needs.
struct UpdateNumbers {
  double lr;     // of this step; Adam's is corrected for the start of its mean
  double keep;   // θ is multiplied by it first (adam)
  double decay;  // g gets decay·θ more
  double beta1;  // momentum, or how much of the mean of g stays
  double beta2;  // how much of the mean of g² stays
  double eps;    // added to the root of the mean of g²
  double root;   // that root is multiplied by it (adam)
};

// One parameter array, its gradient, and what is kept beside it, all of `size` elements.
template <class T>
struct Parameter {
  T* param = nullptr;
  const T* grad = nullptr;
  T* kept[kMostKept] = {};
  index_t size = 0;
};

// The same of a table whose gradient has only some of its rows. The others' gradient is 0; if lazy,
// they and what is kept beside them are left alone.
template <class T>
struct Table : Parameter<T> {
  const index_t* rows = nullptr;  // (count,), ascending, no two alike
  index_t count = 0, width = 0;   // width: elements of a row
  bool lazy = false;
};

template <class T>
struct Row {
  T* data = nullptr;
  index_t size = 0;
};

// The updates as one ISA offers them for one float type. All work on the elements first .. last -
// 1, each of which comes out the same whichever range it is in.
template <class T>
struct OptimKernels {
  void (*update[kRules])(const UpdateNumbers&, const Parameter<T>&, index_t first, index_t last);
  double (*sum_of_squares)(const T* x, index_t n);
  void (*scale)(T* x, index_t n, double factor);
  void (*clamp)(T* x, index_t n, double limit);
};

}  // namespace fastrnn
