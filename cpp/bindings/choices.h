// Choices as Python holds them: the names of a general cell's activations and gates, read once.
#pragma once

#include <pybind11/pybind11.h>

#include <string>

#include "bindings/arrays.h"
#include "fastrnn/types.h"

namespace fastrnn::bindings {

class ChoicesObject {
 public:
  ChoicesObject(const py::tuple& activations, const std::string& gates, bool input_forget)
      : of_lstm_(activations.size() == 3) {
    if (activations.size() != 2 && activations.size() != 3)
      words::wrong("activations", "be 2 names for a GRU or 3 for an LSTM");
    choices_.f = activation(activations[0]);
    choices_.g = activation(activations[1]);
    if (of_lstm_) choices_.h = activation(activations[2]);
    choices_.input_gate = has(gates, 'i');
    choices_.forget_gate = has(gates, 'f');
    choices_.output_gate = has(gates, 'o');
    choices_.coupled = input_forget;
    const std::size_t named =
        std::size_t{choices_.input_gate} + choices_.forget_gate + choices_.output_gate;
    if (named != gates.size()) words::wrong("gates", "hold each letter of 'ifo' at most once");
    if (!of_lstm_ && (named != 3 || input_forget))
      words::wrong("activations", "be 3 names where gates are chosen");
    if (input_forget && !(choices_.input_gate && choices_.forget_gate))
      words::wrong("gates", "have i and f where input_forget is set");
  }

  const CellChoices& get() const { return choices_; }
  bool of_lstm() const { return of_lstm_; }

 private:
  static bool has(const std::string& gates, char gate) {
    return gates.find(gate) != std::string::npos;
  }
  static Activation activation(py::handle object) {
    if (!PyUnicode_Check(object.ptr()))
      words::wrong_type("activations", "a tuple of names", object);
    const std::string name = py::cast<std::string>(object);
#define FASTRNN_NAMED(which) \
  if (name == #which) return Activation::which;
    FASTRNN_FOR_EACH_ACTIVATION(FASTRNN_NAMED)
#undef FASTRNN_NAMED
    words::wrong("activations", "be known, got '" + name + "'");
  }

  CellChoices choices_;
  bool of_lstm_;
};

}  // namespace fastrnn::bindings
