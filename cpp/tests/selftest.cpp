// The self-test of the core, without Python: all tables on tiny shapes, and every kind of fault.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "fastrnn/dispatch.h"
#include "fastrnn/error.h"
#include "fastrnn/fp_mode.h"
#include "fastrnn/kernel_table.h"
#include "fastrnn/plan.h"
#include "fastrnn/scratch.h"
#include "fastrnn/thread_limit.h"
#include "fastrnn/threads.h"
#include "tests/selftest_memory.h"
#include "tests/selftest_oracle.h"
#include "tests/selftest_run.h"

namespace selftest {
namespace {

using namespace fastrnn;

long passed = 0, failed = 0;

void check(bool good, const std::string& what) {
  ++(good ? passed : failed);
  if (!good && failed <= 20) std::fprintf(stderr, "FAILED %s\n", what.c_str());
}

struct Choice {
  Split split;
  int threads;
  index_t chunk_steps;
};
constexpr Choice kChoices[] = {
    {Split::rows, 1, 0}, {Split::rows, 2, 1}, {Split::units, 2, 0}, {Split::units, 2, 1}};

std::string describe(const Problem& p, const Choice& choice) {
  const auto [T, N, I, H] = p.dims;
  std::string text = std::string(cell_traits(p.cell).name) + " " + isa_name(active_isa());
  for (index_t n : {T, N, I, H}) text += " " + std::to_string(n);
  text += choice.split == Split::rows ? " rows" : " units";
  for (bool flag : {p.mode.ragged, p.mode.reverse, p.mode.bare, p.mode.projected}) text += flag ? " 1" : " 0";
  return text + " threads " + std::to_string(choice.threads);
}

// |got - want| <= tolerance · max(1, largest |want|), and NaN nowhere.
template <class T, class U>
bool close(const std::vector<T>& got, const std::vector<U>& want, double tolerance) {
  if (got.size() != want.size()) return false;
  double largest = 1;
  for (U value : want) largest = std::max(largest, std::abs(static_cast<double>(value)));
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double error = static_cast<double>(got[i]) - static_cast<double>(want[i]);
    if (!(std::abs(error) <= tolerance * largest)) return false;
  }
  return true;
}

double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// Forward and backward of one problem for one float type and one way to split the work.
template <class T>
typename Run<T>::Grads run_all(const Problem& p, const Results& want, const Cotangents& ct,
                               const Choice& choice) {
  const double tolerance = sizeof(T) == 4 ? 1e-5 : 1e-12;
  const std::string what = describe(p, choice) + (sizeof(T) == 4 ? " float" : " double");
  force_plan(choice.split, choice.chunk_steps);
  Run<T> plain(p), packed(p), taped(p);
  Tape<T> tape;
  plain.forward(choice.threads, nullptr);
  const PackedWeights<T> weights(p.cell, packed.weights());
  packed.forward(choice.threads, nullptr, &weights);
  taped.forward(choice.threads, &tape);
  check(close(plain.y, want.y, tolerance), "y " + what);
  check(close(plain.h_n, want.h_n, tolerance), "h_n " + what);
  check(close(plain.c_n, want.c_n, tolerance), "c_n " + what);
  check(plain.y == packed.y && plain.h_n == packed.h_n && plain.c_n == packed.c_n,
        "packed weights give the same bits: " + what);
  check(plain.y == taped.y && plain.h_n == taped.h_n && plain.c_n == taped.c_n,
        "a tape gives the same bits: " + what);
  auto grads = taped.backward(choice.threads, tape, ct);
  if (p.mode.projected) grads[W_IH].assign(grads[W_IH].size(), 0);  // not asked for
  return grads;
}

// Central differences of the oracle along one random unit direction per operand.
void check_slopes(const Problem& p, const Cotangents& ct, const Run<double>::Grads& grads,
                  std::mt19937& rng) {
  const auto loss = [&](const Problem& at_point) {
    const Results r = oracle(at_point);
    return dot(r.y, ct.dy) + dot(r.h_n, ct.dh_n) + dot(r.c_n, ct.dc_n);
  };
  constexpr double eps = 1e-5;
  for (int k = 0; k < kOperands; ++k) {
    if (p.in[at(k)].empty() || (k == W_IH && p.mode.projected)) continue;
    Vector direction = random_vector(rng, static_cast<index_t>(p.in[at(k)].size()));
    const double norm = std::sqrt(dot(direction, direction));
    for (double& value : direction) value /= norm;
    Problem moved = p;
    const auto moved_by = [&](double h) {
      for (std::size_t i = 0; i < direction.size(); ++i) moved.in[at(k)][i] = p.in[at(k)][i] + h * direction[i];
      return loss(moved);
    };
    const double slope = (moved_by(eps) - moved_by(-eps)) / (2 * eps);
    const double got = dot(grads[at(k)], direction);
    check(std::abs(got - slope) <= 1e-7 * std::max(1.0, std::abs(slope)),
          std::string("d") + kNames[k] + " " + describe(p, kChoices[0]) + ": " + std::to_string(got) +
              " is not " + std::to_string(slope));
  }
}

void check_problem(Cell cell, Dims dims, Mode mode, int turn, std::mt19937& rng) {
  Problem p = random_problem(rng, cell, dims, mode);
  Results want = oracle(p);
  while (want.closest < 1e-3) {  // a difference across the kink of relu is no derivative
    p = random_problem(rng, cell, dims, mode);
    want = oracle(p);
  }
  Cotangents ct{random_vector(rng, dims.T * dims.N * dims.H), random_vector(rng, dims.N * dims.H),
                random_vector(rng, static_cast<index_t>(want.c_n.size()))};
  const auto first = run_all<double>(p, want, ct, kChoices[0]);
  check_slopes(p, ct, first, rng);
  const Choice& other = kChoices[1 + turn % 3];
  const auto second = run_all<double>(p, want, ct, other);
  const auto single = run_all<float>(p, want, ct, kChoices[turn % 4]);
  for (int k = 0; k < kOperands; ++k) {
    check(close(second[at(k)], first[at(k)], 1e-12), "d" + std::string(kNames[k]) + " " + describe(p, other));
    check(close(single[at(k)], first[at(k)], 5e-5), "d" + std::string(kNames[k]) + " " + describe(p, kChoices[turn % 4]) + " float");
  }
}

void test_cells() {
  constexpr index_t sizes[] = {1, 7, 8, 9, 15, 16, 17, 33};
  constexpr Mode modes[] = {{false, false, false, false}, {true, false, false, false},
                            {false, true, true, false},   {true, true, false, false},
                            {true, true, true, true},     {false, false, false, true}};
  std::mt19937 rng(20240607);
  int turn = 0;
  for (Isa isa : available_isas()) {
    set_isa(isa);
    check(std::string(kernels<float>().name) == isa_name(isa) &&
              std::string(kernels<double>().name) == isa_name(isa),
          std::string("the tables compiled for it are active: ") + isa_name(isa));
    for (int cell = 0; cell < kCells; ++cell) {
      for (std::size_t h = 0; h < 8; ++h) {
        for (index_t N : {1, 2, 5}) {
          for (index_t T : {0, 1, 3}) {
            ++turn;
            const index_t I = sizes[(h + static_cast<std::size_t>(turn)) % 8];
            check_problem(static_cast<Cell>(cell), {T, N, I, sizes[h]}, modes[turn % 6], turn, rng);
          }
        }
      }
    }
  }
  force_plan(std::nullopt, 0);
}

}  // namespace
}  // namespace selftest
