// Step: a stack of layers, one time step a call, with all but x_t and y_t checked beforehand.
#include <pybind11/pybind11.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <type_traits>
#include <variant>
#include <vector>

#include "bindings/arguments.h"
#include "bindings/arrays.h"
#include "bindings/bindings.h"
#include "bindings/call.h"
#include "bindings/gil.h"
#include "bindings/rnn_objects.h"
#include "fastrnn/rnn/ops.h"

namespace fastrnn::bindings {
namespace {

// A layer from one pair of states to the other and back, and where its x and y are; those of the
// first layer's x and of the last one's y come with a call.
template <class T>
struct Link {
  RepeatedForward<T> there, back;
  View<const T, 3> x;
  View<T, 3> y;
};
template <class T>
using Chain = std::vector<Link<T>>;

template <class T>
T kNowhere;

template <class T, int Rank>
View<const T, Rank> constant(const View<T, Rank>& v) {
  View<const T, Rank> same;
  same.data = v.data;
  std::copy_n(v.shape, Rank, same.shape);
  std::copy_n(v.stride, Rank, same.stride);
  return same;
}

class StepObject {
 public:
  explicit StepObject(py::handle layers) {
    if (!PyList_CheckExact(layers.ptr()) || py::len(layers) == 0)
      words::wrong_type("layers", "a list of tuples", layers);
    for (py::handle layer : layers) {
      if (!PyTuple_CheckExact(layer.ptr()) || (py::len(layer) != 7 && py::len(layer) != 10))
        words::wrong_type(
            "layers", "a list of (cell, packed, h0, c0, h_n, c_n, y[, choices, h_keep, c_keep])",
            layer);
      kept_.push_back(py::reinterpret_borrow<py::tuple>(layer));
      const py::tuple& items = kept_.back();
      as_packed(items[1]).visit([&]<class T>(const PackedWeights<T>& packed) {
        if (chain_.index() == 0) chain_.emplace<Chain<T>>();
        auto* chain = std::get_if<Chain<T>>(&chain_);
        if (chain == nullptr) words::wrong("packed", "be of one dtype in all layers");
        add(items, packed, *chain);
      });
    }
  }

  // Returns y_t, or a fresh one where that is None. Arrays that are not as nearly every call has
  // them are for somebody who looks closer: then it does nothing, and returns None.
  py::object run(py::handle x_t, py::handle y_t, py::handle num_threads) {
    const int threads = as_num_threads(num_threads);
    if (used_.exchange(true)) words::wrong("step", "not be in use by another call");
    const std::unique_ptr<std::atomic<bool>, Free> use(&used_);
    py::object y = py::none();
    if (auto* single = std::get_if<Chain<float>>(&chain_)) y = run(*single, x_t, y_t, threads);
    if (auto* twice = std::get_if<Chain<double>>(&chain_)) y = run(*twice, x_t, y_t, threads);
    if (!y.is_none()) swap();
    return y;
  }

  void swap() { odd_.store(!odd_.load()); }
  bool odd() const { return odd_; }

 private:
  struct Free {
    void operator()(std::atomic<bool>* used) const { *used = false; }
  };

  template <class T>
  void add(const py::tuple& items, const PackedWeights<T>& packed, Chain<T>& chain) {
    RnnForwardArgs<T> args{};
    Layer<T>& layer = args.layer;
    layer.cell = as_cell(items[0]);
    layer.packed = &packed;
    if (packed.cell() != layer.cell) words::wrong("packed", "be made for the cell");
    const bool more = items.size() == 10;
    const py::object none = py::none();
    layer.choices = as_choices(more ? py::object(items[7]) : none, layer.cell);
    if (!packed.options().w_ih) words::wrong("packed", "hold w_ih");
    const bool first = chain.empty(), last = items[6].is_none();
    Extents extents;
    const py::object h_keep = more ? py::object(items[8]) : none;
    const py::object c_keep = more ? py::object(items[9]) : none;
    const MaskObjects masks{none, h_keep, c_keep};
    args.in.masks = masks.masks<T>(extents);
    View<T, 2> h[2], c[2];
    for (std::size_t i = 0; i < 2; ++i) {
      h[i] = as_output<T>(i == 0 ? "h0" : "h_n", items[2 + 2 * i], {"N", "P"}, extents);
      if (cell_traits(layer.cell).shape.cell_state)
        c[i] = as_output<T>(i == 0 ? "c0" : "c_n", items[3 + 2 * i], {"N", "H"}, extents);
    }
    if (first) rows_ = h[0].shape[0];
    // x_t and y_t come with each call: here they have their shapes and a placeholder address.
    const index_t I = packed.dims().I, P = packed.dims().P;
    args.in.x = {&kNowhere<T>, {1, rows_, I}, {1, I, 1}};
    args.y = {&kNowhere<T>, {1, rows_, P}, {1, P, 1}};
    if (!last) args.y = as_output<T>("y", items[6], {"T", "N", "P"}, extents);
    if (!first) {
      const View<T, 3>& below = chain.back().y;
      if (below.data == &kNowhere<T> || below.shape[2] != I)
        words::wrong("packed", "take what the layer below puts out");
      args.in.x = constant(below);
    }
    const auto from = [&](int i) {
      args.in.h0 = constant(h[i]);
      args.in.c0 = constant(c[i]);
      args.h_n = h[1 - i];
      args.c_n = c[1 - i];
      return RepeatedForward<T>(args);
    };
    chain.push_back({from(0), from(1), args.in.x, args.y});
  }

