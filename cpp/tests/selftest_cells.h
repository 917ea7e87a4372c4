// Every table, cell and float type on tiny shapes: forward against the oracle, backward against it.
#pragma once

#include <optional>
#include <string>

#include "fastrnn/dispatch.h"
#include "fastrnn/rnn/plan.h"
#include "fastrnn/rnn/table.h"
#include "tests/selftest_check.h"
#include "tests/selftest_oracle.h"
#include "tests/selftest_run.h"

namespace selftest {

using fastrnn::Split;

struct Choice {
  Split split;
  int threads;
  index_t chunk_steps;
};
inline constexpr Choice kChoices[] = {
    {Split::rows, 1, 0}, {Split::rows, 2, 1}, {Split::units, 2, 0}, {Split::units, 2, 1}};

inline std::string describe(const Problem& p, const Choice& choice) {
  const auto [T, N, I, H, P] = p.dims;
  std::string text = std::string(fastrnn::cell_traits(p.cell).name) + " " +
                     fastrnn::isa_name(fastrnn::active_isa()) + " T N I H";
  for (index_t n : {T, N, I, H}) text += " " + std::to_string(n);
  if (p.mode.ragged) text += " ragged";
  if (p.mode.reverse) text += " reverse";
  if (p.mode.bare) text += " bare";
  if (p.mode.projected) text += " projected";
  return text + (choice.split == Split::rows ? " rows/" : " units/") +
         std::to_string(choice.threads) + " chunk " + std::to_string(choice.chunk_steps);
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

inline double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

inline Cotangents random_cotangents(std::mt19937& rng, const Results& results) {
  const auto like = [&](const Vector& v) {
    return random_vector(rng, static_cast<index_t>(v.size()));
  };
  return {like(results.y), like(results.h_n), like(results.c_n)};
}

// Forward, plain and packed and taped, then backward.
template <class T>
typename Run<T>::Grads run_all(const Problem& p, const Results& want, const Cotangents& ct,
                               const Choice& choice) {
  const double tolerance = sizeof(T) == 4 ? 1e-5 : 1e-12;
  const std::string what = describe(p, choice) + (sizeof(T) == 4 ? " float" : " double");
  fastrnn::force_plan(choice.split, choice.chunk_steps);
  Run<T> plain(p), packed(p), taped(p);
  fastrnn::Tape<T> tape;
  plain.forward(choice.threads, nullptr);
  const fastrnn::PackedWeights<T> weights(p.cell, packed.weights());
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
  if (p.mode.projected) grads[W_IH].clear();  // not asked for
  return grads;
}

// Central differences of the oracle, or what stands for it, along one random unit direction per
// operand.
template <class Oracle>
void check_slopes(const Problem& p, const Cotangents& ct, const Run<double>::Grads& grads,
                  std::mt19937& rng, const Oracle& oracle_of, double eps) {
  const auto loss = [&](const Problem& moved) {
    const Results r = oracle_of(moved);
    return dot(r.y, ct.dy) + dot(r.h_n, ct.dh_n) + dot(r.c_n, ct.dc_n);
  };
  for (std::size_t k = 0; k < kOperands; ++k) {
    if (grads[k].empty()) continue;
    Vector direction = random_vector(rng, static_cast<index_t>(p.in[k].size()));
    const double norm = std::sqrt(dot(direction, direction));
    Problem moved = p;
    const auto loss_at = [&](double h) {
      for (std::size_t i = 0; i < direction.size(); ++i) {
        moved.in[k][i] = p.in[k][i] + h / norm * direction[i];
      }
      return loss(moved);
    };
    const double slope = (loss_at(eps) - loss_at(-eps)) / (2 * eps);
    const double got = dot(grads[k], direction) / norm;
    check(std::abs(got - slope) <= 1e-7 * std::max(1.0, std::abs(slope)),
          std::string("d") + kNames[k] + " " + describe(p, kChoices[0]) + ": " +
              std::to_string(got) + " along a direction of slope " + std::to_string(slope));
  }
}

inline void check_problem(Cell cell, Dims dims, Mode mode, std::mt19937& rng) {
  Problem p = random_problem(rng, cell, dims, mode);
  Results want = oracle(p);
  while (want.closest < 1e-3) {  // across the kink of relu a difference is no derivative
    p = random_problem(rng, cell, dims, mode);
    want = oracle(p);
  }
  const Cotangents ct = random_cotangents(rng, want);
  const auto first = run_all<double>(p, want, ct, kChoices[0]);
  check_slopes(p, ct, first, rng, oracle, 1e-5);
  const Choice& other = kChoices[1 + rng() % 3];
  const Choice& any = kChoices[rng() % 4];
  const auto again = run_all<double>(p, want, ct, other);
  const auto single = run_all<float>(p, want, ct, any);
  for (std::size_t k = 0; k < kOperands; ++k) {
    const std::string name = std::string("d") + kNames[k] + " ";
    check(close(again[k], first[k], 1e-12), name + describe(p, other));
    check(close(single[k], first[k], 5e-5), name + describe(p, any) + " float");
  }
}

inline void test_cells() {
  constexpr index_t sizes[] = {1, 7, 8, 9, 15, 16, 17, 33};
  constexpr Mode modes[] = {{false, false, false, false}, {true, false, false, false},
                            {false, true, true, false},   {true, true, false, false},
                            {true, true, true, true},     {false, false, false, true}};
  std::mt19937 rng(2024);
  const fastrnn::Isa before = fastrnn::active_isa();
  for (fastrnn::Isa isa : fastrnn::available_isas()) {
    fastrnn::set_isa(isa);
    const std::string name = fastrnn::isa_name(isa);
    check(fastrnn::kernels<float>().name == name && fastrnn::kernels<double>().name == name,
          "the tables in use were compiled for " + name);
    for (int cell = 0; cell < fastrnn::kCells; ++cell) {
      for (index_t H : sizes) {
        for (index_t N : {1, 2, 5}) {
          for (index_t T : {0, 1, 3}) {
            const Dims dims{T, N, sizes[rng() % 8], H, H};
            check_problem(static_cast<Cell>(cell), dims, modes[rng() % 6], rng);
          }
        }
      }
    }
  }
  fastrnn::force_plan(std::nullopt, 0);
  fastrnn::set_isa(before);
}

}  // namespace selftest
