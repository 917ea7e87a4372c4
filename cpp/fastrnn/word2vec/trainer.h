// word2vec: trains on some pieces of a text, or of an array of word numbers, with a team.
#pragma once

#include <functional>
#include <vector>

#include "fastrnn/word2vec/args.h"
#include "fastrnn/word2vec/text.h"

namespace fastrnn {

// Words in pieces: fills ids with the numbers of one, a kSentenceEnd behind each sentence.
struct Word2VecSource {
  index_t pieces;
  std::function<void(index_t piece, std::vector<std::int32_t>& ids, std::vector<char>& buffer)>
      fill;
};

// Words that are not in the table are left out. Both arguments must outlive the source.
Word2VecSource source_of(const TextPieces& text, const WordTable& words);
// Numbers beyond V-1 are an Error when a piece is filled: somebody may change them in the meantime.
Word2VecSource source_of(const std::int32_t* ids, index_t count, index_t V);

// Error when a number is not in least..V-1.
void check_ids(const char* name, const std::int32_t* ids, index_t count, index_t V, index_t least);

// The rate falls linearly by words, from `first` at the start to `last` when all are done.
struct LearningRate {
  double first, last;
  double done, total;  // words before this call, and of the whole training
};

struct Word2VecResult {
  double loss = 0;               // summed over predictions
  std::int64_t predictions = 0;  // pairs of skip-gram, targets of CBOW
  std::int64_t words = 0;        // in the vocabulary, before subsampling
};

// Teaches pieces [begin, end). One thread: the same bits every time. More race for the rows.
Word2VecResult word2vec_train(const Word2VecPlan& plan, const Word2VecRows& rows,
                              const Word2VecSource& source, index_t begin, index_t end,
                              const LearningRate& rate, std::uint64_t seed, int num_threads);

// The loss of one block, which learns at rate alpha.
double word2vec_block(const Word2VecPlan& plan, const Word2VecRows& rows, Word2VecBlock& block);

// For tests: the (target, context word) pairs of these words, and draws of noise words.
std::vector<std::int32_t> word2vec_pairs(const Word2VecPlan& plan, std::vector<std::int32_t> ids,
                                         std::uint64_t seed);
std::vector<std::int32_t> word2vec_noise(const Word2VecPlan& plan, index_t count,
                                         std::uint64_t seed);

}  // namespace fastrnn
