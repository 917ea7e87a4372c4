// Every rule of the updates, and the norm, on tails and blocks: against scalar loops in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "fastrnn/dispatch.h"
#include "fastrnn/nn/optim.h"
#include "fastrnn/rnn/plan.h"
#include "tests/selftest_cells.h"
#include "tests/selftest_check.h"
#include "tests/selftest_oracle.h"

namespace selftest {

using fastrnn::UpdateNumbers;
using fastrnn::UpdateRule;

// One element: p and what is kept beside it, after a step against g.
inline void scalar_step(UpdateRule rule, const UpdateNumbers& n, double g, double& p, double* k) {
  g += n.decay * p;
  const auto mean = [](double beta, double old, double now) {
    return beta * old + (1 - beta) * now;
  };
  const std::string name = fastrnn::rule_name(rule);
  const bool momentum = name.ends_with("_momentum"), nesterov = name == "sgd_nesterov";
  if (name.starts_with("sgd")) {
    if (!momentum && !nesterov) return void(p -= n.lr * g);
    k[0] = n.beta1 * k[0] + g;
    p -= n.lr * (nesterov ? g + n.beta1 * k[0] : k[0]);
  } else if (name == "adam") {
    k[0] = mean(n.beta1, k[0], g);
    k[1] = mean(n.beta2, k[1], g * g);
    p = n.keep * p - n.lr * k[0] / (std::sqrt(k[1]) * n.root + n.eps);
  } else if (name == "adagrad") {
    k[0] += g * g;
    p -= n.lr * g / (std::sqrt(k[0]) + n.eps);
  } else {
    k[0] = mean(n.beta2, k[0], g * g);
    double variance = k[0];
    if (name.find("centered") != std::string::npos) {
      k[1] = mean(n.beta2, k[1], g);
      variance = std::max(variance - k[1] * k[1], 0.0);
    }
    double step = g / (std::sqrt(variance) + n.eps);
    double& buffer = k[fastrnn::rule_kept(rule) - 1];
    if (momentum) step = buffer = n.beta1 * buffer + step;
    p -= n.lr * step;
  }
}

template <class T>
std::vector<T> rounded(const Vector& values) {
  return {values.begin(), values.end()};
}

template <class T, template <class> class Array>
std::vector<Array<T>>& list_of(fastrnn::Arrays<Array>& arrays) {
  if constexpr (std::is_same_v<T, float>) {
    return arrays.f32;
  } else {
    return arrays.f64;
  }
}

template <class T>
void check_update(UpdateRule rule, index_t size, int threads, std::mt19937& rng) {
  const double tolerance = sizeof(T) == 4 ? 1e-5 : 1e-13;
  const UpdateNumbers numbers{0.1, 0.95, size % 2 == 0 ? 0.0 : 0.3, 0.7, 0.9, 1e-3, 1.2};
  Vector g = random_vector(rng, size), arrays[4];
  for (Vector& array : arrays) array = random_vector(rng, size);
  // What a rule takes the root of is well above zero, also less the square of a mean below 1.
  for (double& square : arrays[rule == UpdateRule::adam ? 2 : 1]) square = 1 + std::abs(square);
  const std::vector<T> grad = rounded<T>(g);
  std::vector<T> got[4];
  for (std::size_t k = 0; k < 4; ++k) got[k] = rounded<T>(arrays[k]);

  fastrnn::Arrays<fastrnn::Parameter> parameters;
  list_of<T>(parameters)
      .push_back({got[0].data(), grad.data(), {got[1].data(), got[2].data(), got[3].data()}, size});
  fastrnn::optim_update(rule, numbers, parameters, {}, threads);
  for (std::size_t i = 0; i < g.size(); ++i) {
    double kept[3] = {arrays[1][i], arrays[2][i], arrays[3][i]};
    scalar_step(rule, numbers, g[i], arrays[0][i], kept);
    for (std::size_t k = 0; k < 3; ++k) arrays[k + 1][i] = kept[k];
  }
  for (std::size_t k = 0; k < 4; ++k) {
    check(close(got[k], arrays[k], tolerance),
          std::string(fastrnn::rule_name(rule)) + " " + fastrnn::isa_name(fastrnn::active_isa()) +
              " array " + std::to_string(k) + " of " + std::to_string(size) + ", threads " +
              std::to_string(threads));
  }
}

// A table by its rows 1, 3, 5 …, beside the same as a whole array; the lazy one keeps its other
// rows.
template <class T>
void check_table(UpdateRule rule, index_t height, index_t width, bool lazy, int threads,
                 std::mt19937& rng) {
  const UpdateNumbers numbers{0.1, 0.95, 0.3, 0.7, 0.9, 1e-3, 1.2};
  const index_t size = height * width, count = height / 2;
  std::vector<T> whole[4], got[4], grad(static_cast<std::size_t>(size)), values;
  for (int k = 0; k < 4; ++k) {
    whole[k] = rounded<T>(random_vector(rng, size));
    for (T& value : whole[k]) value = 2 + value;
    got[k] = whole[k];
  }
  const std::vector<T> drawn = rounded<T>(random_vector(rng, size));
  std::vector<index_t> rows;
  for (index_t row = 1; row < height; row += 2) {
    rows.push_back(row);
    for (index_t i = row * width; i < (row + 1) * width; ++i) {
      grad[std::size_t(i)] = drawn[std::size_t(i)];
      values.push_back(drawn[std::size_t(i)]);
    }
  }
  const auto of = [&](std::vector<T>* arrays, const std::vector<T>& gradient) {
    return fastrnn::Parameter<T>{arrays[0].data(),
                                 gradient.data(),
                                 {arrays[1].data(), arrays[2].data(), arrays[3].data()},
                                 size};
  };
  fastrnn::Arrays<fastrnn::Parameter> parameters;
  list_of<T>(parameters).push_back(of(whole, grad));
  fastrnn::Arrays<fastrnn::Table> tables;
  fastrnn::Table<T> table{of(got, values), rows.data(), count, width, lazy};
  if (lazy) table.size = count * width;
  list_of<T>(tables).push_back(table);
  const auto before = got[0];
  fastrnn::optim_update(rule, numbers, parameters, {}, threads);
  fastrnn::optim_update(rule, numbers, {}, tables, threads);
  for (int k = 0; k < 4; ++k)
    for (index_t i = 0; lazy && i < size; ++i)
      if (i / width % 2 == 0)
        whole[k][std::size_t(i)] = k == 0 ? before[std::size_t(i)] : got[k][std::size_t(i)];
  for (int k = 0; k < 4; ++k)
    check(got[k] == whole[k], std::string(fastrnn::rule_name(rule)) + " by rows, array " +
                                  std::to_string(k) + " of " + std::to_string(size));
}

template <class T>
void check_rows(index_t size, int threads, std::mt19937& rng) {
  const Vector want = random_vector(rng, size);
  std::vector<T> got = rounded<T>(want);
  const std::string what = " of " + std::to_string(size);
  fastrnn::Arrays<fastrnn::Input> inputs;
  list_of<T>(inputs).push_back({got.data(), size});
  double squares = 0;
  for (double value : want) squares += value * value;
  check(std::abs(fastrnn::sum_of_squares(inputs, threads) - squares) <= 1e-12 * squares,
        "sum of squares" + what);
  fastrnn::Arrays<fastrnn::Row> rows;
  list_of<T>(rows).push_back({got.data(), size});
  fastrnn::scale(rows, 0.5, threads);
  fastrnn::clamp(rows, 0.125, threads);
  bool right = true;
  for (std::size_t i = 0; i < want.size(); ++i)
    right = right && got[i] == static_cast<T>(std::clamp(0.5 * want[i], -0.125, 0.125));
  check(right, "scaled and clamped" + what);
}

inline void test_optim() {
  std::mt19937 rng(7);
  const fastrnn::Isa before = fastrnn::active_isa();
  fastrnn::force_plan(fastrnn::Split::rows, 0);  // all threads, however small the arrays
  for (fastrnn::Isa isa : fastrnn::available_isas()) {
    fastrnn::set_isa(isa);
    for (index_t size : {0, 1, 2, 3, 5, 8, 15, 16, 17, 33, 4096, 4097, 12290}) {
      const int threads = 1 + int(rng() % 3);
      check_rows<float>(size, threads, rng);
      check_rows<double>(size, threads, rng);
      for (int rule = 0; rule < fastrnn::kRules; ++rule) {
        check_update<float>(static_cast<UpdateRule>(rule), size, threads, rng);
        check_update<double>(static_cast<UpdateRule>(rule), size, threads, rng);
        if (size % 3 != 0) continue;  // 0 is
        for (bool lazy : {false, true}) {
          check_table<float>(static_cast<UpdateRule>(rule), size / 3, 3, lazy, threads, rng);
          check_table<double>(static_cast<UpdateRule>(rule), 5, size, lazy, threads, rng);
        }
      }
    }
  }
  fastrnn::force_plan(std::nullopt, 0);
  fastrnn::set_isa(before);
}

}  // namespace selftest
