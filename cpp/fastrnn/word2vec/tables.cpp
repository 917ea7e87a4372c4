// The tables: subsampling, noise by Walker's aliases, and Huffman's tree with a path to each word.
#include "fastrnn/word2vec/tables.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "fastrnn/error.h"

namespace fastrnn {
namespace {

std::uint32_t of_32_bits(double probability) {
  return static_cast<std::uint32_t>(std::min(probability * 0x1p32, 0x1p32 - 1));
}

std::size_t at(index_t i) { return static_cast<std::size_t>(i); }

}  // namespace

Word2VecTables::Word2VecTables(const std::int64_t* counts, index_t V,
                               const Word2VecOptions& options) {
  FASTRNN_CHECK(V >= 1 && V < INT32_MAX, "counts must have 1..2^31 - 2 elements");
  for (index_t w = 0; w < V; ++w) FASTRNN_CHECK(counts[w] >= 1, "counts must be at least 1");
  FASTRNN_CHECK(options.window >= 1 && options.window <= 1000, "window must be in 1..1000");
  FASTRNN_CHECK(options.negative >= 0 && options.negative <= 1000, "negative must be in 0..1000");
  plan_.V = V;
  plan_.skip_gram = options.skip_gram;
  plan_.mean = options.mean;
  plan_.shrink = options.shrink;
  plan_.window = options.window;
  plan_.negative = options.negative;
  plan_.softmax = options.negative == 0 && !options.hierarchical;
  if (options.sample > 0) set_keep(counts, options.sample);
  if (options.negative > 0) set_noise(counts, options.noise_power);
  if (options.hierarchical) set_tree(counts);
}

// A word of frequency f stays with probability (√(f/t) + 1)·t/f, as in word2vec.c and gensim; the
// paper's own formula, 1 - √(t/f), drops more.
void Word2VecTables::set_keep(const std::int64_t* counts, double sample) {
  double total = 0;
  for (index_t w = 0; w < plan_.V; ++w) total += double(counts[w]);
  keep_.resize(at(plan_.V));
  for (index_t w = 0; w < plan_.V; ++w) {
    const double ratio = sample * total / double(counts[w]);
    const double keep = std::sqrt(ratio) + ratio;
    keep_[at(w)] = keep >= 1 ? UINT32_MAX : of_32_bits(keep);
  }
  plan_.keep = keep_.data();
}

// M. D. Vose, "A Linear Algorithm for Generating Random Numbers with a Given Distribution", 1991.
void Word2VecTables::set_noise(const std::int64_t* counts, double power) {
  const index_t V = plan_.V;
  std::vector<double> share(at(V));
  double total = 0;
  for (index_t w = 0; w < V; ++w) total += share[at(w)] = std::pow(double(counts[w]), power);
  FASTRNN_CHECK(std::isfinite(total) && total > 0, "ns_exponent must leave finite frequencies");
  noise_.resize(at(V));
  std::vector<std::int32_t> small, large;
  for (index_t w = 0; w < V; ++w) {
    share[at(w)] *= double(V) / total;
    (share[at(w)] < 1 ? small : large).push_back(static_cast<std::int32_t>(w));
    noise_[at(w)] = {UINT32_MAX, static_cast<std::int32_t>(w)};
  }
  while (!small.empty() && !large.empty()) {
    const std::int32_t poor = small.back(), rich = large.back();
    small.pop_back();
    noise_[at(poor)] = {of_32_bits(share[at(poor)]), rich};
    share[at(rich)] -= 1 - share[at(poor)];
    if (share[at(rich)] < 1) {
      large.pop_back();
      small.push_back(rich);
    }
  }
  plan_.noise = noise_.data();
}

// The two rarest nodes become one, until one is left: words from the back of their order and new
// nodes from the front are both in rising order. Node V + i has two children.
void Word2VecTables::set_tree(const std::int64_t* counts) {
  const index_t V = plan_.V;
  std::vector<index_t> order(at(V));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [=](index_t a, index_t b) { return counts[a] > counts[b]; });
  std::vector<std::int64_t> weight(counts, counts + V);
  std::vector<index_t> parent(at(2 * V - 1), -1);
  std::vector<std::uint8_t> branch(at(2 * V - 1), 0);
  index_t left = V, inner = V;
  const auto rarest = [&] {
    const bool is_word = left > 0 && (inner == index_t(weight.size()) ||
                                      weight[at(order[at(left - 1)])] < weight[at(inner)]);
    return is_word ? order[at(--left)] : inner++;
  };
  for (index_t node = V; node < 2 * V - 1; ++node) {
    const index_t first = rarest(), second = rarest();
    weight.push_back(weight[at(first)] + weight[at(second)]);
    parent[at(first)] = parent[at(second)] = node;
    branch[at(second)] = 1;
  }
  set_paths(parent, branch);
}

void Word2VecTables::set_paths(const std::vector<index_t>& parent,
                               const std::vector<std::uint8_t>& branch) {
  path_begin_.assign(1, 0);
  for (index_t w = 0; w < plan_.V; ++w) {
    const auto begin = static_cast<std::ptrdiff_t>(path_node_.size());
    for (index_t node = w; parent[at(node)] >= 0; node = parent[at(node)]) {
      path_node_.push_back(static_cast<std::int32_t>(parent[at(node)] - plan_.V));
      path_code_.push_back(branch[at(node)]);
    }
    std::reverse(path_node_.begin() + begin, path_node_.end());
    std::reverse(path_code_.begin() + begin, path_code_.end());
    path_begin_.push_back(static_cast<index_t>(path_node_.size()));
    plan_.longest_path = std::max(plan_.longest_path, path_begin_.back() - begin);
  }
  plan_.path_begin = path_begin_.data();
  plan_.path_node = path_node_.data();
  plan_.path_code = path_code_.data();
}

}  // namespace fastrnn
