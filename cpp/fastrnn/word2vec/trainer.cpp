// Each thread takes the next piece of text and trains on it in batches; the learning rate follows
// the number of words that all threads have done.
#include "fastrnn/word2vec/trainer.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "fastrnn/dispatch.h"
#include "fastrnn/error.h"
#include "fastrnn/memory/scratch.h"
#include "fastrnn/team/launch.h"
#include "fastrnn/word2vec/walk.h"

namespace fastrnn {
namespace {

constexpr index_t kBatch = 10000;        // words at one rate, as gensim has it
constexpr index_t kSoftmaxBatch = 1000;  // each costs V products, and Ctrl-C waits for a batch
constexpr index_t kIds = 16 * 1024;      // in a piece of word numbers

double value(const LossProduct& loss) {
  double sum = 0x1.62e42fefa39efp-1 * static_cast<double>(loss.exponent);
  for (double lane : loss.lanes) sum += std::log(lane);
  return sum;
}

// A stream of its own for every batch of every piece: whoever takes it draws the same numbers.
std::uint64_t seed_of(std::uint64_t seed, index_t piece, index_t at) {
  std::uint64_t x = seed;
  for (index_t more : {piece, at}) {
    x += static_cast<std::uint64_t>(more) + 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    x ^= x >> 31;
  }
  return x;
}

// The end of a batch: after the last sentence that fits, or within one that is too long to fit.
index_t batch_end(const std::vector<std::int32_t>& ids, index_t begin, index_t most) {
  const auto size = static_cast<index_t>(ids.size());
  if (size - begin <= most) return size;
  index_t end = begin + most;
  while (end > begin && ids[static_cast<std::size_t>(end - 1)] != kSentenceEnd) --end;
  return end > begin ? end : begin + most;
}

Scratch scratch_for(std::size_t bytes, unsigned char*& at) {
  Scratch scratch;
  const auto piece = scratch.add<unsigned char>(static_cast<index_t>(bytes));
  scratch.allocate();
  at = scratch.at(piece);
  return scratch;
}

struct Shared {
  const Word2VecPlan& plan;
  const Word2VecRows& rows;
  const Word2VecSource& source;
  const LearningRate& rate;
  index_t end;
  std::uint64_t seed;
  std::atomic<index_t> next;
  std::atomic<std::int64_t> words{0};
};

class Teacher {
 public:
  Teacher(Shared& shared, unsigned char* scratch) : shared_(shared), scratch_(scratch) {}

  void run(Team& team) {
    const index_t most = shared_.plan.softmax ? kSoftmaxBatch : kBatch;
    for (index_t piece; (piece = shared_.next++) < shared_.end;) {
      shared_.source.fill(piece, ids_, buffer_);
      for (index_t at = 0; at < static_cast<index_t>(ids_.size());) {
        team.check();
        const index_t end = batch_end(ids_, at, most);
        teach(piece, at, end);
        at = end;
      }
    }
  }
  Word2VecResult result;

 private:
  void teach(index_t piece, index_t at, index_t end) {
    const auto first = ids_.begin() + at;
    const std::int64_t count = (end - at) - std::count(first, ids_.begin() + end, kSentenceEnd);
    const std::int64_t before = shared_.words.fetch_add(count, std::memory_order_relaxed);
    const LearningRate& rate = shared_.rate;
    const double progress = std::min(1.0, (rate.done + static_cast<double>(before)) / rate.total);
    Word2VecWords words{&*first,
                        end - at,
                        seed_of(shared_.seed, piece, at),
                        static_cast<float>(rate.first + (rate.last - rate.first) * progress),
                        {},
                        0};
    word2vec_kernels().train(shared_.plan, shared_.rows, scratch_, words);
    result.loss += value(words.loss);
    result.predictions += words.predictions;
    result.words += count;
  }

