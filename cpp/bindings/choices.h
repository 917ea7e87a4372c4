// Choices, a Python object: a general cell's activations and gates, converted from names once.
#pragma once

#include <pybind11/pybind11.h>

#include <string>

#include "bindings/arrays.h"
#include "fastrnn/types.h"

namespace fastrnn::bindings {

class ChoicesObject {
 public:
  ChoicesObject(const py::tuple& activations, const std::string& gates, bool input_forget,
                const py::kwargs& numbers)
      : activations_(static_cast<int>(activations.size())) {
    if (activations_ < 1 || activations_ > 3)
      words::wrong("activations", "be 1 for an RNN, 2 for a GRU or 3 for an LSTM");
    choices_.f = squash(activations[0]);
    if (activations_ > 1) choices_.g = squash(activations[1]);
    if (activations_ > 2) choices_.h = squash(activations[2]);
    for (const auto& [name, value] : numbers) {
      double& to = number(name);
      if (!PyFloat_CheckExact(value.ptr()))
        words::wrong_type(std::string(py::str(name)).c_str(), "a float", value);
      to = py::cast<double>(value);
    }
    if (!(choices_.clip > 0))
      words::wrong("clip", "be above 0, got " + std::to_string(choices_.clip));
    choices_.input_gate = has(gates, 'i');
    choices_.forget_gate = has(gates, 'f');
    choices_.output_gate = has(gates, 'o');
    choices_.coupled = input_forget;
    const std::size_t named =
        std::size_t{choices_.input_gate} + choices_.forget_gate + choices_.output_gate;
    if (named != gates.size()) words::wrong("gates", "hold each letter of 'ifo' at most once");
    if (activations_ < 3 && (named != 3 || input_forget))
      words::wrong("activations", "be 3 names where gates are chosen");
    if (input_forget && !(choices_.input_gate && choices_.forget_gate))
      words::wrong("gates", "have i and f where input_forget is set");
  }

  static void define(py::module_& m, const py::metaclass& plain) {
    using py::arg;
    py::classh<ChoicesObject>(m, "Choices", "What a general cell is told: activations, gates.",
                              plain)
        .def(py::init<const py::tuple&, const std::string&, bool, const py::kwargs&>(),
             arg("activations"), arg("gates") = "ifo", arg("input_forget") = false);
  }

  const CellChoices& get() const { return choices_; }
  int activations() const { return activations_; }

 private:
  static bool has(const std::string& gates, char gate) {
    return gates.find(gate) != std::string::npos;
  }
  double& number(py::handle name) {
    const std::string wanted = py::str(name);
#define FASTRNN_NAMED(number, off) \
  if (wanted == #number) return choices_.number;
    FASTRNN_FOR_EACH_NUMBER(FASTRNN_NAMED)
#undef FASTRNN_NAMED
    words::wrong("numbers", "be known by name, got '" + wanted + "'");
  }
  // A name, or (name, alpha, beta).
  static Squash squash(py::handle object) {
    if (!py::isinstance<py::tuple>(object)) {
      const Activation which = activation(object);
      if (which == Activation::hard_sigmoid) return {which, 0.2, 0.5};
      if (which > Activation::hard_sigmoid && which < Activation::softsign)
        words::wrong("activations", "have alpha and beta");
      return {which};
    }
    const auto parts = py::reinterpret_borrow<py::tuple>(object);
    if (parts.size() != 3 || !PyFloat_CheckExact(py::object(parts[1]).ptr()) ||
        !PyFloat_CheckExact(py::object(parts[2]).ptr()))
      words::wrong("activations", "hold names or (name, alpha, beta)");
    return {activation(parts[0]), py::cast<double>(parts[1]), py::cast<double>(parts[2])};
  }
  static Activation activation(py::handle object) {
    const std::string name = as_text("activations", object);
#define FASTRNN_NAMED(which) \
  if (name == #which) return Activation::which;
    FASTRNN_FOR_EACH_ACTIVATION(FASTRNN_NAMED)
#undef FASTRNN_NAMED
    words::wrong("activations", "be known, got '" + name + "'");
  }

  CellChoices choices_;
  int activations_;  // how many
};

}  // namespace fastrnn::bindings
