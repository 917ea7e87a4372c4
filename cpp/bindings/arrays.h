// as_input, as_output: a Python object becomes a checked View, here and nowhere else, never copied.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <type_traits>

#include "fastrnn/view.h"

namespace fastrnn::bindings {

namespace py = pybind11;

enum class Strides {
  rows,        // the last axis has unit stride, the others any; outputs do not overlap themselves
  free,        // weights: any on every axis
  contiguous,  // C order
};

// The rules for one array argument, without its types. The core checks the lengths of axes.
struct Rule {
  const char* name;
  index_t itemsize;
  const char* const* axes;  // symbols
  int rank;
  Strides strides;
  bool output;
};

namespace words {  // reached by mistakes only

inline std::string tuple(const py::ssize_t* values, int count) {
  std::string text = "(";
  for (int i = 0; i < count; ++i) text += (i > 0 ? ", " : "") + std::to_string(values[i]);
  return text + (count == 1 ? ",)" : ")");
}

inline std::string type_of(py::handle object) {
  return py::str(py::type::handle_of(object).attr("__name__"));
}

[[noreturn, gnu::cold]] inline void wrong_type(const char* name, const char* want, py::handle got) {
  throw py::type_error(std::string(name) + " must be " + want + ", got " + type_of(got));
}

[[noreturn, gnu::cold]] inline void wrong_dtype(const char* name, const char* want,
                                                const py::array& got) {
  throw py::type_error(std::string(name) + " must have dtype " + want +
                       " in native byte order, got " + std::string(py::str(got.dtype())));
}

[[noreturn, gnu::cold]] inline void wrong(const char* name, const std::string& rule) {
  throw py::value_error(std::string(name) + " must " + rule);
}

[[noreturn, gnu::cold]] inline void wrong_rank(const Rule& rule, const py::array& got) {
  std::string symbols = "(";
  for (int i = 0; i < rule.rank; ++i) symbols += (i > 0 ? ", " : "") + std::string(rule.axes[i]);
  wrong(rule.name, "have shape " + symbols + (rule.rank == 1 ? ",)" : ")") + ", got " +
                       tuple(got.shape(), static_cast<int>(got.ndim())));
}

[[noreturn, gnu::cold]] inline void no_memory(const char* name, const py::ssize_t* shape, int rank,
                                              const char* dtype) {
  PyErr_Format(PyExc_MemoryError, "%s of shape %s and dtype %s does not fit", name,
               tuple(shape, rank).c_str(), dtype);
  throw py::error_already_set();
}

}  // namespace words

inline void must_be_none(const char* name, py::handle object, const std::string& when) {
  if (!object.is_none()) words::wrong(name, "be None " + when);
}

inline std::string as_text(const char* name, py::handle object) {
  if (!PyUnicode_Check(object.ptr())) words::wrong_type(name, "a str", object);
  py::ssize_t size = 0;
  const char* const text = PyUnicode_AsUTF8AndSize(object.ptr(), &size);
  if (text != nullptr) return {text, static_cast<std::size_t>(size)};
  if (PyErr_ExceptionMatches(PyExc_UnicodeError) == 0) throw py::error_already_set();
  PyErr_Clear();
  words::wrong(name, "hold no lone surrogates");
}

// A plain numpy.ndarray, no subclass: a masked array's mask would be lost.
inline py::array as_array(const char* name, py::handle object) {
  if (Py_TYPE(object.ptr()) != py::detail::npy_api::get().PyArray_Type_) {
    words::wrong_type(name, "a numpy.ndarray", object);
  }
  return py::reinterpret_borrow<py::array>(object);
}

template <class T>
bool has_dtype(const py::array& array) {
  const py::dtype dtype = array.dtype();
  const char order = dtype.byteorder();
  if (order != '=' && order != '|') return false;  // NumPy spells the native order '='
  if constexpr (std::is_same_v<T, index_t>) return dtype.kind() == 'i' && dtype.itemsize() == 8;
  return dtype.num() == py::dtype::num_of<T>();
}

template <class T>
constexpr const char* dtype_name() {
  if constexpr (std::is_same_v<T, index_t>) return "int64";
  if constexpr (std::is_same_v<T, std::int32_t>) return "int32";
  if constexpr (std::is_same_v<T, std::int8_t>) return "int8";
  return std::is_same_v<T, float> ? "float32" : "float64";
}

// The bytes that the arrays of one call span. An output may share none with any other array.
class Extents {
 public:
  struct Extent {
    const char* name;
    std::uintptr_t first, last;
  };

