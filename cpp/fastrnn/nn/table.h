// NnTable: the operations beside the recurrent ones, as one ISA offers them for one float type.
//
// A table of its own, filled in a translation unit of its own: a change of either text leaves the
// other's object files alone. dispatch.h switches both together.
#pragma once

#include <cstddef>

#include "fastrnn/nn/args.h"
#include "fastrnn/nn/decoder_args.h"
#include "fastrnn/nn/optim_args.h"
#include "fastrnn/team/team.h"
#include "fastrnn/types.h"

namespace fastrnn {

// One operation: what it needs beside its arguments, and one thread's part in it. The results do
// not depend on the size of the team that comes.
template <class Args>
struct NnKernel {
  std::size_t (*bytes)(const Args&, int threads);  // of scratch, for a team of at most so many
  void (*run)(const Args&, unsigned char* scratch, Team&);
};

template <class T>
struct NnTable {
  Isa isa;
  const char* name;  // compiled into the ISA's own object file
  NnKernel<LinearForwardArgs<T>> linear_forward;
  NnKernel<LinearBackwardArgs<T>> linear_backward;
  NnKernel<EmbeddingForwardArgs<T>> embedding_forward;
  NnKernel<EmbeddingBackwardArgs<T>> embedding_backward;
  NnKernel<SoftmaxForwardArgs<T>> softmax_cross_entropy_forward;
  NnKernel<SoftmaxBackwardArgs<T>> softmax_cross_entropy_backward;
  NnKernel<LargestArgs<T>> largest;
  NnKernel<DropoutArgs<T>> dropout_forward;  // and backward
  NnKernel<AttentionForwardArgs<T>> attention_forward;
  NnKernel<AttentionBackwardArgs<T>> attention_backward;
  NnKernel<DecoderPackTask<T>> attention_decoder_pack;  // scratch: DecoderPanels, filled
  NnKernel<DecoderForwardTask<T>> attention_decoder_forward;
  NnKernel<DecoderBackwardTask<T>> attention_decoder_backward;
  NnKernel<DecoderMemoryTask<T>> attention_decoder_memory;
  NnKernel<GaussianKlForwardArgs<T>> gaussian_kl_forward;
  NnKernel<GaussianKlBackwardArgs<T>> gaussian_kl_backward;
  NnKernel<ReparameteriseForwardArgs<T>> reparameterise_forward;
  NnKernel<ReparameteriseBackwardArgs<T>> reparameterise_backward;
  OptimKernels<T> optim;
};

#define FASTRNN_DECLARE_TABLES(target)       \
  namespace target {                         \
  extern const NnTable<float> nn_table_f32;  \
  extern const NnTable<double> nn_table_f64; \
  }
FASTRNN_FOR_EACH_ISA(FASTRNN_DECLARE_TABLES)
#undef FASTRNN_DECLARE_TABLES

}  // namespace fastrnn
