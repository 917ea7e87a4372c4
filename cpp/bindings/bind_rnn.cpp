// rnn_forward, rnn_backward and their objects: arguments become Views, then the core runs. And
// fits, which every check of the package asks first.
#include <pybind11/critical_section.h>
#include <pybind11/pybind11.h>

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "bindings/arguments.h"
#include "bindings/arrays.h"
#include "bindings/bindings.h"
#include "bindings/call.h"
#include "bindings/gil.h"
#include "bindings/rnn_objects.h"
#include "fastrnn/check_shape.h"
#include "fastrnn/dispatch.h"
#include "fastrnn/rnn/ops.h"
#include "fastrnn/rnn/table.h"
#include "fastrnn/team/launch.h"

namespace fastrnn::bindings {
namespace {

TapeObject& as_tape(py::handle object) { return as_object<TapeObject>("tape", "a Tape", object); }

// The arguments of a forward call, as they come.
struct ForwardObjects : WeightObjects, MaskObjects {
  py::handle cell, x, h0, c0, lengths, y, h_n, c_n, reverse, num_threads, tape, packed, choices,
      ids, bfloat16, stacked;
};

// The outputs of a forward call: as they came, or fresh.
struct ForwardOutputs {
  py::object y, h_n, c_n;

  py::object all() const { return py::make_tuple(y, h_n, c_n); }
};

// h_n or c_n as (N, width); a fresh one may have an axis of one layer before.
template <class T>
[[gnu::noinline]] View<T, 2> final_state(const char* name, py::handle place, index_t N,
                                         index_t width, bool stacked, Extents& extents,
                                         py::object& out) {
  if (place.ptr() != Py_True) {
    out = py::reinterpret_borrow<py::object>(place);
    return as_optional_output<T>(name, place, {"N", name[0] == 'c' ? "H" : "P"}, extents,
                                 Strides::rows);
  }
  const index_t shape[] = {1, N, width};
  const int skipped = stacked ? 0 : 1;
  out = fresh(name, py::dtype::num_of<T>(), dtype_name<T>(), shape + skipped, 3 - skipped);
  void* const data = py::detail::array_proxy(out.ptr())->data;
  return {static_cast<T*>(data), {N, width}, {width, 1}};
}

// What every forward call has: all but the weights, which say H and P.
template <class T>
[[gnu::noinline]] void read_forward(const ForwardObjects& objects, index_t H, index_t P,
                                    Extents& extents, RnnForwardArgs<T>& args,
                                    ForwardOutputs& out) {
  args.layer.cell = as_cell(objects.cell);
  args.layer.choices = as_choices(objects.choices, args.layer.cell);
  args.reverse = as_bool("reverse", objects.reverse);
  args.num_threads = as_num_threads(objects.num_threads);
  args.in.masks = objects.masks<T>(extents);
  args.in.ids = as_optional_input<index_t>("ids", objects.ids, {"T", "N"}, extents, Strides::free);
  args.in.x = as_input<T>("x", objects.x, {"T", "N", "I"}, extents);
  args.in.h0 = as_optional_input<T>("h0", objects.h0, {"N", "P"}, extents);
  args.in.c0 = as_optional_input<T>("c0", objects.c0, {"N", "H"}, extents);
  args.lengths = as_optional_input<index_t>("lengths", objects.lengths, {"N"}, extents);
  const index_t* const steps = args.in.ids ? args.in.ids.shape : args.in.x.shape;
  const index_t N = steps[1];
  const bool no_c = objects.c_n.ptr() == Py_True && !cell_traits(args.layer.cell).shape.cell_state;
  const bool stacked = as_bool("stacked", objects.stacked);
  out.y = fresh_or_given<T>("y", objects.y, {steps[0], N, P});
  args.y = as_output<T>("y", out.y, {"T", "N", "P"}, extents);
  if (objects.h_n.is_none()) words::wrong_type("h_n", "a numpy.ndarray", objects.h_n);
  args.h_n = final_state<T>("h_n", objects.h_n, N, P, stacked, extents, out.h_n);
  args.c_n =
      final_state<T>("c_n", no_c ? py::none() : objects.c_n, N, H, stacked, extents, out.c_n);
}

// A forward call that is read and ready for the core. Without keep() its tape is as it was before.
template <class T>
class ForwardCall {
 public:
  explicit ForwardCall(const ForwardObjects& objects) {
    const bool bfloat16 = as_bool("bfloat16", objects.bfloat16);
    RnnWeights<T> weights;
    const PackedWeights<T>* packed = nullptr;
    index_t H, P;
    if (objects.packed.is_none()) {
      weights = objects.weights<T>(extents_);
      H = weights.w_hh.shape[0] / cell_traits(as_cell(objects.cell)).shape.gates;
      P = weights.w_hh.shape[1];
    } else {
      refuse_beside_packed(objects, bfloat16);
      packed = &as_packed(objects.packed).get<T>();
      H = packed->dims().H;
      P = packed->dims().P;
    }
    read_forward(objects, H, P, extents_, args_, out_);
    args_.layer.weights = weights;
    args_.layer.packed = packed;
    if (bfloat16) args_.layer.precision = Precision::bfloat16;
    if (!objects.tape.is_none()) record(objects);
  }

