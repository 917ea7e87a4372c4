// optim_update, sum_of_squares, scale and clamp: lists of arrays of any rank, changed in place.
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "bindings/arguments.h"
#include "bindings/arrays.h"
#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "fastrnn/nn/optim.h"

namespace fastrnn::bindings {
namespace {

// The position of an array: an argument, and the name of its entry there.
struct Place {
  const char* role;
  py::handle name;
  std::string text() const { return std::string(role) + "[" + std::string(py::repr(name)) + "]"; }
};

// The bytes of every array of a call; those written to may be no other array's.
class Memory {
 public:
  template <class T>
  void add(const View<T, 1>& row, const Place& place) {
    if (row.shape[0] == 0) return;
    const auto first = reinterpret_cast<std::uintptr_t>(row.data);
    const auto bytes = static_cast<std::uintptr_t>(row.shape[0]) * sizeof(T);
    stretches_.push_back({first, first + bytes, !std::is_const_v<T>, place});
  }

  // In order of address, each is compared with the one before that reaches farthest.
  void check() {
    std::sort(stretches_.begin(), stretches_.end(),
              [](const Stretch& a, const Stretch& b) { return a.first < b.first; });
    const Stretch *farthest = nullptr, *farthest_output = nullptr;
    for (const Stretch& now : stretches_) {
      const Stretch* const before = now.output ? farthest : farthest_output;
      if (before != nullptr && before->end > now.first)
        words::wrong(now.place.text().c_str(), "not share memory with " + before->place.text());
      if (farthest == nullptr || farthest->end < now.end) farthest = &now;
      if (now.output && (farthest_output == nullptr || farthest_output->end < now.end))
        farthest_output = &now;
    }
  }

