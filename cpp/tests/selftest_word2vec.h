// word2vec without Python: threads that race for rows under a sanitizer, every kind of training.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "fastrnn/dispatch.h"
#include "fastrnn/word2vec/tables.h"
#include "fastrnn/word2vec/trainer.h"
#include "tests/selftest_check.h"

namespace selftest {

// Sentences of eight words, all from one of two groups of words, and a word that comes everywhere.
inline std::vector<std::int32_t> two_groups(index_t sentences) {
  std::vector<std::int32_t> ids;
  std::uint32_t random = 1;
  for (index_t s = 0; s < sentences; ++s) {
    for (int i = 0; i < 8; ++i) {
      random = random * 1664525u + 1013904223u;
      ids.push_back(i == 4 ? 0 : static_cast<std::int32_t>(1 + 8 * (s % 2) + (random >> 29)));
    }
    ids.push_back(fastrnn::kSentenceEnd);
  }
  return ids;
}

inline void check_training(const fastrnn::Word2VecOptions& options, int threads,
                           const std::string& name) {
  constexpr index_t V = 17, stride = 2 * fastrnn::kRowFloats;
  const std::vector<std::int64_t> counts(V, 1000);
  const fastrnn::Word2VecTables tables(counts.data(), V, options);
  std::vector<float> vectors(V * stride), outputs(V * stride), nodes(V * stride);
  for (std::size_t i = 0; i < vectors.size(); ++i)
    vectors[i] = i % stride < 20 ? 0.1f * std::sin(static_cast<float>(i)) : 0.0f;
  const fastrnn::Word2VecRows rows{vectors.data(), outputs.data(), nodes.data(), stride};
  const std::vector<std::int32_t> ids = two_groups(6000);
  const auto source =
      fastrnn::source_of(ids.data(), static_cast<index_t>(ids.size()), tables.plan().V);
  double losses[2];
  for (int epoch = 0; epoch < 2; ++epoch) {  // one that learns nothing, to know where it begins
    const double alpha = epoch * 0.05;
    const auto result = fastrnn::word2vec_train(tables.plan(), rows, source, 0, source.pieces,
                                                {alpha, alpha / 5, 0, 48000}, 1, threads);
    check(result.words == 48000 && result.predictions > 0, name + ": words are counted");
    losses[epoch] = result.loss / static_cast<double>(result.predictions);
  }
  check(losses[1] < 0.95 * losses[0], name + ": the loss falls");
  float beyond = 0;
  for (std::size_t i = 0; i < vectors.size(); ++i)
    if (i % stride >= 20) beyond += std::fabs(vectors[i]) + std::fabs(outputs[i]);
  check(beyond == 0, name + ": nothing is written beyond a vector");
}

inline void test_word2vec() {
  const fastrnn::Isa before = fastrnn::active_isa();
  for (fastrnn::Isa isa : fastrnn::available_isas()) {
    fastrnn::set_isa(isa);
    for (int kind = 0; kind < 8; ++kind) {
      fastrnn::Word2VecOptions options;
      options.skip_gram = kind % 2 == 1;
      options.hierarchical = kind / 2 == 1 || kind / 2 == 2;
      options.negative = kind / 2 == 1 || kind / 2 == 3 ? 0 : 5;
      options.sample = 0;
      const std::string name = std::string(fastrnn::isa_name(isa)) + " " + std::to_string(kind);
      check_training(options, kind % 3 + 1, name);
    }
  }
  fastrnn::set_isa(before);
}

}  // namespace selftest