  const RnnForwardArgs<T>& args() const { return args_; }
  py::object keep() {
    if (recording_) recording_->keep(extents_, std::move(references_));
    return out_.all();
  }

 private:
  static void refuse_beside_packed(const ForwardObjects& objects, bool bfloat16) {
    must_be_none("tape", objects.tape, "when packed is given: a tape keeps the weights");
    if (bfloat16) words::wrong("bfloat16", "be False when packed is given");
    const char* const when = "when packed is given";
    must_be_none("w_ih", objects.w_ih, when);
    must_be_none("w_hh", objects.w_hh, when);
    must_be_none("b_ih", objects.b_ih, when);
    must_be_none("b_hh", objects.b_hh, when);
    must_be_none("w_peephole", objects.w_peephole, when);
    must_be_none("w_hr", objects.w_hr, when);
    must_be_none("w_norm", objects.w_norm, when);
  }

  void record(const ForwardObjects& o) {
    for (const char* name : {"lengths", "ids", "h_n", "c_n"})
      extents_.drop(name);  // not kept by the tape
    references_.reserve(14);
    for (py::handle object : {o.x, py::handle(out_.y), o.h0, o.c0, o.w_ih, o.w_hh, o.b_ih, o.b_hh,
                              o.w_peephole, o.w_hr, o.w_norm, o.h_mask, o.h_keep, o.c_keep}) {
      references_.push_back(py::reinterpret_borrow<py::object>(object));
    }
    recording_.emplace(as_tape(o.tape));
    args_.tape = &recording_->tape();
  }

  Extents extents_;
  ForwardOutputs out_;
  RnnForwardArgs<T> args_;
  std::vector<py::object> references_;
  std::optional<TapeObject::Recording<T>> recording_;
};

// Calls f with a zero of the float type of a forward call.
template <class F>
py::object with_type_of(const ForwardObjects& objects, F&& f) {
  if (objects.packed.is_none()) return with_float_type("w_hh", objects.w_hh, f);
  return as_packed(objects.packed).visit([&]<class T>(const PackedWeights<T>&) { return f(T{}); });
}

struct Forward {
  using Arguments = ForwardObjects;
  using Parameter = bindings::Parameter<Arguments>;
  static constexpr const char* name = "rnn_forward";
  static constexpr const char* words =
      "One layer, one direction; y, h_n and c_n are written and returned.";
  static constexpr Parameter parameters[] = {
      {"cell", &Arguments::cell},
      {"x", &Arguments::x},
      {"w_ih", &Arguments::w_ih},
      {"w_hh", &Arguments::w_hh},
      {"b_ih", &Arguments::b_ih},
      {"b_hh", &Arguments::b_hh},
      {"w_peephole", &Arguments::w_peephole},
      {"h0", &Arguments::h0},
      {"c0", &Arguments::c0},
      {"lengths", &Arguments::lengths},
      {"y", &Arguments::y},
      {"h_n", &Arguments::h_n},
      {"c_n", &Arguments::c_n},
      {"reverse", &Arguments::reverse, Parameter::no},
      {"num_threads", &Arguments::num_threads, Parameter::zero},
      {"tape", &Arguments::tape, Parameter::none},
      {"packed", &Arguments::packed, Parameter::none},
      {"choices", &Arguments::choices, Parameter::none},
      {"w_hr", &Arguments::w_hr, Parameter::none},
      {"h_mask", &Arguments::h_mask, Parameter::none},
      {"h_keep", &Arguments::h_keep, Parameter::none},
      {"c_keep", &Arguments::c_keep, Parameter::none},
      {"w_norm", &Arguments::w_norm, Parameter::none},
      {"ids", &Arguments::ids, Parameter::none},
      {"bfloat16", &Arguments::bfloat16, Parameter::no},
      {"stacked", &Arguments::stacked, Parameter::no},
  };

