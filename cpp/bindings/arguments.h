// Arguments that are not arrays: a cell, a flag, a number of threads, one of our objects.
#pragma once

#include <pybind11/pybind11.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "bindings/arrays.h"
#include "bindings/choices.h"
#include "bindings/rnn_objects.h"
#include "fastrnn/rnn/ops.h"
#include "fastrnn/team/launch.h"

namespace fastrnn::bindings {

// The members of Cell, in the order of THE LIST: a look-up by identity costs nothing, the
// attribute access of an enum's value would cost as much as a small layer.
inline std::array<PyObject*, kCells> cell_members{};

inline void find_cell_members(py::module_& m) {
  for (int i = 0; i < kCells; ++i) {
    const char* name = cell_traits(static_cast<Cell>(i)).name;
    cell_members[static_cast<std::size_t>(i)] =
        py::object(m.attr("Cell").attr(name)).release().ptr();
  }
}

inline Cell as_cell(py::handle object) {
  for (int i = 0; i < kCells; ++i) {
    if (object.ptr() == cell_members[static_cast<std::size_t>(i)]) return static_cast<Cell>(i);
  }
  words::wrong_type("cell", "a Cell", object);
}

inline bool as_bool(const char* name, py::handle object) {
  if (object.ptr() == Py_True) return true;
  if (object.ptr() != Py_False) words::wrong_type(name, "a bool", object);
  return false;
}

inline int as_num_threads(py::handle object) {
  if (!PyLong_CheckExact(object.ptr())) words::wrong_type("num_threads", "an int", object);
  int overflow = 0;
  const long n = PyLong_AsLongAndOverflow(object.ptr(), &overflow);
  if (overflow != 0 || n < 0 || n > kMaxThreads) {
    words::wrong("num_threads", "be in 0.." + std::to_string(kMaxThreads) + ", got " +
                                    std::string(py::str(object)));
  }
  return static_cast<int>(n);
}

// An int that is at least so much.
inline index_t as_count(const char* name, py::handle object, index_t least, const char* wanted) {
  if (!PyLong_CheckExact(object.ptr())) words::wrong_type(name, wanted, object);
  int overflow = 0;
  const long long k = PyLong_AsLongLongAndOverflow(object.ptr(), &overflow);
  if (overflow != 0 || k < least) {
    const std::string bound = overflow > 0 ? "below 2**63" : "at least " + std::to_string(least);
    words::wrong(name, "be " + bound + ", got " + std::string(py::str(object)));
  }
  return k;
}

inline index_t as_truncate(py::handle object) {
  return object.is_none() ? 0 : as_count("truncate", object, 1, "an int or None");
}

// No limit is infinity; one that T cannot represent is its largest number.
template <class T>
T as_clip_step(py::handle object) {
  if (object.is_none()) return std::numeric_limits<T>::infinity();
  if (!PyFloat_CheckExact(object.ptr())) words::wrong_type("clip_step", "a float or None", object);
  const double limit = PyFloat_AS_DOUBLE(object.ptr());
  if (!(limit > 0)) words::wrong("clip_step", "be above 0, got " + std::string(py::str(object)));
  return static_cast<T>(std::min<double>(limit, std::numeric_limits<T>::max()));
}

inline const PackedObject& as_packed(py::handle object) {
  return as_object<PackedObject>("packed", "PackedWeights", object);
}

// The choices of a general cell, which are as many as it has activations.
inline CellChoices as_choices(py::handle object, Cell cell) {
  const CellTraits& traits = cell_traits(cell);
  if (!traits.general) {
    if (!object.is_none()) words::wrong("choices", std::string("be None for ") + traits.name);
    return {};
  }
  const auto& choices = as_object<ChoicesObject>("choices", "Choices", object);
  const int wanted = traits.shape.gates == 1 ? 1 : traits.shape.gates - 1;
  if (choices.activations() != wanted)
    words::wrong("choices", "name " + std::to_string(wanted) + " activations for " + traits.name +
                                ": 3 for an LSTM, 2 for a GRU and 1 for an RNN");
  return choices.get();
}

}  // namespace fastrnn::bindings
