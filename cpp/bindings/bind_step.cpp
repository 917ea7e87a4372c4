// Step: a stack of layers, one time step a call, with all but x_t and y_t checked beforehand.
#include <pybind11/pybind11.h>

#include <memory>
#include <type_traits>
#include <variant>
#include <vector>

#include "bindings/arguments.h"
#include "bindings/arrays.h"
#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/rnn_objects.h"
#include "fastrnn/ops.h"

namespace fastrnn::bindings {
namespace {

// What a call adds to these: x of the first, y of the last, and the number of threads.
template <class T>
using Chain = std::vector<RnnForwardArgs<T>>;

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

  void run(py::handle x_t, py::handle y_t, py::handle num_threads) const {
    const int threads = as_num_threads(num_threads);
    if (const auto* single = std::get_if<Chain<float>>(&chain_)) run(*single, x_t, y_t, threads);
    if (const auto* twice = std::get_if<Chain<double>>(&chain_)) run(*twice, x_t, y_t, threads);
  }

 private:
  template <class T>
  void add(const py::tuple& items, const PackedWeights<T>& packed, Chain<T>& chain) {
    RnnForwardArgs<T> args{};
    args.cell = as_cell(items[0]);
    args.packed = &packed;
    if (packed.cell() != args.cell) words::wrong("packed", "be made for the cell");
    const bool more = items.size() == 10;
    const py::object none = py::none();
    args.choices = as_choices(more ? py::object(items[7]) : none, args.cell);
    if (packed.projected()) words::wrong("packed", "hold w_ih");
    const bool first = chain.empty(), last = items[6].is_none();
    rows_ = first ? axis_size("h0", items[2], {{"N"}, {"H"}}, 0) : rows_;
    const Axis n{"N", rows_}, h{"P", packed.h_size()}, c{"H", packed.hidden_size()};
    Extents extents;
    const py::object h_keep = more ? py::object(items[8]) : none;
    const py::object c_keep = more ? py::object(items[9]) : none;
    const MaskObjects masks{none, h_keep, c_keep};
    args.masks = masks.views<T>({"T", 1}, n, h, c, cell_traits(args.cell), extents);
    args.h0 = as_input<T>("h0", items[2], {n, h}, extents);
    args.h_n = as_output<T>("h_n", items[4], {n, h}, extents);
    if (cell_traits(args.cell).cell_state) {
      args.c0 = as_input<T>("c0", items[3], {n, c}, extents);
      args.c_n = as_output<T>("c_n", items[5], {n, c}, extents);
    }
    if (!last) args.y = as_output<T>("y", items[6], {{"T", 1}, n, h}, extents);
    if (!first) {
      const View<T, 3>& below = chain.back().y;
      if (!below || below.shape[2] != packed.input_size())
        words::wrong("packed", "take what the layer below puts out");
      args.x = {below.data,
                {1, rows_, below.shape[2]},
                {below.stride[0], below.stride[1], below.stride[2]}};
    }
    chain.push_back(args);
  }

  // (N, columns), or (columns,) of one row, as one step of a sequence.
  template <class T>
  View<T, 3> one_step(const char* name, py::handle object, const Axis& last,
                      Extents& extents) const {
    constexpr bool output = !std::is_const_v<T>;
    const index_t columns = last.size;
    if (rows_ == 1 && as_array(name, object).ndim() == 1) {
      const View<T, 1> row =
          checked_view<T, 1>(name, object, {last}, Strides::rows, output, extents);
      return {row.data, {1, 1, columns}, {columns, columns, 1}};
    }
    const View<T, 2> rows =
        checked_view<T, 2>(name, object, {{"N", rows_}, last}, Strides::rows, output, extents);
    return {rows.data, {1, rows_, columns}, {columns, rows.stride[0], 1}};
  }

  template <class T>
  void run(const Chain<T>& prepared, py::handle x_t, py::handle y_t, int threads) const {
    Extents extents;
    const auto x =
        one_step<const T>("x_t", x_t, {"I", prepared.front().packed->input_size()}, extents);
    const auto y = one_step<T>("y_t", y_t, {"H", prepared.back().packed->h_size()}, extents);
    without_gil([&] {
      for (const RnnForwardArgs<T>& layer : prepared) {
        RnnForwardArgs<T> args = layer;  // a copy: other threads may be in here, too
        args.num_threads = threads;
        if (&layer == &prepared.front()) args.x = x;
        if (&layer == &prepared.back()) args.y = y;
        rnn_forward(args);
      }
    });
  }

  std::vector<py::tuple> kept_;
  std::variant<std::monostate, Chain<float>, Chain<double>> chain_;
  index_t rows_ = 0;
};

}  // namespace

void bind_step(py::module_& m) {
  using py::arg;
  const py::metaclass plain(reinterpret_cast<PyObject*>(&PyType_Type));
  py::class_<StepObject>(m, "Step", "One time step of a stack of layers, prepared.", plain)
      .def(
          "__init__",
          [](py::detail::value_and_holder& place, py::handle layers) {
            hold(place, std::make_unique<StepObject>(layers));
          },
          py::detail::is_new_style_constructor(), arg("layers"))
      .def(
          "run",
          [](py::handle self, py::handle x_t, py::handle y_t, py::handle num_threads) {
            as_object<StepObject>("step", "a Step", self).run(x_t, y_t, num_threads);
          },
          "Read x_t and h0, c0 of each layer; write y_t and h_n, c_n.", arg("x_t"), arg("y_t"),
          arg("num_threads"));
}

}  // namespace fastrnn::bindings