 private:
  struct Stretch {
    std::uintptr_t first, end;
    bool output;
    Place place;
  };
  std::vector<Stretch> stretches_;
};

template <class T>
View<T, 1> flat(const Place& place, py::handle object, Memory& memory) {
  const View<T, 1> row = as_flat<T>(place.role, object);
  memory.add(row, place);
  return row;
}

bool is_double(const char* role, py::handle object) {
  return has_dtype<double>(as_array(role, object));
}

py::list as_list(const char* name, py::handle object) {
  if (!PyList_CheckExact(object.ptr())) words::wrong_type(name, "a list", object);
  return py::reinterpret_borrow<py::list>(object);
}

py::list as_list(const char* name, py::handle object, std::size_t entries) {
  const py::list list = as_list(name, object);
  if (list.size() != entries) words::wrong(name, "have as many elements as names");
  return list;
}

// A gradient is an array, or a tuple of rows (U,), values (U, width) and whether it is lazy.
template <class T>
Table<T> as_table(py::handle name, py::handle param, py::handle grad, py::handle kept,
                  int kept_size, Memory& memory, std::vector<index_t>& rows) {
  const View<T, 1> row = flat<T>({"params", name}, param, memory);
  Table<T> p{{row.data, nullptr, {}, row.shape[0]}};
  const auto same_size = [&](const char* role, index_t size) {
    if (size != p.size) words::wrong(role, "have as many elements as the parameter array");
  };
  if (PyTuple_CheckExact(grad.ptr()) && PyTuple_GET_SIZE(grad.ptr()) == 3) {
    Extents extents;
    const auto given = as_input<index_t>("rows", PyTuple_GET_ITEM(grad.ptr(), 0), {"U"}, extents);
    const auto values = as_input<T>("values", PyTuple_GET_ITEM(grad.ptr(), 1), {"U", "E"}, extents,
                                    Strides::contiguous);
    const index_t U = values.shape[0], E = values.shape[1], height = E > 0 ? p.size / E : 0;
    if (given.shape[0] != U) words::wrong("rows", "be as many as the rows of values");
    if (height * E != p.size) words::wrong("values", "be rows of the parameter array");
    memory.add(View<const T, 1>{values.data, {U * E}, {1}}, {"grads", name});
    rows.assign(given.data, given.data + U);
    index_t least = 0;
    for (const index_t r : rows) {
      if (r < least || (E > 0 && r >= height))
        words::wrong("rows", "ascend within the parameter array");
      least = r + 1;
    }
    p.grad = values.data, p.rows = U > 0 ? &rows[0] : nullptr, p.count = U, p.width = E;
    p.lazy = PyTuple_GET_ITEM(grad.ptr(), 2) == Py_True;
  } else {
    const View<const T, 1> gradient = flat<const T>({"grads", name}, grad, memory);
    same_size("grads", gradient.shape[0]);
    p.grad = gradient.data;
  }
  if (!PyTuple_CheckExact(kept.ptr()) || PyTuple_GET_SIZE(kept.ptr()) != kept_size)
    words::wrong_type("kept", "a list of tuples of the rule's length", kept);
  for (int k = 0; k < kept_size; ++k) {
    const View<T, 1> beside = flat<T>({"kept", name}, PyTuple_GET_ITEM(kept.ptr(), k), memory);
    same_size("kept", beside.shape[0]);
    p.kept[k] = beside.data;
  }
  return p;
}

UpdateRule as_rule(py::handle object) {
  const std::string text = as_text("rule", object);
  for (int k = 0; k < kRules; ++k) {
    if (text == rule_name(static_cast<UpdateRule>(k))) return static_cast<UpdateRule>(k);
  }
  words::wrong("rule", "be one of the core's, got '" + text + "'");
}

// A float, or what Python makes one of.
double as_double(const char* name, py::handle object) {
  const double value = PyFloat_AsDouble(object.ptr());
  if (value != -1 || PyErr_Occurred() == nullptr) return value;
  const bool type = PyErr_ExceptionMatches(PyExc_TypeError) != 0;
  if (!type && PyErr_ExceptionMatches(PyExc_OverflowError) == 0) throw py::error_already_set();
  PyErr_Clear();
  if (type) words::wrong_type(name, "a tuple of 7 floats", object);
  words::wrong(name, "be within the range of a float");
}

UpdateNumbers as_numbers(py::handle object) {
  if (!PyTuple_Check(object.ptr()) || PyTuple_GET_SIZE(object.ptr()) != 7)
    words::wrong_type("numbers", "a tuple of 7 floats", object);
  double n[7];
  for (int k = 0; k < 7; ++k) n[k] = as_double("numbers", PyTuple_GET_ITEM(object.ptr(), k));
  return {n[0], n[1], n[2], n[3], n[4], n[5], n[6]};
}

void update(py::handle rule_object, py::handle names_object, py::handle params_object,
            py::handle grads_object, py::handle kept_object, py::handle numbers_object,
            py::handle num_threads) {
  const UpdateRule rule = as_rule(rule_object);
  const UpdateNumbers numbers = as_numbers(numbers_object);
  const int threads = as_num_threads(num_threads);
  const py::list names = as_list("names", names_object);
  const std::size_t entries = names.size();
  const py::list params = as_list("params", params_object, entries);
  const py::list grads = as_list("grads", grads_object, entries);
  const py::list kept = as_list("kept", kept_object, entries);
  Arrays<Parameter> parameters;
  Arrays<Table> tables;
  std::vector<std::vector<index_t>> rows(entries);  // copies: what is checked is what is used
  Memory memory;
  for (std::size_t k = 0; k < entries; ++k) {
    const auto add = [&]<class T>(std::vector<Parameter<T>>& whole, std::vector<Table<T>>& parts) {
      Table<T> t =
          as_table<T>(names[k], params[k], grads[k], kept[k], rule_kept(rule), memory, rows[k]);
      if (t.width == 0) return whole.push_back(t);
      if (t.lazy) t.size = t.count * t.width;
      parts.push_back(t);
    };
    is_double("params", params[k]) ? add(parameters.f64, tables.f64)
                                   : add(parameters.f32, tables.f32);
  }
  memory.check();
  without_gil([&] { optim_update(rule, numbers, parameters, tables, threads); });
}

template <template <class> class Array, class Run>
void over_rows(py::handle names_object, py::handle arrays_object, Run&& run) {
  constexpr bool output = std::is_same_v<Array<float>, Row<float>>;
  const py::list names = as_list("names", names_object);
  const std::size_t entries = names.size();
  const py::list list = as_list("arrays", arrays_object, entries);
  Arrays<Array> rows;
  Memory memory;
  for (std::size_t k = 0; k < entries; ++k) {
    const auto add = [&]<class T>(T*, auto& to) {
      using Element = std::conditional_t<output, T, const T>;
      const View<Element, 1> row = flat<Element>({"grads", names[k]}, list[k], memory);
      to.push_back({row.data, row.shape[0]});
    };
    if (is_double("grads", list[k]))
      add(static_cast<double*>(nullptr), rows.f64);
    else
      add(static_cast<float*>(nullptr), rows.f32);
  }
  memory.check();
  run(rows);
}

}  // namespace

void bind_optim(py::module_& m) {
  using py::arg;
  m.def("optim_update", update, "Change params in place by one step of a rule against grads.",
        arg("rule"), arg("names"), arg("params"), arg("grads"), arg("kept"), arg("numbers"),
        arg("num_threads"));
  m.def(
      "sum_of_squares",
      [](py::handle names, py::handle arrays, py::handle num_threads) {
        const int threads = as_num_threads(num_threads);
        double total = 0;
        over_rows<Input>(names, arrays, [&](const auto& rows) {
          without_gil([&] { total = sum_of_squares(rows, threads); });
        });
        return total;
      },
      "The sum of the squares of all elements of all arrays.", arg("names"), arg("arrays"),
      arg("num_threads"));
  m.def(
      "check_apart",
      [](py::handle names, py::handle arrays) {
        over_rows<Row>(names, arrays, [](const auto&) {});
      },
      "Refuse what scale and clamp would refuse.", arg("names"), arg("arrays"));
  m.def(
      "scale",
      [](py::handle names, py::handle arrays, double factor, py::handle num_threads) {
        const int threads = as_num_threads(num_threads);
        over_rows<Row>(names, arrays, [&](const auto& rows) {
          without_gil([&] { scale(rows, factor, threads); });
        });
      },
      "Multiply every element by a factor.", arg("names"), arg("arrays"), arg("factor"),
      arg("num_threads"));
  m.def(
      "clamp",
      [](py::handle names, py::handle arrays, double limit, py::handle num_threads) {
        const int threads = as_num_threads(num_threads);
        over_rows<Row>(names, arrays, [&](const auto& rows) {
          without_gil([&] { clamp(rows, limit, threads); });
        });
      },
      "Move every element into [-limit, limit].", arg("names"), arg("arrays"), arg("limit"),
      arg("num_threads"));
}

}  // namespace fastrnn::bindings
