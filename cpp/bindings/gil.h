// without_gil: runs the core with the GIL released, so that other Python threads run meanwhile.
#pragma once

#include <pybind11/pybind11.h>

#include <exception>
#include <new>
#include <utility>

#include "fastrnn/error.h"
#include "fastrnn/thread_local.h"

#ifdef __GLIBCXX__
#include <cxxabi.h>
#include <unistd.h>
#endif

namespace fastrnn::bindings {

namespace py = pybind11;

// The thread state that this thread's innermost without_gil will restore; the interrupt poll
// restores it for a moment.
inline constinit FASTRNN_THREAD_LOCAL PyThreadState* released = nullptr;

// At exit, Python before 3.14 ends a daemon thread that asks for the GIL by unwinding its stack.
// That would pass through functions that must not throw and abort the process, so such a thread
// is parked instead. Never call this from a destructor.
inline void take_gil(PyThreadState* state) {
#ifdef __GLIBCXX__
  try {
    PyEval_RestoreThread(state);
  } catch (abi::__forced_unwind&) {
    for (;;) pause();
  }
#else
  PyEval_RestoreThread(state);
#endif
}

// Runs work, which touches no Python object, without the GIL. Exceptions arrive with the GIL held.
template <class F>
void without_gil(F&& work) {
  PyThreadState* const outer = released;
  released = PyEval_SaveThread();
  std::exception_ptr fault;
  try {
    work();
  } catch (...) {
    fault = std::current_exception();
  }
  take_gil(std::exchange(released, outer));
  if (!fault) return;
  try {
    std::rethrow_exception(std::move(fault));
  } catch (const Interrupted&) {
    throw py::error_already_set();  // set by the signal handler that the poll ran
  } catch (const std::bad_alloc&) {
    PyErr_SetString(PyExc_MemoryError, "no memory for the workspace of this call");
    throw py::error_already_set();
  }
}

}  // namespace fastrnn::bindings
