// Packed int8 and bfloat16 weights on every table: near the results of float32, and the same bits
// whatever the plan; of int8 whatever the instruction set and the dot products, too. Those of
// bfloat16 differ by what an h that is rounded the other way comes to.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/selftest_cells.h"

namespace selftest {

// Rows of whole numbers and their scales.
struct Quantised {
  std::vector<std::int8_t> numbers;
  std::vector<float> scales;

  Quantised(const Vector& w, index_t rows) {
    const std::size_t columns = w.size() / at(rows);
    for (std::size_t r = 0; r < at(rows); ++r) {
      double largest = 0;
      for (std::size_t k = 0; k < columns; ++k)
        largest = std::max(largest, std::abs(w[r * columns + k]));
      scales.push_back(static_cast<float>(largest / 127));
      for (std::size_t k = 0; k < columns; ++k)
        numbers.push_back(static_cast<std::int8_t>(std::lrint(w[r * columns + k] * 127 / largest)));
    }
  }
};

inline void check_narrow(const Problem& p, const Run<float>& plain,
                         const fastrnn::PackedWeights<float>& packed, double tolerance, bool exact,
                         std::vector<float>& first) {
  std::vector<float> widened;
  for (fastrnn::Dots dots : {fastrnn::Dots::none, fastrnn::Dots::words, fastrnn::Dots::tiles}) {
    if (!exact) first.clear();
    for (const Choice& choice : kChoices) {
      fastrnn::force_plan(choice.split, choice.chunk_steps, dots);
      Run<float> run(p);
      run.forward(choice.threads, nullptr, &packed);
      const std::string what =
          describe(p, choice) + " dots " + std::to_string(static_cast<int>(dots));
      check(close(run.y, plain.y, tolerance), "narrow weights, y " + what);
      check(close(run.h_n, plain.h_n, tolerance), "narrow weights, h_n " + what);
      check(close(run.c_n, plain.c_n, tolerance), "narrow weights, c_n " + what);
      if (first.empty()) first = run.y;
      check(run.y == first, "narrow weights, the same bits " + what);
      if (dots == fastrnn::Dots::none) widened = run.y;
      check(close(run.y, widened, 5e-3), "narrow weights, near the widened y " + what);
    }
  }
  fastrnn::force_plan(std::nullopt, 0);
}

// Training in bfloat16: near that of float32, and the same bits for any split of the work.
inline void check_bfloat16_training(const Problem& p, std::mt19937& rng) {
  const Cotangents ct = random_cotangents(rng, oracle(p));
  const auto trained = [&](fastrnn::Precision precision, int threads) {
    Run<float> run(p);
    run.precision = precision;
    fastrnn::Tape<float> tape;
    run.forward(threads, &tape);
    auto grads = run.backward(threads, tape, ct);
    if (p.mode.projected) grads[W_IH].clear();  // not asked for
    return grads;
  };
  const auto wanted = trained(fastrnn::Precision::plain, 1);
  for (fastrnn::Dots dots : {fastrnn::Dots::none, fastrnn::Dots::words, fastrnn::Dots::tiles}) {
    std::optional<Run<float>::Grads> first;
    for (const Choice& choice : kChoices) {
      fastrnn::force_plan(choice.split, choice.chunk_steps, dots);
      const auto got = trained(fastrnn::Precision::bfloat16, choice.threads);
      const std::string what = describe(p, choice) + " dots " + std::to_string(int(dots));
      for (std::size_t k = 0; k < kOperands; ++k)
        check(close(got[k], wanted[k], 0.05), std::string("bfloat16 d") + kNames[k] + " " + what);
      if (choice.chunk_steps > 0) continue;
      check(!first || got == *first, "bfloat16, the same bits " + what);
      first = got;
    }
  }
  fastrnn::force_plan(std::nullopt, 0);
}

inline void test_narrow() {
  constexpr Mode modes[] = {{false, false, false, false},
                            {true, true, false, false},
                            {true, false, true, false},
                            {false, true, false, true}};
  std::mt19937 rng(2026);
  const fastrnn::Isa before = fastrnn::active_isa();
  for (Cell cell : {Cell::rnn_tanh, Cell::rnn_sigmoid, Cell::lstm, Cell::lstm_peephole,
                    Cell::gru_after, Cell::gru_before})
    for (index_t H : {1, 7, 16, 33, 70})
      for (index_t T : {0, 1, 3}) {
        const index_t N = 1 + static_cast<index_t>(rng() % 20);
        const Problem p = random_problem(rng, cell, {T, N, 5 + H, H, H}, modes[rng() % 4]);
        const index_t rows = fastrnn::cell_traits(cell).shape.gates * H;
        const Quantised ih(p.in[W_IH], rows), hh(p.in[W_HH], rows);
        Run<float> plain(p);
        plain.forward(1, nullptr);
        std::vector<float> first;
        for (fastrnn::Isa isa : fastrnn::available_isas()) {
          fastrnn::set_isa(isa);
          fastrnn::RnnWeights<float> w = plain.weights();
          const fastrnn::PackedWeights<float> halves(cell, w, fastrnn::Precision::bfloat16);
          std::vector<float> any;
          check_narrow(p, plain, halves, 0.1, false, any);
          check_bfloat16_training(p, rng);
          if (w.w_ih) {
            w.q_ih = matrix(ih.numbers.data(), rows, p.dims.I);
            w.scale_ih = line(ih.scales.data(), rows);
          }
          w.q_hh = matrix(hh.numbers.data(), rows, H);
          w.scale_hh = line(hh.scales.data(), rows);
          w.w_ih = w.w_hh = {};
          const fastrnn::PackedWeights<float> bytes(cell, w, fastrnn::Precision::int8);
          check_narrow(p, plain, bytes, 0.1, true, first);
        }
        fastrnn::set_isa(before);
      }
}

}  // namespace selftest
