// The active kernel tables: one atomic pointer, so that all of them switch together.
#include "fastrnn/dispatch.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <type_traits>

#include "fastrnn/cpu.h"
#include "fastrnn/error.h"
#include "fastrnn/nn/narrow_linear.h"
#include "fastrnn/nn/table.h"
#include "fastrnn/rnn/table.h"
#include "fastrnn/word2vec/args.h"

namespace fastrnn {
namespace {

struct Tables {
  Isa isa;
  const NnTable<float>* nn_f32;
  const NnTable<double>* nn_f64;
  const Word2VecTable* word2vec;
  const NarrowLinear *linear_int8, *linear_bfloat16;
#define FASTRNN_MEMBER(row, T, W) const KernelTable<T>* row;
  FASTRNN_FOR_EACH_ROW(FASTRNN_MEMBER)
#undef FASTRNN_MEMBER
};

// The instruction sets in this build, weakest first.
#define FASTRNN_ADDRESS(row, T, W, target) &target::table_##row,
#define FASTRNN_TABLES(target)      \
  {Isa::target,                     \
   &target::nn_table_f32,           \
   &target::nn_table_f64,           \
   &target::word2vec_table,         \
   &target::narrow_linear_int8,     \
   &target::narrow_linear_bfloat16, \
   FASTRNN_FOR_EACH_ROW(FASTRNN_ADDRESS, target)},
constexpr Tables kBuilt[] = {FASTRNN_FOR_EACH_BUILT_ISA(FASTRNN_TABLES)};
#undef FASTRNN_TABLES
#undef FASTRNN_ADDRESS

std::atomic<const Tables*> active{nullptr};

bool runs_here(Isa isa) {
  const CpuFeatures& features = cpu_features();
  switch (isa) {
#define FASTRNN_RUNS(name) \
  case Isa::name:          \
    return features.name;
    FASTRNN_FOR_EACH_ISA(FASTRNN_RUNS)
#undef FASTRNN_RUNS
  }
  return false;
}

const Tables* find(Isa isa) {
  for (const Tables& tables : kBuilt) {
    if (tables.isa == isa && runs_here(isa)) return &tables;
  }
  return nullptr;
}

std::string available_names() {
  std::string names;
  for (Isa isa : available_isas())
    names += (names.empty() ? "" : ", ") + std::string(isa_name(isa));
  return names;
}

const Tables* first_choice() {
  const char* wanted = std::getenv("FASTRNN_ISA");
  if (wanted == nullptr || *wanted == '\0') return find(available_isas().back());
  try {
    return find(isa_from_name(wanted));
  } catch (const Error& error) {
    throw Error("FASTRNN_ISA: " + std::string(error.what()));
  }
}

const Tables& tables() {
  const Tables* now = active.load(std::memory_order_acquire);
  if (now != nullptr) return *now;
  const Tables* choice = first_choice();
  // Another thread may have been first, or have called set_isa meanwhile: its word stands.
  return active.compare_exchange_strong(now, choice) ? *choice : *now;
}

}  // namespace

template <class T, class W>
const KernelTable<T>& kernels() {
  const Tables& now = tables();
#define FASTRNN_FIND(row, Calls, Weights) \
  if constexpr (std::is_same_v<T, Calls> && std::is_same_v<W, Weights>) return *now.row;
  FASTRNN_FOR_EACH_ROW(FASTRNN_FIND)
#undef FASTRNN_FIND
}
#define FASTRNN_INSTANTIATE(row, T, W) template const KernelTable<T>& kernels<T, W>();
FASTRNN_FOR_EACH_ROW(FASTRNN_INSTANTIATE)
#undef FASTRNN_INSTANTIATE

template <class T>
const NnTable<T>& nn_kernels() {
  if constexpr (std::is_same_v<T, float>) {
    return *tables().nn_f32;
  } else {
    return *tables().nn_f64;
  }
}
template const NnTable<float>& nn_kernels<float>();
template const NnTable<double>& nn_kernels<double>();

const Word2VecTable& word2vec_kernels() { return *tables().word2vec; }

const NarrowLinear& narrow_linear(Precision precision) {
  return *(precision == Precision::int8 ? tables().linear_int8 : tables().linear_bfloat16);
}

Isa active_isa() { return tables().isa; }

void set_isa(Isa isa) {
  const Tables* choice = find(isa);
  FASTRNN_CHECK(choice != nullptr, std::string("instruction set '") + isa_name(isa) +
                                       "' is not available here; available: " + available_names());
  active = choice;
}

std::vector<Isa> built_isas() {
  std::vector<Isa> isas;
  for (const Tables& tables : kBuilt) isas.push_back(tables.isa);
  return isas;
}

std::vector<Isa> available_isas() {
  std::vector<Isa> isas = built_isas();
  isas.erase(std::remove_if(isas.begin(), isas.end(), [](Isa isa) { return !runs_here(isa); }),
             isas.end());
  return isas;
}

const char* isa_name(Isa isa) {
#define FASTRNN_NAME(name) #name,
  constexpr const char* names[] = {FASTRNN_FOR_EACH_ISA(FASTRNN_NAME)};
#undef FASTRNN_NAME
  return names[static_cast<int>(isa)];
}

Isa isa_from_name(const std::string& name) {
  for (Isa isa : available_isas()) {
    if (name == isa_name(isa)) return isa;
  }
  throw Error("instruction set '" + name +
              "' is not available here; available: " + available_names());
}

}  // namespace fastrnn
