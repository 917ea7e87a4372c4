// The operations beside the recurrent ones: arguments become Views, then the core runs.
#include <pybind11/pybind11.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>

#include "bindings/arguments.h"
#include "bindings/arrays.h"
#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/rnn_objects.h"
#include "fastrnn/nn/ops.h"
#include "fastrnn/nn/packed_matrix.h"

namespace fastrnn::bindings {
namespace {

void linear_forward_any(py::handle x, py::handle w, py::handle b, py::handle y,
                        py::handle num_threads) {
  with_float_type("w", w, [&]<class T>(T) {
    Extents extents;
    LinearForwardArgs<T> args;
    args.num_threads = as_num_threads(num_threads);
    args.w = as_input<T>("w", w, {"O", "I"}, extents, Strides::free);
    args.x = as_input<T>("x", x, {"M", "I"}, extents);
    args.b = as_optional_input<T>("b", b, {"O"}, extents, Strides::free);
    args.y = as_output<T>("y", y, {"M", "O"}, extents, Strides::contiguous);
    without_gil([&] { linear_forward(args); });
  });
}

// A matrix of int8 rows, or one that is rounded to bfloat16, in the order kernels read.
class MatrixObject {
 public:
  MatrixObject(py::handle w, py::handle scale) {
    Extents extents;
    NarrowMatrix matrix;
    if (has_dtype<std::int8_t>(as_array("w", w))) {
      matrix.q = as_input<std::int8_t>("w", w, {"O", "I"}, extents, Strides::free);
      matrix.scale = as_input<float>("scale", scale, {"O"}, extents, Strides::free);
    } else {
      must_be_none("scale", scale, "where w is not int8");
      matrix.w = as_input<float>("w", w, {"O", "I"}, extents, Strides::free);
    }
    without_gil([&] { packed_.emplace(matrix); });
  }
  const PackedMatrix& operator*() const { return *packed_; }