  static py::object run(const Arguments& objects) {
    return with_type_of(objects, [&]<class T>(T) {
      ForwardCall<T> call(objects);
      without_gil([&] { rnn_forward(call.args()); });
      return call.keep();
    });
  }

  static py::object run_both(const Arguments& first, const Arguments& second) {
    return with_type_of(first, [&]<class T>(T) -> py::object {
      ForwardCall<T> a(first), b(second);
      without_gil([&] { rnn_forward(a.args(), b.args()); });
      const py::object of_a = a.keep();
      return py::make_tuple(of_a, b.keep());
    });
  }
};

// The arguments of a backward call, as they come.
struct BackwardObjects {
  py::handle tape, dy, dh_n, dc_n, dx, dw_ih, dw_hh, db_ih, db_hh, dh0, dc0, dw_peephole,
      num_threads, truncate, clip_step, dw_hr, dw_norm, add_dx;
};

// The gradients by x and the weights, as they came or fresh; None where there is no such weight.
struct Gradients {
  py::object x, w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr, w_norm;

  py::object all() const {
    return py::make_tuple(x, w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr, w_norm);
  }
};

// One of them; `place` is what the caller has in its place, `of` what it is the gradient of.
template <class T, int Rank>
[[gnu::noinline]] View<T, Rank> as_gradient(const char* name, py::handle place,
                                            const View<const T, Rank>& of,
                                            const char* const (&axes)[Rank], Extents& extents,
                                            py::object& out) {
  const bool none = place.ptr() == Py_True && !of;
  out = none ? py::none() : fresh_or_given<T>(name, place, of.shape);
  return as_optional_output<T>(name, out, axes, extents);
}

template <class T>
RnnBackwardArgs<T> read_backward(const BackwardObjects& objects, Tape<T>& tape, Extents extents,
                                 Gradients& out) {
  RnnBackwardArgs<T> args;
  args.tape = &tape;
  args.num_threads = as_num_threads(objects.num_threads);
  args.truncate = as_truncate(objects.truncate);
  args.clip_step = as_clip_step<T>(objects.clip_step);
  args.add_dx = as_bool("add_dx", objects.add_dx);
  args.dy = as_optional_input<T>("dy", objects.dy, {"T", "N", "P"}, extents);
  args.dh_n = as_optional_input<T>("dh_n", objects.dh_n, {"N", "P"}, extents);
  args.dc_n = as_optional_input<T>("dc_n", objects.dc_n, {"N", "H"}, extents);
  const RnnWeights<T>& w = tape.layer.weights;
  args.dx = as_gradient("dx", objects.dx, tape.in.x, {"T", "N", "I"}, extents, out.x);
  args.dw_ih = as_gradient("dw_ih", objects.dw_ih, w.w_ih, {"G*H", "I"}, extents, out.w_ih);
  args.dw_hh = as_gradient("dw_hh", objects.dw_hh, w.w_hh, {"G*H", "P"}, extents, out.w_hh);
  args.db_ih = as_gradient("db_ih", objects.db_ih, w.b_ih, {"G*H"}, extents, out.b_ih);
  args.db_hh = as_gradient("db_hh", objects.db_hh, w.b_hh, {"G*H"}, extents, out.b_hh);
  args.dh0 = as_optional_output<T>("dh0", objects.dh0, {"N", "P"}, extents);
  args.dc0 = as_optional_output<T>("dc0", objects.dc0, {"N", "H"}, extents);
  const bool full = tape.on.full_peephole;
  (full ? args.dw_peephole_full : args.dw_peephole) =
      as_gradient("dw_peephole", objects.dw_peephole, full ? w.w_peephole_full : w.w_peephole,
                  {"3", "H"}, extents, out.w_peephole);
  args.dw_hr = as_gradient("dw_hr", objects.dw_hr, w.w_hr, {"P", "H"}, extents, out.w_hr);
  args.dw_norm =
      as_gradient("dw_norm", objects.dw_norm, w.w_norm, {"gains", "H"}, extents, out.w_norm);
  return args;
}

struct Backward {
  using Arguments = BackwardObjects;
  using Parameter = bindings::Parameter<Arguments>;
  static constexpr const char* name = "rnn_backward";
  static constexpr const char* words =
      "Gradients of the forward call that filled tape; returned, too.";
  static constexpr Parameter parameters[] = {
      {"tape", &Arguments::tape},
      {"dy", &Arguments::dy},
      {"dh_n", &Arguments::dh_n},
      {"dc_n", &Arguments::dc_n},
      {"dx", &Arguments::dx},
      {"dw_ih", &Arguments::dw_ih},
      {"dw_hh", &Arguments::dw_hh},
      {"db_ih", &Arguments::db_ih},
      {"db_hh", &Arguments::db_hh},
      {"dh0", &Arguments::dh0},
      {"dc0", &Arguments::dc0},
      {"dw_peephole", &Arguments::dw_peephole},
      {"num_threads", &Arguments::num_threads, Parameter::zero},
      {"truncate", &Arguments::truncate, Parameter::none},
      {"clip_step", &Arguments::clip_step, Parameter::none},
      {"dw_hr", &Arguments::dw_hr, Parameter::none},
      {"dw_norm", &Arguments::dw_norm, Parameter::none},
      {"add_dx", &Arguments::add_dx, Parameter::no},
  };

