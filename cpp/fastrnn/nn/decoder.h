// attention_decoder: validate, the products before the loop, the time loop, the products after it.
#pragma once

#include "fastrnn/nn/decoder_args.h"

namespace fastrnn {

// Both throw as the operations of nn/ops.h do. decoder_args.h says what they compute.

template <class T>
void attention_decoder_forward(const DecoderForwardArgs<T>& args);

template <class T>
void attention_decoder_backward(const DecoderBackwardArgs<T>& args);

}  // namespace fastrnn
