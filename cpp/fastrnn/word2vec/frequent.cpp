// Sorts a vocabulary, so that it does not depend on which thread counted which piece.
#include "fastrnn/word2vec/frequent.h"

#include <algorithm>

namespace fastrnn {

FrequentWords frequent(const WordTable& table, std::int64_t min_count) {
  FrequentWords found;
  found.distinct = table.size();
  std::vector<index_t> ids;
  for (index_t id = 0; id < table.size(); ++id) {
    found.total += table.count(id);
    if (table.count(id) >= min_count) ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end(), [&](index_t a, index_t b) {
    return table.count(a) != table.count(b) ? table.count(a) > table.count(b)
                                            : table.word(a) < table.word(b);
  });
  for (index_t id : ids) {
    found.lines += table.word(id);
    found.lines += '\n';
    found.counts.push_back(table.count(id));
  }
  return found;
}

}  // namespace fastrnn
