// walk: goes through a text: subsampling, the context of each word, and noise words.
//
// A template on what is done with them, so that training and the tests of the samplers take the
// same way. Mikolov et al., "Distributed Representations of Words and Phrases", 2013, section 2.
#pragma once

#include "fastrnn/view.h"
#include "fastrnn/word2vec/args.h"

namespace fastrnn {
namespace {

// wyrand: 64 random bits a call, from a state that only counts.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  FASTRNN_INLINE std::uint64_t operator()() {
    state_ += 0xa0761d6478bd642fu;
    __extension__ typedef unsigned __int128 Wide;
    const Wide product = static_cast<Wide>(state_) * (state_ ^ 0xe7037ed1a0b428dbu);
    return static_cast<std::uint64_t>(product >> 64) ^ static_cast<std::uint64_t>(product);
  }
  // In 0..n-1, for n below 2^32; the bits below the upper half are still unused.
  static FASTRNN_INLINE index_t below(std::uint64_t bits, index_t n) {
    return static_cast<index_t>(((bits >> 32) * static_cast<std::uint64_t>(n)) >> 32);
  }

 private:
  std::uint64_t state_;
};

// A word of the noise distribution.
FASTRNN_INLINE std::int32_t draw_noise(const Word2VecPlan& plan, Random& random) {
  const std::uint64_t bits = random();
  const index_t word = Random::below(bits, plan.V);
  const AliasEntry entry = plan.noise[word];
  return static_cast<std::uint32_t>(bits) < entry.own ? static_cast<std::int32_t>(word)
                                                      : entry.other;
}

// Drops what subsampling drops, in place; sentence ends stay. Returns how much is left.
inline index_t subsample(const Word2VecPlan& plan, std::int32_t* ids, index_t count,
                         Random& random) {
  index_t left = 0;
  for (index_t i = 0; i < count; ++i) {
    const std::int32_t id = ids[i];
    if (id != kSentenceEnd && plan.keep != nullptr) {
      const std::uint32_t keep = plan.keep[id];
      if (keep != UINT32_MAX && static_cast<std::uint32_t>(random() >> 32) >= keep) continue;
    }
    ids[left++] = id;
  }
  return left;
}

// One word and those around it: positions [begin, end) without `at`, of a sentence to
// `sentence_end`.
struct Window {
  const std::int32_t* ids;
  index_t begin, at, end, sentence_end;
};

// sink(window, random) for every word that has others around it.
template <class Sink>
FASTRNN_INLINE void walk(const Word2VecPlan& plan, std::int32_t* ids, index_t count,
                         std::uint64_t seed, Sink&& sink) {
  Random random(seed);
  count = subsample(plan, ids, count, random);
  for (index_t begin = 0; begin < count;) {
    index_t end = begin;
    while (end < count && ids[end] != kSentenceEnd) ++end;
    for (index_t at = begin; at < end && end - begin > 1; ++at) {
      const index_t reach = plan.shrink ? 1 + Random::below(random(), plan.window) : plan.window;
      const index_t first = at - reach < begin ? begin : at - reach;
      const index_t last = at + reach + 1 > end ? end : at + reach + 1;
      sink(Window{ids, first, at, last, end}, random);
    }
    begin = end + 1;
  }
}

}  // namespace
}  // namespace fastrnn
