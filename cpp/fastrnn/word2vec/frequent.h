// frequent: the words of a table that come often enough, the most frequent first.
#pragma once

#include <string>
#include <vector>

#include "fastrnn/word2vec/words.h"

namespace fastrnn {

struct FrequentWords {
  std::string lines;  // one word a line
  std::vector<std::int64_t> counts;
  std::int64_t total = 0;  // of the whole text
  index_t distinct = 0;    // of the whole text
};

// Words of one frequency are in the order of their bytes, whatever read the text.
FrequentWords frequent(const WordTable& table, std::int64_t min_count);

}  // namespace fastrnn
