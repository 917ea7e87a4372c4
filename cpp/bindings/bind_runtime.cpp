// Instruction sets, threads, build facts, and the poll by which Ctrl-C reaches a running kernel.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <atomic>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "fastrnn/cpu.h"
#include "fastrnn/dispatch.h"
#include "fastrnn/nn/table.h"
#include "fastrnn/rnn/plan.h"
#include "fastrnn/rnn/table.h"
#include "fastrnn/team/launch.h"

namespace fastrnn::bindings {
namespace {

// Signal handlers run on Python's main thread only; other threads need not take the GIL to learn
// that there is nothing for them.
std::atomic<unsigned long> main_thread{0};

bool signal_pending() {
  if (released == nullptr || PyThread_get_thread_ident() != main_thread) return false;
  PyThreadState* const state = released;
  take_gil(state);
  const bool stop = PyErr_CheckSignals() != 0;
  PyEval_SaveThread();
  return stop;
}

void bind_signals() {
  const py::object thread = py::module_::import("threading").attr("main_thread")();
  main_thread = thread.attr("ident").cast<unsigned long>();
  // Whichever thread forks is the child's main thread.
  py::module_::import("os").attr("register_at_fork")(
      py::arg("after_in_child") =
          py::cpp_function([] { main_thread = PyThread_get_thread_ident(); }));
  set_interrupt_poll(signal_pending);
}

std::vector<std::string> names(const std::vector<Isa>& isas) {
  std::vector<std::string> list;
  for (Isa isa : isas) list.emplace_back(isa_name(isa));
  return list;
}

// By which instructions products by the narrow weights of a table are made.
template <class T>
const char* dot_products(const KernelTable<T>& table) {
  const Dots dots = dots_for(table);
  if (dots == Dots::none) return "widened, without dot products";
  bool CpuFeatures::* const used = dots == Dots::tiles ? table.tiles : table.words;
  constexpr std::pair<bool CpuFeatures::*, const char*> kNames[] = {
      {&CpuFeatures::avx_vnni, "AVX-VNNI"},
      {&CpuFeatures::avx512_vnni, "AVX-512 VNNI"},
      {&CpuFeatures::avx512_bf16, "AVX-512 BF16"},
      {&CpuFeatures::amx_int8, "AMX"},
      {&CpuFeatures::amx_bf16, "AMX"},
      {&CpuFeatures::neon_dotprod, "DotProd"},
      {&CpuFeatures::neon_bf16, "BF16"},
  };
  for (const auto& [feature, name] : kNames)
    if (feature == used) return name;
  return "dot products";
}

py::dict build_info() {
  py::dict info;
  info["compiler"] = FASTRNN_COMPILER;
  info["flags"] = FASTRNN_FLAGS;
  info["threading"] = threads_backend();
  info["built isas"] = py::str(", ").attr("join")(names(built_isas()));
  info["int8"] = dot_products(kernels<float, std::int8_t>());
  info["bfloat16"] = dot_products(kernels<float, BFloat16>());
  return info;
}

// One name, unless a table of another instruction set got in among those of this one.
template <class T>
std::string compiled_isa() {
  const std::string recurrent = kernels<T>().name, others = nn_kernels<T>().name;
  return recurrent == others ? recurrent : recurrent + " and " + others;
}

std::string compiled_isa_of(const std::string& dtype) {
  if (dtype == "float32") return compiled_isa<float>();
  if (dtype == "float64") return compiled_isa<double>();
  throw Error("dtype must be 'float32' or 'float64', got '" + dtype + "'");
}

constexpr const char* kSplits[] = {"rows", "units", "calls"};
constexpr const char* kDots[] = {"none", "words", "tiles"};

void force(const std::optional<std::string>& split, index_t chunk_steps,
           const std::optional<std::string>& dots) {
  FASTRNN_CHECK(chunk_steps >= 0,
                "chunk_steps must be at least 0, got " + std::to_string(chunk_steps));
  std::optional<Split> forced;
  for (int i = 0; split && i < 3; ++i)
    if (*split == kSplits[i]) forced = static_cast<Split>(i);
  FASTRNN_CHECK(!split || forced,
                "split must be 'rows', 'units', 'calls' or None, got '" + *split + "'");
  std::optional<Dots> most;
  for (int i = 0; dots && i < 3; ++i)
    if (*dots == kDots[i]) most = static_cast<Dots>(i);
  FASTRNN_CHECK(!dots || most, "dots must be 'none', 'words' or 'tiles', got '" + *dots + "'");
  force_plan(forced, chunk_steps, most);
}

}  // namespace

void bind_runtime(py::module_& m) {
  bind_signals();
  m.attr("__version__") = FASTRNN_VERSION;
  active_isa();  // so that a wrong FASTRNN_ISA fails the import

  m.def("isa", [] { return isa_name(active_isa()); }, "Name of the instruction set in use.");
  m.def(
      "set_isa", [](const std::string& name) { set_isa(isa_from_name(name)); }, py::arg("name"),
      "Use this instruction set from now on, for float32 and float64.");
  m.def(
      "available_isas", [] { return names(available_isas()); },
      "Instruction sets of this build that this CPU runs, weakest first.");
  m.def("compiled_isa", compiled_isa_of, py::arg("dtype"),
        "The name compiled into the object files of the active tables of this dtype.");
  m.def("num_threads", num_threads, "How many threads a call may use at most.");
  m.def("set_num_threads", set_num_threads, py::arg("n"),
        "Set how many threads a call may use at most, 1 to 1024.");
  m.def(
      "build_info", build_info,
      "Compiler, flags, threading backend, instruction sets, and how products by int8 and bfloat16 "
      "weights are made here.");
  m.def(
      "cpu_caches",
      [] {
        const CpuCaches& caches = cpu_caches();
        py::dict sizes;
        sizes["l1"] = caches.l1;
        sizes["l2"] = caches.l2;
        sizes["l3"] = caches.l3;
        return sizes;
      },
      "Data cache sizes in bytes: l1 and l2 of one core, l3 shared.");
  m.def("force_plan", force, py::arg("split") = py::none(), py::arg("chunk_steps") = 0,
        py::arg("dots") = py::none(),
        "Test hook, this thread only: split 'rows', 'units' or 'calls', steps per chunk; None, 0: "
        "automatic; what products by narrow weights use at most, 'none', 'words' or 'tiles'.");
}

}  // namespace fastrnn::bindings
