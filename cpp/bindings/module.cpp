// The module _core: a table of contents.
#include <pybind11/native_enum.h>
#include <pybind11/pybind11.h>

#include "bindings/bindings.h"
#include "bindings/safe_base.h"
#include "fastrnn/types.h"

namespace py = pybind11;

namespace {

// Signals, threads and the chosen instruction set belong to the process, not to an interpreter.
bool in_subinterpreter() {
  if (PyInterpreterState_Get() == PyInterpreterState_Main()) return false;
  PyErr_SetString(PyExc_ImportError, "fastrnn._core cannot be imported in a subinterpreter");
  return true;
}

}  // namespace

PYBIND11_MODULE(core_of_main, m, py::mod_gil_not_used()) {
  if (in_subinterpreter()) throw py::error_already_set();
  fastrnn::bindings::make_base_safe();
  m.doc() = "The strict layer: exact dtypes, no conversions, no copies; see _core.pyi.";

  py::native_enum<fastrnn::Cell> cell(m, "Cell", "enum.Enum", "The recurrent cells.");
#define FASTRNN_VALUE(name, shape, general) cell.value(#name, fastrnn::Cell::name);
  FASTRNN_FOR_EACH_CELL(FASTRNN_VALUE)
#undef FASTRNN_VALUE
  cell.finalize();

  fastrnn::bindings::bind_runtime(m);
  fastrnn::bindings::bind_rnn(m);
  fastrnn::bindings::bind_step(m);
  fastrnn::bindings::bind_nn(m);
  fastrnn::bindings::bind_latent(m);
  fastrnn::bindings::bind_decoder(m);
  fastrnn::bindings::bind_optim(m);
  fastrnn::bindings::bind_word2vec(m);
}

// Python 3.11 comes here first in a subinterpreter, where pybind11's own entry would wait for ever.
extern "C" PYBIND11_EXPORT PyObject* PyInit__core() {
  return in_subinterpreter() ? nullptr : PyInit_core_of_main();
}
