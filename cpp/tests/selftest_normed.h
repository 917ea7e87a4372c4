// Layer normalisation on every table: bits, and gradients that are the slopes of the core's own
// forward, which the tests in Python hold to the twin.
#pragma once

#include "tests/selftest_cells.h"

namespace selftest {

inline Results own_forward(const Problem& p) {
  Run<double> run(p);
  run.forward(1, nullptr);
  return {run.y, run.h_n, run.c_n};
}

inline void check_normed(Cell cell, Dims dims, Mode mode, std::mt19937& rng) {
  Problem p = random_problem(rng, cell, dims, mode);
  p.choices = {};  // smooth
  p.in[W_NORM] = random_vector(rng, fastrnn::norm_rows(fastrnn::cell_traits(cell).shape) * dims.H);
  for (double& gain : p.in[W_NORM]) gain += 1;
  const Results own = own_forward(p);
  const Cotangents ct = random_cotangents(rng, own);
  fastrnn::force_plan(kChoices[0].split, kChoices[0].chunk_steps);
  const auto first = run_all<double>(p, own, ct, kChoices[0]);
  check_slopes(p, ct, first, rng, own_forward, 1e-6);
  const auto again = run_all<double>(p, own, ct, kChoices[1]);
  for (std::size_t k = 0; k < kOperands; ++k)
    check(first[k].empty() || first[k] == again[k],
          std::string("d") + kNames[k] + " has the same bits: " + describe(p, kChoices[1]));
}

inline void test_normed() {
  constexpr Mode modes[] = {{false, false, false, false}, {true, true, false, false}};
  std::mt19937 rng(2016);
  const fastrnn::Isa before = fastrnn::active_isa();
  for (fastrnn::Isa isa : fastrnn::available_isas()) {
    fastrnn::set_isa(isa);
    for (Cell cell :
         {Cell::rnn_general, Cell::lstm_general, Cell::gru_after_general, Cell::gru_before_general})
      for (index_t H : {7, 16, 33})
        for (index_t T : {0, 1, 3}) check_normed(cell, {T, 3, 5, H, H}, modes[rng() % 2], rng);
  }
  fastrnn::force_plan(std::nullopt, 0);
  fastrnn::set_isa(before);
}

}  // namespace selftest
