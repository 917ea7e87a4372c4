// FASTRNN_THREAD_LOCAL: a variable of each thread that takes no memory when a thread first uses it.
#pragma once

#include <cstdlib>

// glibc makes room for the thread_local of a module when a thread first touches one, and ends the
// process where there is none left. A few bytes it has in reserve. musl makes room in advance, and
// would refuse to load such a module.
#ifdef __GLIBC__
#define FASTRNN_THREAD_LOCAL thread_local __attribute__((tls_model("initial-exec")))
#else
#define FASTRNN_THREAD_LOCAL thread_local
#endif