  static py::object run(const Arguments& objects) {
    Gradients out;
    as_tape(objects.tape).consume([&]<class T>(Tape<T>& inner, const Extents& extents) {
      const RnnBackwardArgs<T> args = read_backward(objects, inner, extents, out);
      without_gil([&] { rnn_backward(args); });
    });
    return out.all();
  }

  // add_dx of the second with a fresh dx: to that of the first. Its dy may be the first's dx.
  static py::object run_both(const Arguments& first, const Arguments& second) {
    Gradients of_first, of_second;
    as_tape(first.tape).consume([&]<class T>(Tape<T>& a, const Extents& extents) {
      const RnnBackwardArgs<T> args = read_backward(first, a, extents, of_first);
      as_tape(second.tape).consume([&]<class U>(Tape<U>& b, const Extents& more) {
        if constexpr (std::is_same_v<T, U>) {
          Arguments objects = second;
          if (as_bool("add_dx", second.add_dx) && second.dx.ptr() == Py_True)
            objects.dx = of_first.x;
          const RnnBackwardArgs<T> others = read_backward(objects, b, more, of_second);
          without_gil([&] { rnn_backward(args, others); });
        } else {
          words::wrong("tape", "be of the same dtype in both calls");
        }
      });
    });
    return py::make_tuple(of_first.all(), of_second.all());
  }
};

void copy_gates(py::handle object, py::handle out) {
  as_tape(object).read([&]<class T>(Tape<T>& tape, Extents extents) {
    const View<T, 4> view =
        as_output<T>("out", out, {"T", "N", "G", "H"}, extents, Strides::contiguous);
    without_gil([&] { tape.copy_gates(view); });
  });
}

void copy_cells(py::handle object, py::handle out) {
  as_tape(object).read([&]<class T>(Tape<T>& tape, Extents extents) {
    const View<T, 3> view = as_output<T>("out", out, {"T", "N", "H"}, extents, Strides::contiguous);
    without_gil([&] { tape.copy_cells(view); });
  });
}

template <class T>
void activate(const std::string& name, py::handle x_object, py::handle y_object) {
  Extents extents;
  const auto x = as_input<T>("x", x_object, {"n"}, extents, Strides::contiguous);
  const auto y = as_output<T>("y", y_object, {"n"}, extents, Strides::contiguous);
  check_shape("y", y, "(n,)", {x.shape[0]});
  const KernelTable<T>& table = kernels<T>();
  const auto function = name == "exp"       ? table.exp
                        : name == "sigmoid" ? table.sigmoid
                        : name == "tanh"    ? table.tanh
                                            : nullptr;
  if (function == nullptr)
    words::wrong("name", "be 'exp', 'sigmoid' or 'tanh', got '" + name + "'");
  without_gil([&] { run_team(1, [&](Team&) { function(x.data, y.data, x.shape[0]); }); });
}

void apply_activation(const std::string& name, py::handle x, py::handle y) {
  with_float_type("x", x, [&](auto zero) { activate<decltype(zero)>(name, x, y); });
}

// Whether the array's shape is this tuple, in which None is any length; -1 with an error set.
int has_shape(const py::detail::PyArray_Proxy& array, PyObject* shape) {
  if (array.nd != PyTuple_GET_SIZE(shape)) return 0;
  for (int i = 0; i < array.nd; ++i) {
    PyObject* const wanted = PyTuple_GET_ITEM(shape, i);
    if (wanted == Py_None) continue;
    const py::ssize_t length = PyLong_AsSsize_t(wanted);
    if (length == -1 && PyErr_Occurred() != nullptr) return -1;
    if (array.dimensions[i] != length) return 0;
  }
  return 1;
}

// fits(value, shape, dtype). Asked by attributes in Python it took 0.35 us; this is 0.03.
PyObject* fits(PyObject*, PyObject* const* values, Py_ssize_t count) noexcept {
  if (count != 3 || !PyTuple_Check(values[1])) {
    PyErr_SetString(PyExc_TypeError, "fits takes an object, a tuple and a dtype");
    return nullptr;
  }
  const auto& numpy = py::detail::npy_api::get();
  if (Py_TYPE(values[0]) != numpy.PyArray_Type_) Py_RETURN_FALSE;
  const auto& array = *py::detail::array_proxy(values[0]);
  if (array.descr != values[2] || (array.flags & numpy.NPY_ARRAY_ALIGNED_) == 0) Py_RETURN_FALSE;
  const int same = has_shape(array, values[1]);
  if (same < 0) return nullptr;
  const py::ssize_t size = py::reinterpret_borrow<py::dtype>(array.descr).itemsize();
  const bool unit = array.nd == 0 || array.strides[array.nd - 1] == size;
  return PyBool_FromLong(same != 0 && unit);
}

bool same_name(PyObject* a, PyObject* b) {
  return a == b ||
         (PyUnicode_CheckExact(a) && PyUnicode_CheckExact(b) && PyUnicode_Compare(a, b) == 0);
}

// same_items(a, b). By lists and maps in Python it took 0.9 us for four arrays; this takes 0.06.
PyObject* same_items(PyObject*, PyObject* const* values, Py_ssize_t count) noexcept {
  if (count != 2 || !PyDict_CheckExact(values[1])) {
    PyErr_SetString(PyExc_TypeError, "same_items takes an object and a dict");
    return nullptr;
  }
  if (!PyDict_CheckExact(values[0])) Py_RETURN_FALSE;
  const py::scoped_critical_section lock(values[0], values[1]);
  if (PyDict_GET_SIZE(values[0]) != PyDict_GET_SIZE(values[1])) Py_RETURN_FALSE;
  Py_ssize_t at = 0, other_at = 0;
  PyObject *name, *value, *other_name, *other;
  while (PyDict_Next(values[0], &at, &name, &value) != 0) {
    PyDict_Next(values[1], &other_at, &other_name, &other);
    if (value != other || !same_name(name, other_name)) Py_RETURN_FALSE;
  }
  Py_RETURN_TRUE;
}

// A function of places alone, as Python calls its own.
void define_fast(py::module_& m, PyMethodDef& method) {
  m.attr(method.ml_name) = py::reinterpret_steal<py::object>(
      PyCFunction_NewEx(&method, m.ptr(), py::object(m.attr("__name__")).ptr()));
}

}  // namespace

void bind_rnn(py::module_& m) {
  using py::arg;
  find_cell_members(m);
  // Plain classes of Python's own metaclass; self is a handle, because as_object looks closer.
  const py::metaclass plain(reinterpret_cast<PyObject*>(&PyType_Type));
  using Place = py::detail::value_and_holder;
  const py::detail::is_new_style_constructor constructor;
  py::class_<TapeObject>(m, "Tape", "What forward leaves for one backward.", plain)
      .def(
          "__init__", [](Place& place) { hold(place, std::make_unique<TapeObject>()); },
          constructor)
      .def_property_readonly("nbytes", [](py::handle self) { return as_tape(self).nbytes(); })
      .def_property_readonly("spent", [](py::handle self) { return as_tape(self).spent(); })
      .def("gates", copy_gates, arg("out"), "Copy the activated gates to out (T, N, G, H).")
      .def("c", copy_cells, arg("out"), "Copy the cell states to out (T, N, H), LSTM only.");
  py::class_<PackedObject>(m, "PackedWeights", "One layer's weights in the order kernels read.",
                           plain)
      .def(
          "__init__",
          [](Place& place, py::handle cell, py::handle w_ih, py::handle w_hh, py::handle b_ih,
             py::handle b_hh, py::handle w_peephole, py::handle w_hr, py::handle w_norm,
             py::handle scale_ih, py::handle scale_hh, py::handle scale_peephole,
             py::handle scale_hr, py::handle bfloat16) {
            const WeightObjects weights{w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr, w_norm};
            const ScaleObjects scales{scale_ih, scale_hh, scale_peephole, scale_hr};
            hold(place, std::make_unique<PackedObject>(as_cell(cell), weights, scales,
                                                       as_bool("bfloat16", bfloat16)));
          },
          constructor, arg("cell"), arg("w_ih"), arg("w_hh"), arg("b_ih"), arg("b_hh"),
          arg("w_peephole"), arg("w_hr") = py::none(), arg("w_norm") = py::none(),
          arg("scale_ih") = py::none(), arg("scale_hh") = py::none(),
          arg("scale_peephole") = py::none(), arg("scale_hr") = py::none(), arg("bfloat16") = false)
      .def_property_readonly("nbytes", [](py::handle self) { return as_packed(self).nbytes(); })
      .def_property_readonly("precision",
                             [](py::handle self) { return as_packed(self).precision(); })
      .def_property_readonly("isa", [](py::handle self) { return as_packed(self).isa(); });
  ChoicesObject::define(m, plain);
  const auto fast = [](auto* function) {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
  };
  static PyMethodDef questions[] = {
      {"fits", fast(fits), METH_FASTCALL,
       "fits(value, shape, dtype, /)\n--\n\nWhether value is a plain, aligned array like that."},
      {"same_items", fast(same_items), METH_FASTCALL,
       "same_items(a, b, /)\n--\n\nWhether two dicts have the same objects under the same names."}};
  for (PyMethodDef& question : questions) define_fast(m, question);
  Function<Forward>::define(m);
  Function<Backward>::define(m);
  static PyMethodDef pairs[] = {
      {"rnn_forward_both", fast(Function<Forward>::call_both), METH_FASTCALL,
       "rnn_forward_both(first, second, /)\n--\n\nTwo calls of rnn_forward, by the tuples of their "
       "arguments, side by side where that is quicker."},
      {"rnn_backward_both", fast(Function<Backward>::call_both), METH_FASTCALL,
       "rnn_backward_both(first, second, /)\n--\n\nTwo calls of rnn_backward likewise."}};
  for (PyMethodDef& pair : pairs) define_fast(m, pair);
  m.def("apply_activation", apply_activation, arg("name"), arg("x"), arg("y"),
        "y = exp, sigmoid or tanh of x, 1-D and contiguous, by the active kernels.");
}

}  // namespace fastrnn::bindings
