// The front door of the operations beside the recurrent ones: validate, plan a team, run the table.
#pragma once

#include "fastrnn/nn/args.h"

namespace fastrnn {

// All throw Error (an argument breaks a rule), std::bad_alloc, or Interrupted, as ops.h says.
// nn/args.h says what each computes.

template <class T>
void linear_forward(const LinearForwardArgs<T>& args);

template <class T>
void linear_backward(const LinearBackwardArgs<T>& args);

template <class T>
void embedding_forward(const EmbeddingForwardArgs<T>& args);

template <class T>
void embedding_backward(const EmbeddingBackwardArgs<T>& args);

// The sum of the losses of all rows, and how many rows were not ignored.
struct LossSum {
  double total;
  index_t count;
};
template <class T>
LossSum softmax_cross_entropy_forward(const SoftmaxForwardArgs<T>& args);

template <class T>
void softmax_cross_entropy_backward(const SoftmaxBackwardArgs<T>& args);

template <class T>
LossSum linear_cross_entropy(const LinearLossArgs<T>& args);

template <class T>
void largest(const LargestArgs<T>& args);

template <class T>
void dropout(const DropoutArgs<T>& args);

template <class T>
void attention_forward(const AttentionForwardArgs<T>& args);

template <class T>
void attention_backward(const AttentionBackwardArgs<T>& args);

template <class T>
void gaussian_kl_forward(const GaussianKlForwardArgs<T>& args);

template <class T>
void gaussian_kl_backward(const GaussianKlBackwardArgs<T>& args);

template <class T>
void reparameterise_forward(const ReparameteriseForwardArgs<T>& args);

template <class T>
void reparameterise_backward(const ReparameteriseBackwardArgs<T>& args);

}  // namespace fastrnn