  void add(const Extent& extent) { extents_[count_++] = extent; }
  void add_output(const Extent& output) {
    for (int i = 0; i < count_; ++i) {
      if (output.first <= extents_[i].last && extents_[i].first <= output.last) {
        words::wrong(output.name, std::string("not share memory with ") + extents_[i].name);
      }
    }
    add(output);
  }
  void drop(const char* name) {
    for (int i = count_ - 1; i >= 0; --i) {
      if (std::strcmp(extents_[i].name, name) == 0) extents_[i] = extents_[--count_];
    }
  }

 private:
  Extent extents_[64];  // no call has as many arrays
  int count_ = 0;
};

// Fills in what a View needs, in elements, after all checks but that of the dtype.
template <int Rank>
struct Layout {
  char* data;
  index_t shape[Rank], stride[Rank];
};

// The distance in bytes from the first to the last element of an axis; strides may be absurd.
inline index_t span_of(const char* name, index_t size, index_t stride) {
  index_t span;
  if (__builtin_mul_overflow(size - 1, stride, &span) || std::abs(span) > PTRDIFF_MAX / 8) {
    words::wrong(name, "have strides that stay inside of the address space");
  }
  return span;
}

// Rows to be written must lie apart: taken in order of stride, each axis steps over all before it.
inline void check_apart(const char* name, const index_t* shape, const index_t* stride, int rank) {
  index_t covered = 1;
  bool done[8] = {};
  for (int pass = 0; pass < rank; ++pass) {
    int next = -1;
    for (int i = 0; i < rank; ++i) {
      if (!done[i] && (next < 0 || std::abs(stride[i]) < std::abs(stride[next]))) next = i;
    }
    done[next] = true;
    if (shape[next] == 1) continue;
    if (std::abs(stride[next]) < covered) words::wrong(name, "not overlap itself");
    covered += std::abs(stride[next]) * (shape[next] - 1);
  }
}

inline void check_strides(const Rule& rule, const py::array& array, index_t* stride) {
  const py::ssize_t* shape = array.shape();
  index_t natural = rule.itemsize;
  for (int i = rule.rank - 1; i >= 0; --i) {
    stride[i] = array.strides()[i];
    const bool unit = rule.strides == Strides::contiguous ||
                      (rule.strides == Strides::rows && i == rule.rank - 1);
    if (shape[i] == 1) {
      stride[i] = natural;  // never taken, so any value is as good
    } else if (unit && stride[i] != natural) {
      words::wrong(rule.name, rule.strides == Strides::contiguous
                                  ? "be C-contiguous"
                                  : "have unit stride along its last axis, got strides " +
                                        words::tuple(array.strides(), rule.rank) + " in bytes");
    } else if (stride[i] % rule.itemsize != 0) {
      words::wrong(rule.name, "be aligned to its elements");
    }
    if (rule.strides == Strides::contiguous) natural *= shape[i];
  }
}

template <int Rank>
Layout<Rank> checked_layout(const Rule& rule, const py::array& array, Extents& extents) {
  Layout<Rank> layout;
  if (array.ndim() != Rank) words::wrong_rank(rule, array);
  bool empty = false;
  for (int i = 0; i < Rank; ++i) {
    layout.shape[i] = array.shape()[i];
    empty |= layout.shape[i] == 0;
  }
  if (rule.output && !array.writeable()) words::wrong(rule.name, "be writeable");
  if (empty) {  // nothing is read or written; a View that is present has a pointer
    alignas(64) static char nothing[64];
    layout.data = nothing;
    for (index_t& stride : layout.stride) stride = 1;
    return layout;
  }
  layout.data = static_cast<char*>(const_cast<void*>(array.data()));
  auto first = reinterpret_cast<std::uintptr_t>(layout.data);
  if (first % static_cast<std::uintptr_t>(rule.itemsize) != 0) {
    words::wrong(rule.name, "be aligned to its elements");
  }
  check_strides(rule, array, layout.stride);
  std::uintptr_t last = first + static_cast<std::uintptr_t>(rule.itemsize) - 1;
  for (int i = 0; i < Rank; ++i) {
    const index_t span = span_of(rule.name, layout.shape[i], layout.stride[i]);
    (span < 0 ? first : last) += static_cast<std::uintptr_t>(span);
    layout.stride[i] /= rule.itemsize;
  }
  if (rule.output) check_apart(rule.name, layout.shape, layout.stride, Rank);
  const Extents::Extent extent{rule.name, first, last};
  rule.output ? extents.add_output(extent) : extents.add(extent);
  return layout;
}

template <class T, int Rank>
View<T, Rank> checked_view(const char* name, py::handle object, const char* const (&axes)[Rank],
                           Strides strides, bool output, Extents& extents) {
  const py::array array = as_array(name, object);
  using Element = std::remove_const_t<T>;
  if (!has_dtype<Element>(array)) words::wrong_dtype(name, dtype_name<Element>(), array);
  const Rule rule{name, sizeof(T), axes, Rank, strides, output};
  const Layout<Rank> layout = checked_layout<Rank>(rule, array, extents);
  View<T, Rank> view;
  view.data = reinterpret_cast<T*>(layout.data);
  for (int i = 0; i < Rank; ++i) {
    view.shape[i] = layout.shape[i];
    view.stride[i] = layout.stride[i];
  }
  return view;
}

template <class T, int Rank>
View<const T, Rank> as_input(const char* name, py::handle object, const char* const (&axes)[Rank],
                             Extents& extents, Strides strides = Strides::rows) {
  return checked_view<const T, Rank>(name, object, axes, strides, false, extents);
}

template <class T, int Rank>
View<const T, Rank> as_optional_input(const char* name, py::handle object,
                                      const char* const (&axes)[Rank], Extents& extents,
                                      Strides strides = Strides::rows) {
  if (object.is_none()) return {};
  return as_input<T>(name, object, axes, extents, strides);
}

// Call it after the as_input of all inputs: overlap is looked for in what came before.
template <class T, int Rank>
View<T, Rank> as_output(const char* name, py::handle object, const char* const (&axes)[Rank],
                        Extents& extents, Strides strides = Strides::rows) {
  return checked_view<T, Rank>(name, object, axes, strides, true, extents);
}

template <class T, int Rank>
View<T, Rank> as_optional_output(const char* name, py::handle object,
                                 const char* const (&axes)[Rank], Extents& extents,
                                 Strides strides = Strides::contiguous) {
  if (object.is_none()) return {};
  return as_output<T>(name, object, axes, extents, strides);
}

[[gnu::noinline]] inline py::object fresh(const char* name, int type, const char* type_name,
                                          const index_t* shape, int rank) {
  const auto& numpy = py::detail::npy_api::get();
  py::ssize_t axes[8];
  for (int i = 0; i < rank; ++i) axes[i] = static_cast<py::ssize_t>(shape[i]);
  PyObject* const array =
      numpy.PyArray_NewFromDescr_(numpy.PyArray_Type_, numpy.PyArray_DescrFromType_(type), rank,
                                  axes, nullptr, nullptr, 0, nullptr);
  if (array == nullptr) words::no_memory(name, axes, rank, type_name);
  return py::reinterpret_steal<py::object>(array);
}

// What stands in the place of an output: a fresh array where a caller has True there.
template <class T, int Rank>
py::object fresh_or_given(const char* name, py::handle place, const index_t (&shape)[Rank]) {
  if (place.ptr() != Py_True) return py::reinterpret_borrow<py::object>(place);
  return fresh(name, py::dtype::num_of<T>(), dtype_name<T>(), shape, Rank);
}

// An array of any rank as one row of elements.
template <class T>
View<T, 1> as_flat(const char* name, py::handle object) {
  const py::array array = as_array(name, object);
  if (!has_dtype<std::remove_const_t<T>>(array))
    words::wrong_dtype(name, dtype_name<std::remove_const_t<T>>(), array);
  constexpr int flags =
      int{py::array::c_style} | int{py::detail::npy_api::NPY_ARRAY_ALIGNED_};  // of two enums
  if ((array.flags() & flags) != flags) words::wrong(name, "be C-contiguous and aligned");
  if (!std::is_const_v<T> && !array.writeable()) words::wrong(name, "be writeable");
  return {static_cast<T*>(const_cast<void*>(array.data())), {array.size()}, {1}};
}

}  // namespace fastrnn::bindings
