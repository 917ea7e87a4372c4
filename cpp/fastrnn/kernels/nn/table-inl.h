// Fills both NnTables of one ISA; compiled after its isa/NAME.h.
#pragma once

#include "fastrnn/kernels/nn/attention-inl.h"
#include "fastrnn/kernels/nn/decoder_backward-inl.h"
#include "fastrnn/kernels/nn/dropout-inl.h"
#include "fastrnn/kernels/nn/embedding-inl.h"
#include "fastrnn/kernels/nn/gaussian-inl.h"
#include "fastrnn/kernels/nn/largest-inl.h"
#include "fastrnn/kernels/nn/linear-inl.h"
#include "fastrnn/kernels/nn/optim-inl.h"
#include "fastrnn/kernels/nn/softmax-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

#define FASTRNN_STRING_(x) #x
#define FASTRNN_STRING(x) FASTRNN_STRING_(x)

template <class Operation>
constexpr NnKernel<typename Operation::Args> kernel() {
  return {Operation::bytes, Operation::run};
}

template <class T>
constexpr NnTable<T> make_nn_table() {
  return {Isa::FASTRNN_TARGET,
          FASTRNN_STRING(FASTRNN_TARGET),
          kernel<LinearForward<T>>(),
          kernel<LinearBackward<T>>(),
          kernel<EmbeddingForward<T>>(),
          kernel<EmbeddingBackward<T>>(),
          kernel<SoftmaxForward<T>>(),
          kernel<SoftmaxBackward<T>>(),
          kernel<Largest<T>>(),
          kernel<Dropout<T>>(),
          kernel<AttentionForward<T>>(),
          kernel<AttentionBackward<T>>(),
          kernel<DecoderPack<T>>(),
          kernel<DecoderOperation<DecoderForward, T, DecoderForwardTask<T>>>(),
          kernel<DecoderOperation<DecoderBackward, T, DecoderBackwardTask<T>>>(),
          kernel<DecoderMemory<T>>(),
          kernel<GaussianKlForward<T>>(),
          kernel<GaussianKlBackward<T>>(),
          kernel<ReparameteriseForward<T>>(),
          kernel<ReparameteriseBackward<T>>(),
          optim_kernels<T>()};
}

}  // namespace

constexpr NnTable<float> nn_table_f32 = make_nn_table<float>();
constexpr NnTable<double> nn_table_f64 = make_nn_table<double>();

}  // namespace fastrnn::FASTRNN_TARGET
