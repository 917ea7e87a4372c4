// Error, the core's only exception type of its own, and the checks that throw it.
#pragma once

#include <stdexcept>
#include <string>

namespace fastrnn {

// A broken rule about an argument; becomes ValueError in Python.
struct Error : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

// The interrupt poll asked to stop; the binding raises what Python has pending.
struct Interrupted {};

}  // namespace fastrnn

#define FASTRNN_CHECK(condition, message)              \
  do {                                                 \
    if (!(condition)) throw ::fastrnn::Error(message); \
  } while (false)

#ifdef NDEBUG
#define FASTRNN_DCHECK(condition) ((void)0)
#else
#define FASTRNN_DCHECK(condition) FASTRNN_CHECK(condition, "internal check failed: " #condition)
#endif
