// The arguments of the operations beside the recurrent ones: where their arrays' shapes stand.
#pragma once

#include <cstdint>

#include "fastrnn/types.h"
#include "fastrnn/view.h"

namespace fastrnn {

// As in args.h: "row stride any" means any sign, zero included, and the last axis has stride 1;
// weights may have any strides; a View with data == nullptr is an absent argument; outputs are
// C-contiguous and disjoint from everything else. Sizes: M rows, I in, O out, V words or classes,
// E embedding, Z latent, N batch, S source steps, H hidden, K elements of arrays of any shape.
// num_threads, 0: the process-wide setting.

// y = x·wᵀ + b
template <class T>
struct LinearForwardArgs {
  int num_threads = 0;
  View<const T, 2> x;  // (M, I), row stride any
  View<const T, 2> w;  // (O, I)
  View<const T, 1> b;  // (O,); absent: zeros
  View<T, 2> y;        // out (M, O)
};

template <class T>
struct LinearBackwardArgs {
  int num_threads = 0;
  View<const T, 2> dy;  // (M, O), row stride any
  View<const T, 2> x;   // (M, I), row stride any
  View<const T, 2> w;   // (O, I)
  View<T, 2> dx;        // out (M, I) = dy·w; absent: not wanted, as the others
  View<T, 2> dw;        // out (O, I) = dyᵀ·x
  View<T, 1> db;        // out (O,) = sum of the rows of dy
  bool adds = false;    // dw and db are in and out: += instead of =
};

// y[m] = w[ids[m]]
template <class T>
struct EmbeddingForwardArgs {
  int num_threads = 0;
  View<const index_t, 1> ids;  // (M,), each 0..V-1
  View<const T, 2> w;          // (V, E), row stride any
  View<T, 2> y;                // out (M, E)
};

template <class T>
struct EmbeddingBackwardArgs {
  int num_threads = 0;
  index_t padding_idx = -1;    // the word whose gradient is left alone; -1: none
  View<const T, 2> dy;         // (M, E), row stride any
  View<const index_t, 1> ids;  // (M,), each 0..V-1
  View<T, 2> dw;               // in and out (V, E): += dy[m] in row ids[m], m ascending
};

// Which classes are right, and what the rows weigh.
struct Targets {
  View<const index_t, 1> ids;    // (M,), each 0..V-1 or ignore_index
  index_t ignore_index = -100;   // rows with this target have no loss and no gradient
  double label_smoothing = 0.0;  // 0..1: so much of the target is spread over all classes
};

// loss[m] = -sum over v of target[m, v]·log softmax(logits[m])[v]
template <class T>
struct SoftmaxForwardArgs {
  int num_threads = 0;
  View<const T, 2> logits;  // (M, V), V >= 1 unless M = 0, row stride any
  Targets targets;
  View<T, 1> loss;  // out (M,)
  View<T, 2> kept;  // out (M, 2): the row's largest logit m, and 1 / the sum of exp(logit - m)
};

template <class T>
struct SoftmaxBackwardArgs {
  int num_threads = 0;
  View<const T, 1> dloss;   // (M,), stride any, zero included
  View<const T, 2> logits;  // as in forward, as the next two
  Targets targets;
  View<const T, 2> kept;
  View<T, 2> dlogits;  // out (M, V); may be logits
};

// The loss of softmax(x·wᵀ + b), and its gradients if they are wanted: logits of some rows at a
// time.
template <class T>
struct LinearLossArgs {
  int num_threads = 0;
  View<const T, 2> x;  // (M, I), row stride any
  View<const T, 2> w;  // (V, I), V >= 1 unless M = 0
  View<const T, 1> b;  // (V,); absent: zeros
  Targets targets;
  View<T, 1> loss;         // out (M,)
  View<const T, 1> dloss;  // (M,), stride any, zero included; absent: no gradients
  View<T, 2> dx;           // out (M, I); absent: not wanted, as the others
  View<T, 2> dw;           // out (V, I)
  View<T, 1> db;           // out (V,)
};

// The greatest numbers of each row, in order; of equal ones those that stand first.
template <class T>
struct LargestArgs {
  int num_threads = 0;
  View<const T, 2> x;       // (M, V), no NaN, row stride any
  View<T, 2> values;        // out (M, K), K in 1..V
  View<index_t, 2> places;  // out (M, K): where in its row each stands
};

// y[i] = x[i] / (1 - p) where element i is kept, else 0; the same with dy for x is its backward.
template <class T>
struct DropoutArgs {
  int num_threads = 0;
  std::uint64_t key = 0;  // the mask is a function of key, p and i
  double p = 0.0;         // 0..1: how probable it is that an element is dropped
  View<const T, 1> x;     // (K,), stride 1
  View<T, 1> y;           // out (K,)
};

// attn[n] = softmax over s < lengths[n] of query[n]·keys[s, n]; context[n] = sum attn[n, s]·keys[s,
// n]
template <class T>
struct AttentionForwardArgs {
  int num_threads = 0;
  View<const T, 2> query;          // (N, H), row stride any
  View<const T, 3> keys;           // (S, N, H), row strides any
  View<const index_t, 1> lengths;  // (N,), each 0..S; absent: all S. Keys beyond are not read.
  View<T, 2> context;              // out (N, H); 0 for length 0
  View<T, 2> attn;                 // out (N, S); 0 from the length on
};

template <class T>
struct AttentionBackwardArgs {
  int num_threads = 0;
  View<const T, 2> dcontext;  // (N, H); absent: zeros; row stride any
  View<const T, 2> dattn;     // (N, S); absent: zeros; row stride any
  View<const T, 2> query;     // as in forward, as the next two
  View<const T, 3> keys;
  View<const index_t, 1> lengths;
  View<const T, 2> attn;  // what forward wrote
  View<T, 2> dquery;      // out (N, H)
  View<T, 3> dkeys;       // out (S, N, H); 0 from the length on
};

// kl[m] = sum over z of KL(N(mu, e^logvar) || N(prior_mu, e^prior_logvar)). The prior's two are
// there or not together; absent: 0, the standard normal.
template <class T>
struct GaussianKlForwardArgs {
  int num_threads = 0;
  View<const T, 2> mu, logvar, prior_mu, prior_logvar;  // (M, Z), row stride any
  View<T, 1> kl;                                        // out (M,)
};

template <class T>
struct GaussianKlBackwardArgs {
  int num_threads = 0;
  View<const T, 1> dkl;                                 // (M,), stride any
  View<const T, 2> mu, logvar, prior_mu, prior_logvar;  // as in forward
  View<T, 2> dmu, dlogvar, dprior_mu, dprior_logvar;    // out (M, Z), those of what is there
};

// z = mu + e^(logvar / 2)·eps
template <class T>
struct ReparameteriseForwardArgs {
  int num_threads = 0;
  View<const T, 1> mu, logvar, eps;  // (K,), stride 1
  View<T, 1> z;                      // out (K,)
};

template <class T>
struct ReparameteriseBackwardArgs {
  int num_threads = 0;
  View<const T, 1> dz, logvar, eps;  // (K,), stride 1
  View<T, 1> dmu, dlogvar;           // out (K,)
};

}  // namespace fastrnn