  // The elements of an array as nearly every call has it, contiguous and of the right shape; else
  // null.
  template <class T>
  T* plain_step(py::handle object, index_t columns) const {
    const auto& numpy = py::detail::npy_api::get();
    if (Py_TYPE(object.ptr()) != numpy.PyArray_Type_) return nullptr;
    const auto* const array = py::detail::array_proxy(object.ptr());
    static const py::handle descr = py::dtype::of<std::remove_const_t<T>>().release();
    const int wanted = numpy.NPY_ARRAY_C_CONTIGUOUS_ | numpy.NPY_ARRAY_ALIGNED_ |
                       (std::is_const_v<T> ? 0 : numpy.NPY_ARRAY_WRITEABLE_);
    const py::ssize_t* const shape = array->dimensions;
    const bool fits = array->nd == 2 ? shape[0] == rows_ && shape[1] == columns
                                     : array->nd == 1 && rows_ == 1 && shape[0] == columns;
    const bool plain = array->descr == descr.ptr() && (array->flags & wanted) == wanted;
    return fits && plain && rows_ > 0 ? reinterpret_cast<T*>(array->data) : nullptr;
  }

  // y_t, or a fresh one where that is None, and its elements; null as above.
  template <class T>
  T* result(py::handle x_t, py::handle y_t, index_t columns, py::object& y) const {
    const auto rank = [](py::handle array) { return py::detail::array_proxy(array.ptr())->nd; };
    if (y_t.is_none()) {  // one row without its axis has a result without it
      const index_t shape[] = {rows_, columns};
      const int skipped = 2 - rank(x_t);
      y = fresh("y", py::dtype::num_of<T>(), dtype_name<T>(), shape + skipped, 2 - skipped);
      return reinterpret_cast<T*>(py::detail::array_proxy(y.ptr())->data);
    }
    T* const data = plain_step<T>(y_t, columns);
    if (data == nullptr || rank(x_t) != rank(y_t)) return nullptr;
    y = py::reinterpret_borrow<py::object>(y_t);
    return data;
  }

  template <class T>
  py::object run(Chain<T>& chain, py::handle x_t, py::handle y_t, int threads) const {
    Link<T>&first = chain.front(), &last = chain.back();
    const index_t I = first.x.shape[2], P = last.y.shape[2];
    const T* const x = plain_step<const T>(x_t, I);
    if (x == nullptr) return py::none();
    py::object found;
    T* const y = result<T>(x_t, y_t, P, found);
    if (y == nullptr || (x < y + rows_ * P && y < x + rows_ * I)) return py::none();
    first.x = {x, {1, rows_, I}, {rows_ * I, I, 1}};
    last.y = {y, {1, rows_, P}, {rows_ * P, P, 1}};
    without_gil([&] {
      for (Link<T>& link : chain) (odd_ ? link.back : link.there).run(link.x, link.y, threads);
    });
    return found;
  }

  std::vector<py::tuple> kept_;
  std::variant<std::monostate, Chain<float>, Chain<double>> chain_;
  index_t rows_ = 0;
  std::atomic<bool> odd_{false};
  std::atomic<bool> used_{false};
};

// Step.run as Python calls its own functions: a step of an LSTM with H = 32 took 0.39 us instead of
// 0.53 by pybind11's way, on Zen 5.
PyObject* step_run(PyObject* self, PyObject* const* args, Py_ssize_t count) noexcept {
  return guarded([&] {
    if (count != 3) throw py::type_error("run takes x_t, y_t and num_threads");
    return as_object<StepObject>("step", "a Step", self).run(args[0], args[1], args[2]);
  });
}

}  // namespace

void bind_step(py::module_& m) {
  using py::arg;
  const py::metaclass plain(reinterpret_cast<PyObject*>(&PyType_Type));
  const auto object = [](py::handle self) -> StepObject& {
    return as_object<StepObject>("step", "a Step", self);
  };
  py::class_<StepObject> step(m, "Step", "One time step of a stack of layers, prepared.", plain);
  step.def(
          "__init__",
          [](py::detail::value_and_holder& place, py::handle layers) {
            hold(place, std::make_unique<StepObject>(layers));
          },
          py::detail::is_new_style_constructor(), arg("layers"))
      .def(
          "swap", [object](py::handle self) { object(self).swap(); },
          "Let the next run go the other way.")
      .def_property_readonly(
          "odd", [object](py::handle self) { return object(self).odd(); },
          "Whether the next run goes back.");
  static PyMethodDef method{
      "run", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(step_run)), METH_FASTCALL,
      "Read x_t and one pair of states; write and return y_t, fresh for None, and the other pair. "
      "None: x_t or y_t is not contiguous or has another shape or type; nothing has happened."};
  step.attr(method.ml_name) = py::reinterpret_steal<py::object>(
      PyDescr_NewMethod(reinterpret_cast<PyTypeObject*>(step.ptr()), &method));
}

}  // namespace fastrnn::bindings
