// rnn_forward, rnn_backward and their objects: arguments become Views, then the core runs.
#include <pybind11/pybind11.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "bindings/arguments.h"
#include "bindings/arrays.h"
#include "bindings/bindings.h"
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

// The arrays of a forward call, as they come.
struct ForwardObjects {
  WeightObjects weights;
  MaskObjects masks;
  py::handle x, h0, c0, lengths, y, h_n, c_n, ids;
};

// All of them but the weights.
template <class T>
void read_forward(const ForwardObjects& objects, RnnForwardArgs<T>& args, Extents& extents) {
  constexpr Strides rows = Strides::rows;
  args.in.masks = objects.masks.views<T>(extents);
  args.in.ids = as_optional_input<index_t>("ids", objects.ids, {"T", "N"}, extents, Strides::free);
  args.in.x = as_input<T>("x", objects.x, {"T", "N", "I"}, extents);
  args.in.h0 = as_optional_input<T>("h0", objects.h0, {"N", "P"}, extents);
  args.in.c0 = as_optional_input<T>("c0", objects.c0, {"N", "H"}, extents);
  args.lengths = as_optional_input<index_t>("lengths", objects.lengths, {"N"}, extents);
  args.y = as_output<T>("y", objects.y, {"T", "N", "P"}, extents);
  args.h_n = as_output<T>("h_n", objects.h_n, {"N", "P"}, extents);
  args.c_n = as_optional_output<T>("c_n", objects.c_n, {"N", "H"}, extents, rows);
}

template <class T>
void forward(const ForwardObjects& objects, RnnForwardArgs<T>& args, TapeObject* tape) {
  Extents extents;
  args.layer.weights = objects.weights.views<T>(extents);
  read_forward(objects, args, extents);
  if (tape == nullptr) return without_gil([&] { rnn_forward(args); });

  for (const char* name : {"lengths", "ids", "h_n", "c_n"})
    extents.drop(name);  // not kept by the tape
  const WeightObjects& w = objects.weights;
  std::vector<py::object> references;
  for (py::handle object :
       {objects.x, objects.y, objects.h0, objects.c0, w.w_ih, w.w_hh, w.b_ih, w.b_hh, w.w_peephole,
        w.w_hr, w.w_norm, objects.masks.h_mask, objects.masks.h_keep, objects.masks.c_keep}) {
    references.push_back(py::reinterpret_borrow<py::object>(object));
  }
  tape->record<T>(extents, std::move(references), [&](Tape<T>& inner) {
    args.tape = &inner;
    without_gil([&] { rnn_forward(args); });
  });
}

template <class T>
void forward_packed(const ForwardObjects& objects, RnnForwardArgs<T>& args) {
  const auto& [w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr, w_norm] = objects.weights;
  const char* const when = "when packed is given";
  must_be_none("w_ih", w_ih, when);
  must_be_none("w_hh", w_hh, when);
  must_be_none("b_ih", b_ih, when);
  must_be_none("b_hh", b_hh, when);
  must_be_none("w_peephole", w_peephole, when);
  must_be_none("w_hr", w_hr, when);
  must_be_none("w_norm", w_norm, when);
  Extents extents;
  read_forward(objects, args, extents);
  without_gil([&] { rnn_forward(args); });
}

void forward_any(py::handle cell, py::handle x, py::handle w_ih, py::handle w_hh, py::handle b_ih,
                 py::handle b_hh, py::handle w_peephole, py::handle h0, py::handle c0,
                 py::handle lengths, py::handle y, py::handle h_n, py::handle c_n,
                 py::handle reverse, py::handle num_threads, py::handle tape, py::handle packed,
                 py::handle choices, py::handle w_hr, py::handle h_mask, py::handle h_keep,
                 py::handle c_keep, py::handle w_norm, py::handle ids, py::handle bfloat16) {
  const WeightObjects given{w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr, w_norm};
  const MaskObjects masks{h_mask, h_keep, c_keep};
  const ForwardObjects objects{given, masks, x, h0, c0, lengths, y, h_n, c_n, ids};
  const auto args = [&](auto zero) {
    RnnForwardArgs<decltype(zero)> common{};
    common.layer.cell = as_cell(cell);
    common.layer.choices = as_choices(choices, common.layer.cell);
    common.reverse = as_bool("reverse", reverse);
    common.num_threads = as_num_threads(num_threads);
    return common;
  };
  if (!packed.is_none()) {
    must_be_none("tape", tape, "when packed is given: a tape keeps the weights");
    if (as_bool("bfloat16", bfloat16)) words::wrong("bfloat16", "be False when packed is given");
    const PackedObject& object = as_packed(packed);
    return object.visit([&]<class T>(const PackedWeights<T>& weights) {
      RnnForwardArgs<T> typed = args(T{});
      typed.layer.packed = &weights;
      forward_packed(objects, typed);
    });
  }
  TapeObject* const record = tape.is_none() ? nullptr : &as_tape(tape);
  with_float_type("w_hh", w_hh, [&](auto zero) {
    auto typed = args(zero);
    if (as_bool("bfloat16", bfloat16)) typed.layer.precision = Precision::bfloat16;
    forward(objects, typed, record);
  });
}

// The arrays of a backward call, as they come.
struct BackwardObjects {
  py::handle dy, dh_n, dc_n, dx, dw_ih, dw_hh, db_ih, db_hh, dh0, dc0, dw_peephole, dw_hr, dw_norm;
};

