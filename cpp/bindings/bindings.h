// The functions that module.cpp calls, one for each file.
#pragma once

#include <pybind11/pybind11.h>

namespace fastrnn::bindings {

void bind_runtime(pybind11::module_& m);
void bind_rnn(pybind11::module_& m);
void bind_step(pybind11::module_& m);
void bind_nn(pybind11::module_& m);
void bind_latent(pybind11::module_& m);
void bind_decoder(pybind11::module_& m);
void bind_optim(pybind11::module_& m);
void bind_word2vec(pybind11::module_& m);

}  // namespace fastrnn::bindings