  Shared& shared_;
  unsigned char* scratch_;
  std::vector<std::int32_t> ids_;
  std::vector<char> buffer_;
};

}  // namespace

Word2VecSource source_of(const TextPieces& text, const WordTable& table) {
  return {text.pieces(), [&text, &table](index_t piece, std::vector<std::int32_t>& ids,
                                         std::vector<char>& buffer) {
            ids.clear();
            for_words(
                text.read(piece, buffer),
                [&](std::string_view word, std::uint32_t hash) {
                  const std::int32_t id = table.find(word, hash);
                  if (id >= 0) ids.push_back(id);
                },
                [&] { ids.push_back(kSentenceEnd); });
          }};
}

Word2VecSource source_of(const std::int32_t* ids, index_t count, index_t V) {
  const std::int32_t* const end = ids + count;
  return {(count + kIds - 1) / kIds,
          [=](index_t piece, std::vector<std::int32_t>& to, std::vector<char>&) {
            // A sentence belongs to the piece in which it begins; a longer one than a piece is cut.
            const auto border = [=](index_t at) {
              if (at <= 0 || at >= count) return ids + std::clamp<index_t>(at, 0, count);
              const std::int32_t* const first = ids + at;
              const std::int32_t* const last = std::min(first + kIds, end);
              const std::int32_t* const found = std::find(first - 1, last, kSentenceEnd);
              return found == last ? first : found + 1;
            };
            const std::int32_t *from = border(piece * kIds), *until = border((piece + 1) * kIds);
            to.assign(from, std::max(from, until));
            check_ids("source", to.data(), static_cast<index_t>(to.size()), V, kSentenceEnd);
          }};
}

void check_ids(const char* name, const std::int32_t* ids, index_t count, index_t V, index_t least) {
  const bool fine =
      std::all_of(ids, ids + count, [=](std::int32_t id) { return id >= least && id < V; });
  FASTRNN_CHECK(fine, std::string(name) + " must be in " + std::to_string(least) + "..V-1");
}

Word2VecResult word2vec_train(const Word2VecPlan& plan, const Word2VecRows& rows,
                              const Word2VecSource& source, index_t begin, index_t end,
                              const LearningRate& rate, std::uint64_t seed, int num_threads) {
  FASTRNN_CHECK(begin >= 0 && begin <= end && end <= source.pieces,
                "pieces must be in 0.." + std::to_string(source.pieces));
  FASTRNN_CHECK(rate.total > 0, "total must be above 0");
  const std::size_t bytes = word2vec_kernels().bytes(plan, rows.stride);
  const int most = num_threads > 0 ? num_threads : fastrnn::num_threads();
  const auto threads = static_cast<int>(std::clamp<index_t>(end - begin, 1, most));
  unsigned char* block = nullptr;
  const Scratch scratch = scratch_for(bytes * static_cast<std::size_t>(threads), block);
  Shared shared{plan, rows, source, rate, end, seed, begin};
  std::vector<Word2VecResult> results(static_cast<std::size_t>(threads));
  run_team(threads, [&](Team& team) {
    Teacher teacher(shared, block + bytes * static_cast<std::size_t>(team.rank()));
    teacher.run(team);
    results[static_cast<std::size_t>(team.rank())] = teacher.result;
  });
  Word2VecResult sum;
  for (const Word2VecResult& part : results) {
    sum.loss += part.loss;
    sum.predictions += part.predictions;
    sum.words += part.words;
  }
  return sum;
}

double word2vec_block(const Word2VecPlan& plan, const Word2VecRows& rows, Word2VecBlock& block) {
  const index_t most_n = plan.softmax ? plan.V : plan.negative + 1;
  FASTRNN_CHECK(block.m >= 1 && block.m <= 2 * plan.window, "inputs must be 1..2·window");
  FASTRNN_CHECK(block.n >= 1 && block.n <= most_n, "targets must be 1..negative + 1");
  unsigned char* scratch = nullptr;
  const Scratch held = scratch_for(word2vec_kernels().bytes(plan, rows.stride), scratch);
  run_team(1, [&](Team&) { word2vec_kernels().block(plan, rows, scratch, block); });
  return value(block.loss);
}

std::vector<std::int32_t> word2vec_pairs(const Word2VecPlan& plan, std::vector<std::int32_t> ids,
                                         std::uint64_t seed) {
  std::vector<std::int32_t> pairs;
  walk(plan, ids.data(), static_cast<index_t>(ids.size()), seed,
       [&](const Window& window, Random&) {
         for (index_t i = window.begin; i < window.end; ++i)
           if (i != window.at) pairs.insert(pairs.end(), {window.ids[window.at], window.ids[i]});
       });
  return pairs;
}

std::vector<std::int32_t> word2vec_noise(const Word2VecPlan& plan, index_t count,
                                         std::uint64_t seed) {
  FASTRNN_CHECK(plan.noise != nullptr, "negative must be above 0 for there to be noise");
  Random random(seed);
  std::vector<std::int32_t> drawn(static_cast<std::size_t>(count));
  for (std::int32_t& word : drawn) word = draw_noise(plan, random);
  return drawn;
}

}  // namespace fastrnn