 private:
  std::optional<PackedMatrix> packed_;
};

const PackedMatrix& as_matrix(py::handle object) {
  return *as_object<MatrixObject>("packed", "PackedMatrix", object);
}

void linear_packed_any(py::handle x, py::handle packed, py::handle b, py::handle y,
                       py::handle num_threads) {
  Extents extents;
  NarrowLinearArgs args;
  const PackedMatrix& matrix = as_matrix(packed);
  const int threads = as_num_threads(num_threads);
  args.x = as_input<float>("x", x, {"M", "I"}, extents);
  args.b = as_optional_input<float>("b", b, {"O"}, extents, Strides::free);
  args.y = as_output<float>("y", y, {"M", "O"}, extents, Strides::contiguous);
  without_gil([&] { matrix.multiply(args, threads); });
}

void linear_backward_any(py::handle dy, py::handle x, py::handle w, py::handle dx, py::handle dw,
                         py::handle db, py::handle num_threads) {
  with_float_type("w", w, [&]<class T>(T) {
    Extents extents;
    LinearBackwardArgs<T> args;
    args.num_threads = as_num_threads(num_threads);
    args.w = as_input<T>("w", w, {"O", "I"}, extents, Strides::free);
    args.x = as_input<T>("x", x, {"M", "I"}, extents);
    args.dy = as_input<T>("dy", dy, {"M", "O"}, extents);
    args.dx = as_optional_output<T>("dx", dx, {"M", "I"}, extents);
    args.dw = as_optional_output<T>("dw", dw, {"O", "I"}, extents);
    args.db = as_optional_output<T>("db", db, {"O"}, extents);
    without_gil([&] { linear_backward(args); });
  });
}

// Arguments that are numbers: exactly a float, or an integer that fits.
double as_number(const char* name, py::handle object) {
  if (!PyFloat_CheckExact(object.ptr())) words::wrong_type(name, "a float", object);
  return PyFloat_AS_DOUBLE(object.ptr());
}

template <class Integer>
Integer as_integer(const char* name, py::handle object) {
  if (!PyLong_CheckExact(object.ptr())) words::wrong_type(name, "an int", object);
  const auto value = std::is_signed_v<Integer>
                         ? static_cast<Integer>(PyLong_AsLongLong(object.ptr()))
                         : static_cast<Integer>(PyLong_AsUnsignedLongLong(object.ptr()));
  if (PyErr_Occurred() == nullptr) return value;
  PyErr_Clear();
  words::wrong(name, "fit 64 bits, got " + std::string(py::str(object)));
}

void embedding_forward_any(py::handle ids, py::handle w, py::handle y, py::handle num_threads) {
  with_float_type("w", w, [&]<class T>(T) {
    Extents extents;
    EmbeddingForwardArgs<T> args;
    args.num_threads = as_num_threads(num_threads);
    args.w = as_input<T>("w", w, {"V", "E"}, extents);
    args.ids = as_input<index_t>("ids", ids, {"M"}, extents);
    args.y = as_output<T>("y", y, {"M", "E"}, extents, Strides::contiguous);
    without_gil([&] { embedding_forward(args); });
  });
}

void largest_any(py::handle x, py::handle values, py::handle places, py::handle num_threads) {
  with_float_type("x", x, [&]<class T>(T) {
    Extents extents;
    LargestArgs<T> args;
    args.num_threads = as_num_threads(num_threads);
    args.x = as_input<T>("x", x, {"M", "V"}, extents);
    args.values = as_output<T>("values", values, {"M", "K"}, extents, Strides::contiguous);
    args.places = as_output<index_t>("places", places, {"M", "K"}, extents, Strides::contiguous);
    without_gil([&] { largest(args); });
  });
}

void embedding_backward_any(py::handle dy, py::handle ids, py::handle dw, py::handle padding_idx,
                            py::handle num_threads) {
  with_float_type("dw", dw, [&]<class T>(T) {
    Extents extents;
    EmbeddingBackwardArgs<T> args;
    args.num_threads = as_num_threads(num_threads);
    args.padding_idx = as_integer<index_t>("padding_idx", padding_idx);
    args.ids = as_input<index_t>("ids", ids, {"M"}, extents);
    args.dy = as_input<T>("dy", dy, {"M", "E"}, extents);
    args.dw = as_output<T>("dw", dw, {"V", "E"}, extents, Strides::contiguous);
    without_gil([&] { embedding_backward(args); });
  });
}

Targets read_targets(py::handle targets, py::handle ignore_index, py::handle label_smoothing,
                     Extents& extents) {
  return {as_input<index_t>("targets", targets, {"M"}, extents),
          as_integer<index_t>("ignore_index", ignore_index),
          as_number("label_smoothing", label_smoothing)};
}

py::tuple softmax_forward_any(py::handle logits, py::handle targets, py::handle loss,
                              py::handle kept, py::handle ignore_index, py::handle label_smoothing,
                              py::handle num_threads) {
  LossSum sum{0, 0};
  with_float_type("logits", logits, [&]<class T>(T) {
    Extents extents;
    SoftmaxForwardArgs<T> args;
    args.num_threads = as_num_threads(num_threads);
    args.logits = as_input<T>("logits", logits, {"M", "V"}, extents);
    args.targets = read_targets(targets, ignore_index, label_smoothing, extents);
    args.loss = as_output<T>("loss", loss, {"M"}, extents, Strides::contiguous);
    args.kept = as_output<T>("kept", kept, {"M", "2"}, extents, Strides::contiguous);
    without_gil([&] { sum = softmax_cross_entropy_forward(args); });
  });
  return py::make_tuple(sum.total, sum.count);
}

void softmax_backward_any(py::handle dloss, py::handle logits, py::handle targets, py::handle kept,
                          py::handle dlogits, py::handle ignore_index, py::handle label_smoothing,
                          py::handle num_threads) {
  with_float_type("logits", logits, [&]<class T>(T) {
    Extents extents;
    SoftmaxBackwardArgs<T> args;
    args.num_threads = as_num_threads(num_threads);
    args.logits = as_input<T>("logits", logits, {"M", "V"}, extents);
    args.dloss = as_input<T>("dloss", dloss, {"M"}, extents, Strides::free);
    args.targets = read_targets(targets, ignore_index, label_smoothing, extents);
    args.kept = as_input<T>("kept", kept, {"M", "2"}, extents);
    args.dlogits = as_output<T>("dlogits", dlogits, {"M", "V"}, extents, Strides::contiguous);
    without_gil([&] { softmax_cross_entropy_backward(args); });
  });
}

py::tuple linear_cross_entropy_any(py::handle x, py::handle w, py::handle b, py::handle targets,
                                   py::handle loss, py::handle dloss, py::handle dx, py::handle dw,
                                   py::handle db, py::handle ignore_index,
                                   py::handle label_smoothing, py::handle num_threads) {
  LossSum sum{0, 0};
  with_float_type("w", w, [&]<class T>(T) {
    Extents extents;
    LinearLossArgs<T> args;
    args.num_threads = as_num_threads(num_threads);
    args.w = as_input<T>("w", w, {"V", "I"}, extents, Strides::free);
    args.x = as_input<T>("x", x, {"M", "I"}, extents);
    args.b = as_optional_input<T>("b", b, {"V"}, extents, Strides::free);
    args.dloss = as_optional_input<T>("dloss", dloss, {"M"}, extents, Strides::free);
    args.targets = read_targets(targets, ignore_index, label_smoothing, extents);
    args.loss = as_output<T>("loss", loss, {"M"}, extents, Strides::contiguous);
    args.dx = as_optional_output<T>("dx", dx, {"M", "I"}, extents);
    args.dw = as_optional_output<T>("dw", dw, {"V", "I"}, extents);
    args.db = as_optional_output<T>("db", db, {"V"}, extents);
    without_gil([&] { sum = linear_cross_entropy(args); });
  });
  return py::make_tuple(sum.total, sum.count);
}

void dropout_any(py::handle x, py::handle y, py::handle p, py::handle key, py::handle num_threads) {
  with_float_type("x", x, [&]<class T>(T) {
    Extents extents;
    DropoutArgs<T> args;
    args.num_threads = as_num_threads(num_threads);
    args.p = as_number("p", p);
    args.key = as_integer<std::uint64_t>("key", key);
    args.x = as_input<T>("x", x, {"K"}, extents);
    args.y = as_output<T>("y", y, {"K"}, extents, Strides::contiguous);
    without_gil([&] { dropout(args); });
  });
}

}  // namespace

void bind_nn(py::module_& m) {
  using py::arg;
  m.def("linear_forward", linear_forward_any, "y = x w^T + b.", arg("x"), arg("w"), arg("b"),
        arg("y"), arg("num_threads") = 0);
  const py::metaclass plain(reinterpret_cast<PyObject*>(&PyType_Type));
  using Place = py::detail::value_and_holder;
  py::class_<MatrixObject>(m, "PackedMatrix", "A matrix of fewer bits in the order kernels read.",
                           plain)
      .def(
          "__init__",
          [](Place& place, py::handle w, py::handle scale) {
            hold(place, std::make_unique<MatrixObject>(w, scale));
          },
          py::detail::is_new_style_constructor(), arg("w"), arg("scale") = py::none())
      .def_property_readonly("nbytes", [](py::handle self) { return as_matrix(self).bytes(); })
      .def_property_readonly("isa",
                             [](py::handle self) { return isa_name(as_matrix(self).isa()); });
  m.def("linear_packed", linear_packed_any, "y = x w^T + b by a matrix of fewer bits.", arg("x"),
        arg("packed"), arg("b"), arg("y"), arg("num_threads") = 0);
  m.def("linear_backward", linear_backward_any, "Gradients of linear by x, w and b.", arg("dy"),
        arg("x"), arg("w"), arg("dx"), arg("dw"), arg("db"), arg("num_threads") = 0);
  m.def("embedding_forward", embedding_forward_any, "y = the rows of w that ids name.", arg("ids"),
        arg("w"), arg("y"), arg("num_threads") = 0);
  m.def("largest", largest_any, "The greatest numbers of each row and their places, in order.",
        arg("x"), arg("values"), arg("places"), arg("num_threads") = 0);
  m.def("embedding_backward", embedding_backward_any, "Add each row of dy to its row of dw.",
        arg("dy"), arg("ids"), arg("dw"), arg("padding_idx") = -1, arg("num_threads") = 0);
  m.def("softmax_cross_entropy_forward", softmax_forward_any,
        "Each row's loss; returns their sum, and how many rows were not ignored.", arg("logits"),
        arg("targets"), arg("loss"), arg("kept"), arg("ignore_index"), arg("label_smoothing"),
        arg("num_threads") = 0);
  m.def("softmax_cross_entropy_backward", softmax_backward_any,
        "Gradient of softmax_cross_entropy by logits.", arg("dloss"), arg("logits"), arg("targets"),
        arg("kept"), arg("dlogits"), arg("ignore_index"), arg("label_smoothing"),
        arg("num_threads") = 0);
  m.def("linear_cross_entropy", linear_cross_entropy_any,
        "softmax_cross_entropy of linear, and its gradients; what it returns is of the former.",
        arg("x"), arg("w"), arg("b"), arg("targets"), arg("loss"), arg("dloss"), arg("dx"),
        arg("dw"), arg("db"), arg("ignore_index"), arg("label_smoothing"), arg("num_threads") = 0);
  m.def("dropout", dropout_any, "y = x / (1 - p) where the mask of key keeps it, else 0.", arg("x"),
        arg("y"), arg("p"), arg("key"), arg("num_threads") = 0);
}

}  // namespace fastrnn::bindings