template <class T>
RnnBackwardArgs<T> read_backward(const BackwardObjects& objects, Tape<T>& tape, Extents extents) {
  RnnBackwardArgs<T> args;
  args.tape = &tape;
  args.dy = as_optional_input<T>("dy", objects.dy, {"T", "N", "P"}, extents);
  args.dh_n = as_optional_input<T>("dh_n", objects.dh_n, {"N", "P"}, extents);
  args.dc_n = as_optional_input<T>("dc_n", objects.dc_n, {"N", "H"}, extents);
  args.dx = as_optional_output<T>("dx", objects.dx, {"T", "N", "I"}, extents);
  args.dw_ih = as_optional_output<T>("dw_ih", objects.dw_ih, {"G*H", "I"}, extents);
  args.dw_hh = as_optional_output<T>("dw_hh", objects.dw_hh, {"G*H", "P"}, extents);
  args.db_ih = as_optional_output<T>("db_ih", objects.db_ih, {"G*H"}, extents);
  args.db_hh = as_optional_output<T>("db_hh", objects.db_hh, {"G*H"}, extents);
  args.dh0 = as_optional_output<T>("dh0", objects.dh0, {"N", "P"}, extents);
  args.dc0 = as_optional_output<T>("dc0", objects.dc0, {"N", "H"}, extents);
  (tape.on.full_peephole ? args.dw_peephole_full : args.dw_peephole) =
      as_optional_output<T>("dw_peephole", objects.dw_peephole, {"3", "H"}, extents);
  args.dw_hr = as_optional_output<T>("dw_hr", objects.dw_hr, {"P", "H"}, extents);
  args.dw_norm = as_optional_output<T>("dw_norm", objects.dw_norm, {"gains", "H"}, extents);
  return args;
}

void backward_any(py::handle tape, py::handle dy, py::handle dh_n, py::handle dc_n, py::handle dx,
                  py::handle dw_ih, py::handle dw_hh, py::handle db_ih, py::handle db_hh,
                  py::handle dh0, py::handle dc0, py::handle dw_peephole, py::handle num_threads,
                  py::handle truncate, py::handle clip_step, py::handle dw_hr, py::handle dw_norm,
                  py::handle add_dx) {
  const BackwardObjects objects{dy,    dh_n, dc_n, dx,          dw_ih, dw_hh,  db_ih,
                                db_hh, dh0,  dc0,  dw_peephole, dw_hr, dw_norm};
  const int threads = as_num_threads(num_threads);
  const index_t every = as_truncate(truncate);
  const bool add = as_bool("add_dx", add_dx);
  as_tape(tape).consume([&]<class T>(Tape<T>& inner, const Extents& extents) {
    RnnBackwardArgs<T> args = read_backward(objects, inner, extents);
    args.num_threads = threads;
    args.truncate = every;
    args.add_dx = add;
    args.clip_step = as_clip_step<T>(clip_step);
    without_gil([&] { rnn_backward(args); });
  });
}

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
             py::handle scale_ih, py::handle scale_hh, py::handle bfloat16) {
            const WeightObjects weights{w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr, w_norm};
            hold(place, std::make_unique<PackedObject>(as_cell(cell), weights, scale_ih, scale_hh,
                                                       as_bool("bfloat16", bfloat16)));
          },
          constructor, arg("cell"), arg("w_ih"), arg("w_hh"), arg("b_ih"), arg("b_hh"),
          arg("w_peephole"), arg("w_hr") = py::none(), arg("w_norm") = py::none(),
          arg("scale_ih") = py::none(), arg("scale_hh") = py::none(), arg("bfloat16") = false)
      .def_property_readonly("nbytes", [](py::handle self) { return as_packed(self).nbytes(); })
      .def_property_readonly("precision",
                             [](py::handle self) { return as_packed(self).precision(); })
      .def_property_readonly("isa", [](py::handle self) { return as_packed(self).isa(); });
  py::classh<ChoicesObject>(m, "Choices", "What a general cell is told: activations, gates.", plain)
      .def(py::init<const py::tuple&, const std::string&, bool, double>(), arg("activations"),
           arg("gates") = "ifo", arg("input_forget") = false,
           arg("clip") = std::numeric_limits<double>::infinity());
  m.def("rnn_forward", forward_any, "One layer, one direction; y, h_n and c_n are written.",
        arg("cell"), arg("x"), arg("w_ih"), arg("w_hh"), arg("b_ih"), arg("b_hh"),
        arg("w_peephole"), arg("h0"), arg("c0"), arg("lengths"), arg("y"), arg("h_n"), arg("c_n"),
        arg("reverse") = false, arg("num_threads") = 0, arg("tape") = py::none(),
        arg("packed") = py::none(), arg("choices") = py::none(), arg("w_hr") = py::none(),
        arg("h_mask") = py::none(), arg("h_keep") = py::none(), arg("c_keep") = py::none(),
        arg("w_norm") = py::none(), arg("ids") = py::none(), arg("bfloat16") = false);
  m.def("rnn_backward", backward_any, "Gradients of the forward call that filled tape.",
        arg("tape"), arg("dy"), arg("dh_n"), arg("dc_n"), arg("dx"), arg("dw_ih"), arg("dw_hh"),
        arg("db_ih"), arg("db_hh"), arg("dh0"), arg("dc0"), arg("dw_peephole"),
        arg("num_threads") = 0, arg("truncate") = py::none(), arg("clip_step") = py::none(),
        arg("dw_hr") = py::none(), arg("dw_norm") = py::none(), arg("add_dx") = false);
  m.def("apply_activation", apply_activation, arg("name"), arg("x"), arg("y"),
        "y = exp, sigmoid or tanh of x, 1-D and contiguous, by the active kernels.");
}

}  // namespace fastrnn::bindings
