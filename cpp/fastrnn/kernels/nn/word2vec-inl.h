// word2vec on one thread: the walk over a stretch of words, and a step of Block for each of them.
#pragma once

#include "fastrnn/kernels/nn/word2vec_block-inl.h"
#include "fastrnn/word2vec/walk.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

class Word2VecThread {
 public:
  Word2VecThread(const Word2VecPlan& plan, const Word2VecRows& rows, unsigned char* scratch,
                 Word2VecWords& words)
      : plan_(plan), rows_(rows), block_(plan, rows.stride, scratch), words_(words) {}

  void run() {
    walk(plan_, words_.ids, words_.count, words_.seed,
         [this](const Window& window, Random& random) { learn(window, random); });
    block_.loss.add_to(words_.loss);
  }

 private:
  FASTRNN_INLINE void learn(const Window& window, Random& random) {
    index_t m = 0;
    for (index_t i = window.begin; i < window.end; ++i)
      if (i != window.at) block_.in[m++] = rows_.vectors + window.ids[i] * rows_.stride;
    fetch_ahead(window);
    const std::int32_t target = window.ids[window.at];
    if (plan_.path_begin != nullptr) step(m, along_path(target));
    if (plan_.softmax) step(m, all_words(target));
    if (plan_.noise != nullptr) step(m, with_noise(target, random));
    words_.predictions += plan_.skip_gram ? m : 1;
  }

  FASTRNN_INLINE void step(index_t m, index_t n) {
    if (n == 0) return;  // the tree of a single word has no node
    const float part = 1.0f / static_cast<float>(m);
    if (plan_.skip_gram)
      block_.step(m, n, words_.alpha);
    else
      block_.step_together(m, n, words_.alpha, plan_.mean ? part : 1, plan_.mean ? 1 : part);
  }

  FASTRNN_INLINE index_t along_path(std::int32_t target) {
    const index_t first = plan_.path_begin[target], end = plan_.path_begin[target + 1];
    for (index_t j = first; j < end; ++j) {
      block_.out[j - first] = rows_.nodes + plan_.path_node[j] * rows_.stride;
      block_.want(j - first, plan_.path_code[j] == 0);
    }
    return end - first;
  }

  FASTRNN_INLINE index_t all_words(std::int32_t target) {
    for (index_t j = 0; j < plan_.V; ++j) {
      block_.out[j] = rows_.outputs + j * rows_.stride;
      block_.want(j, j == target);
    }
    return plan_.V;
  }

  // Noise that is the target itself is left out. It was drawn a step before, so that its rows are
  // on their way from memory by now.
  FASTRNN_INLINE index_t with_noise(std::int32_t target, Random& random) {
    if (!drawn_) draw(random);
    block_.out[0] = rows_.outputs + target * rows_.stride;
    block_.want(0, true);
    index_t n = 1;
    for (int k = 0; k < plan_.negative; ++k) {
      const std::int32_t word = block_.noise[k];
      if (word == target) continue;
      block_.out[n] = rows_.outputs + word * rows_.stride;
      block_.want(n++, false);
    }
    draw(random);
    return n;
  }

  FASTRNN_INLINE void draw(Random& random) {
    for (int k = 0; k < plan_.negative; ++k) {
      block_.noise[k] = draw_noise(plan_, random);
      fetch(rows_.outputs, block_.noise[k]);
    }
    drawn_ = true;
  }

  FASTRNN_INLINE void fetch(const float* rows, std::int32_t word) const {
    const float* const row = rows + word * rows_.stride;
    for (index_t k = 0; k < rows_.stride; k += kRowFloats) __builtin_prefetch(row + k, 1);
  }

  // The row that the next windows will meet first, and the next target's: with the noise drawn
  // ahead a seventh faster where the rows are 46 MB (python -m bench.acceptance.word2vec_quality).
  FASTRNN_INLINE void fetch_ahead(const Window& window) const {
    const index_t meets = window.at + plan_.window + 1;
    if (meets < window.sentence_end) fetch(rows_.vectors, window.ids[meets]);
    if (plan_.noise != nullptr && window.at + 1 < window.sentence_end)
      fetch(rows_.outputs, window.ids[window.at + 1]);
  }

  const Word2VecPlan& plan_;
  const Word2VecRows& rows_;
  Block block_;
  Word2VecWords& words_;
  bool drawn_ = false;
};

struct Word2Vec {
  static std::size_t bytes(const Word2VecPlan& plan, index_t stride) {
    return Block(plan, stride, nullptr).bytes();
  }
  static void train(const Word2VecPlan& plan, const Word2VecRows& rows, unsigned char* scratch,
                    Word2VecWords& words) {
    Word2VecThread(plan, rows, scratch, words).run();
  }
  static void block(const Word2VecPlan& plan, const Word2VecRows& rows, unsigned char* scratch,
                    Word2VecBlock& b) {
    Block block(plan, rows.stride, scratch);
    for (index_t i = 0; i < b.m; ++i) block.in[i] = rows.vectors + b.inputs[i] * rows.stride;
    for (index_t j = 0; j < b.n; ++j) {
      block.out[j] = rows.outputs + b.targets[j] * rows.stride;
      block.want(j, b.wanted[j] != 0);
    }
    const float part = 1.0f / static_cast<float>(b.m);
    if (plan.skip_gram)
      block.step(b.m, b.n, b.alpha);
    else
      block.step_together(b.m, b.n, b.alpha, plan.mean ? part : 1, plan.mean ? 1 : part);
    block.loss.add_to(b.loss);
  }
};

}  // namespace

constexpr Word2VecTable word2vec_table{Word2Vec::bytes, Word2Vec::train, Word2Vec::block};

}  // namespace fastrnn::FASTRNN_TARGET
