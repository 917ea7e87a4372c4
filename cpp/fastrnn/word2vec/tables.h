// Word2VecTables: the tables of a plan, made from the counts of the words.
#pragma once

#include <cstdint>
#include <vector>

#include "fastrnn/word2vec/args.h"

namespace fastrnn {

// The options of a training, as the user gives them.
struct Word2VecOptions {
  bool skip_gram = false, hierarchical = false, mean = true, shrink = true;
  int window = 5, negative = 5;  // neither negative nor hierarchical: softmax over all words
  double noise_power = 0.75, sample = 1e-3;
};

class Word2VecTables {
 public:
  // Error when a count is below 1 or an option out of range.
  Word2VecTables(const std::int64_t* counts, index_t V, const Word2VecOptions& options);
  Word2VecTables(const Word2VecTables&) = delete;
  Word2VecTables& operator=(const Word2VecTables&) = delete;

  const Word2VecPlan& plan() const { return plan_; }

 private:
  void set_keep(const std::int64_t* counts, double sample);
  void set_noise(const std::int64_t* counts, double power);
  void set_tree(const std::int64_t* counts);
  void set_paths(const std::vector<index_t>& parent, const std::vector<std::uint8_t>& branch);

  Word2VecPlan plan_;
  std::vector<std::uint32_t> keep_;
  std::vector<AliasEntry> noise_;
  std::vector<index_t> path_begin_;
  std::vector<std::int32_t> path_node_;
  std::vector<std::uint8_t> path_code_;
};

}  // namespace fastrnn
