// The operations beside the recurrent ones: arguments become Views, then the core runs.
#include <pybind11/pybind11.h>

#include "bindings/arguments.h"
#include "bindings/arrays.h"
#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "fastrnn/nn_ops.h"

namespace fastrnn::bindings {
namespace {

void linear_forward_any(py::handle x, py::handle w, py::handle b, py::handle y,
                        py::handle num_threads) {
  with_float_type("w", w, [&]<class T>(T) {
    Extents extents;
    LinearForwardArgs<T> args;
    args.num_threads = as_num_threads(num_threads);
    args.w = as_input<T>("w", w, {{"O"}, {"I"}}, extents, Strides::free);
    const Axis out{"O", args.w.shape[0]}, in{"I", args.w.shape[1]};
    args.x = as_input<T>("x", x, {{"M"}, in}, extents);
    args.b = as_optional_input<T>("b", b, {out}, extents, Strides::free);
    args.y = as_output<T>("y", y, {{"M", args.x.shape[0]}, out}, extents, Strides::contiguous);
    without_gil([&] { linear_forward(args); });
  });
}

void linear_backward_any(py::handle dy, py::handle x, py::handle w, py::handle dx, py::handle dw,
                         py::handle db, py::handle num_threads) {
  with_float_type("w", w, [&]<class T>(T) {
    Extents extents;
    LinearBackwardArgs<T> args;
    args.num_threads = as_num_threads(num_threads);
    args.w = as_input<T>("w", w, {{"O"}, {"I"}}, extents, Strides::free);
    const Axis out{"O", args.w.shape[0]}, in{"I", args.w.shape[1]};
    args.x = as_input<T>("x", x, {{"M"}, in}, extents);
    const Axis rows{"M", args.x.shape[0]};
    args.dy = as_input<T>("dy", dy, {rows, out}, extents);
    args.dx = as_optional_output<T>("dx", dx, {rows, in}, extents);
    args.dw = as_optional_output<T>("dw", dw, {out, in}, extents);
    args.db = as_optional_output<T>("db", db, {out}, extents);
    without_gil([&] { linear_backward(args); });
  });
}

}  // namespace

void bind_nn(py::module_& m) {
  using py::arg;
  m.def("linear_forward", linear_forward_any, "y = x w^T + b.", arg("x"), arg("w"), arg("b"),
        arg("y"), arg("num_threads") = 0);
  m.def("linear_backward", linear_backward_any, "Gradients of linear by x, w and b.", arg("dy"),
        arg("x"), arg("w"), arg("dx"), arg("dw"), arg("db"), arg("num_threads") = 0);
}

}  // namespace fastrnn::bindings
