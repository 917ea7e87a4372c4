// Functions of many arguments: each, by place or by name, goes to the member of a struct that has
// its name. pybind11's way takes a third longer for a layer of 8 units.
#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>
#include <string>

namespace fastrnn::bindings {

namespace py = pybind11;

// Calls f, which returns an object, for Python: what it throws becomes Python's exception.
template <class F>
PyObject* guarded(F&& f) noexcept {
  try {
    return f().release().ptr();
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (...) {
    py::detail::try_translate_exceptions();
  }
  return nullptr;
}

// One argument: its name, its place in the struct, and what stands for it where it is left out.
template <class Arguments>
struct Parameter {
  enum Default { required, none, no, zero };

  const char* name;
  py::handle Arguments::* member;
  Default absent = required;

  py::handle fallback() const {
    static const py::handle nothing = py::int_(0).release();
    return absent == none ? Py_None : absent == no ? Py_False : nothing;
  }
  const char* fallback_text() const {
    constexpr const char* texts[] = {"", "=None", "=False", "=0"};
    return texts[absent];
  }
};

// `Call` is such a function: its name, words and parameters, a type Arguments, and
// run(Arguments), which returns a py::object.
template <class Call>
struct Function {
  using Arguments = typename Call::Arguments;

  static void define(py::module_& m) {
    static const std::string text = signature() + "\n--\n\n" + Call::words;
    static PyMethodDef method{Call::name,
                              reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(call)),
                              METH_FASTCALL | METH_KEYWORDS, text.c_str()};
    m.attr(Call::name) = py::reinterpret_steal<py::object>(
        PyCFunction_NewEx(&method, m.ptr(), py::object(m.attr("__name__")).ptr()));
  }

  // Two calls as one, each by the tuple of its arguments.
  static PyObject* call_both(PyObject*, PyObject* const* values, Py_ssize_t count) noexcept {
    return guarded([&] {
      if (count != 2 || !PyTuple_Check(values[0]) || !PyTuple_Check(values[1]))
        wrong("of two takes two tuples of arguments");
      return Call::run_both(read_tuple(values[0]), read_tuple(values[1]));
    });
  }

 private:
  static Arguments read_tuple(PyObject* tuple) {
    const auto count = static_cast<std::size_t>(PyTuple_GET_SIZE(tuple));
    return read(reinterpret_cast<PyTupleObject*>(tuple)->ob_item, count, nullptr);
  }

  static PyObject* call(PyObject*, PyObject* const* values, Py_ssize_t count,
                        PyObject* names) noexcept {
    return guarded([&] { return Call::run(read(values, static_cast<std::size_t>(count), names)); });
  }

  static Arguments read(PyObject* const* values, std::size_t count, PyObject* names) {
    constexpr std::size_t most = std::size(Call::parameters);
    if (count > most)
      wrong("takes at most " + std::to_string(most) + " arguments, got " + std::to_string(count));
    Arguments found;
    for (std::size_t i = 0; i < count; ++i) found.*(Call::parameters[i].member) = values[i];
    const Py_ssize_t named = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
    for (Py_ssize_t k = 0; k < named; ++k) {
      const py::handle name = PyTuple_GET_ITEM(names, k);
      py::handle& place = found.*(parameter(name).member);
      if (place) wrong("got argument '" + std::string(py::str(name)) + "' twice");
      place = values[count + static_cast<std::size_t>(k)];
    }
    for (std::size_t i = count; i < most; ++i) {
      const auto& [name, member, absent] = Call::parameters[i];
      if (found.*member) continue;
      if (absent == Parameter<Arguments>::required)
        wrong("needs the argument '" + std::string(name) + "'");
      found.*member = Call::parameters[i].fallback();
    }
    return found;
  }

  static const Parameter<Arguments>& parameter(py::handle name) {
    for (const auto& parameter : Call::parameters) {
      if (PyUnicode_CompareWithASCIIString(name.ptr(), parameter.name) == 0) return parameter;
    }
    wrong("has no argument '" + std::string(py::str(name)) + "'");
  }

  [[noreturn, gnu::cold]] static void wrong(const std::string& what) {
    throw py::type_error(Call::name + (" " + what));
  }

  static std::string signature() {
    std::string text = Call::name;
    for (const auto& parameter : Call::parameters) {
      text += &parameter == Call::parameters ? "(" : ", ";
      text += parameter.name;
      text += parameter.fallback_text();
    }
    return text + ")";
  }
};

}  // namespace fastrnn::bindings
