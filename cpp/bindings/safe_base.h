// make_base_safe: the common base of pybind11's classes refuses to be instantiated.
#pragma once

#include <pybind11/pybind11.h>

namespace fastrnn::bindings {

namespace py = pybind11;

// As pybind11 has it, an instance of the base, or of a Python class of it alone, throws a C++
// exception through the interpreter, which ends the process; pickle's protocols 0 and 1, and so
// __reduce__, make one. Call it before the first class is bound: they inherit tp_new.
inline void make_base_safe() {
  auto* const base = reinterpret_cast<PyTypeObject*>(py::detail::get_internals().instance_base);
  base->tp_new = [](PyTypeObject* type, PyObject*, PyObject*) -> PyObject* {
    try {
      if (!py::detail::all_type_info(type).empty()) return py::detail::make_new_instance(type);
      PyErr_Format(PyExc_TypeError, "cannot create '%s' instances", type->tp_name);
    } catch (py::error_already_set& error) {
      error.restore();
    } catch (const std::exception& error) {
      PyErr_SetString(PyExc_MemoryError, error.what());
    }
    return nullptr;
  };
}

}  // namespace fastrnn::bindings
