// The arguments of the word2vec kernels: the matrices that threads share, tables, a run of words.
//
// No STL: these structs cross the border into the files of an instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fastrnn/types.h"

namespace fastrnn {

inline constexpr std::int32_t kSentenceEnd = -1;  // among word numbers
inline constexpr index_t kRowFloats = 16;         // rows of the matrices are multiples of this

// An entry of Walker's alias table: the word itself if 32 random bits are below `own`.
struct AliasEntry {
  std::uint32_t own;
  std::int32_t other;
};

// How words are taught; the same for all threads and for the whole training.
struct Word2VecPlan {
  index_t V = 0;
  bool skip_gram = false;
  bool mean = true;    // of the words around, for CBOW; else their sum
  bool shrink = true;  // every window is drawn from 1..window
  bool softmax = false;
  int window = 5, negative = 5;
  const std::uint32_t* keep = nullptr;      // (V,) subsampling: keeps a word if 32 bits are below
  const AliasEntry* noise = nullptr;        // (V,) negative sampling
  const index_t* path_begin = nullptr;      // (V + 1,) hierarchical softmax
  const std::int32_t* path_node = nullptr;  // inner nodes from the root to the word
  const std::uint8_t* path_code = nullptr;  // and the branch taken there
  index_t longest_path = 0;
};

// Rows of `stride` floats, zero beyond the E numbers of a vector.
struct Word2VecRows {
  float* vectors = nullptr;  // (V, stride) words as inputs
  float* outputs = nullptr;  // (V, stride) words as outputs, of negative sampling or softmax
  float* nodes = nullptr;    // (V - 1, stride) inner nodes of the tree
  index_t stride = 0;
};

// A sum of logarithms kept as a product: Σ ln fᵢ = ln 2 · exponent + Σ ln lane.
struct LossProduct {
  double lanes[8] = {1, 1, 1, 1, 1, 1, 1, 1};
  std::int64_t exponent = 0;
};

// One call of the kernel: words between sentence ends, at one learning rate.
struct Word2VecWords {
  std::int32_t* ids;  // overwritten
  index_t count;
  std::uint64_t seed;
  float alpha;
  LossProduct loss;          // added to
  std::int64_t predictions;  // added to: what the loss is to be divided by
};

// One block: every input row against every output row.
struct Word2VecBlock {
  const std::int32_t* inputs;
  index_t m;
  const std::int32_t* targets;
  const std::uint8_t* wanted;  // 1: a true pair, 0: a false one
  index_t n;
  float alpha;
  LossProduct loss;
};

struct Word2VecTable {
  // Scratch of one thread.
  std::size_t (*bytes)(const Word2VecPlan&, index_t stride);
  void (*train)(const Word2VecPlan&, const Word2VecRows&, unsigned char* scratch, Word2VecWords&);
  // A single block, for tests; outputs are those of rows.outputs.
  void (*block)(const Word2VecPlan&, const Word2VecRows&, unsigned char* scratch, Word2VecBlock&);
};

#define FASTRNN_DECLARE_TABLE(target)        \
  namespace target {                         \
  extern const Word2VecTable word2vec_table; \
  }
FASTRNN_FOR_EACH_ISA(FASTRNN_DECLARE_TABLE)
#undef FASTRNN_DECLARE_TABLE

}  // namespace fastrnn
