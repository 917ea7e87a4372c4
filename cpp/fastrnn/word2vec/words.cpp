// The hash table of words: grows to at most half full, keeps all letters in one string.
#include "fastrnn/word2vec/words.h"

#include "fastrnn/error.h"

namespace fastrnn {

WordTable::WordTable() : entries_(1024), mask_(1023), begins_{0} {}

WordTable::WordTable(std::string_view lines) : WordTable() {
  while (!lines.empty()) {
    const std::string_view word = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(lines.size(), word.size() + 1));
    std::uint32_t hash = kHashStart;
    for (char c : word) hash = hash_byte(hash, c);
    FASTRNN_CHECK(find(word, hash) < 0, "words must differ, got '" + std::string(word) + "' twice");
    add(word, hash, 1);
  }
}

void WordTable::add(std::string_view word, std::uint32_t hash, std::int64_t count) {
  for (std::size_t at = slot(hash);; at = (at + 1) & mask_) {
    Entry& entry = entries_[at];
    if (entry.id >= 0) {
      if (entry.hash != hash || this->word(entry.id) != word) continue;
      counts_[static_cast<std::size_t>(entry.id)] += count;
      return;
    }
    FASTRNN_CHECK(size() < INT32_MAX, "the text has more than 2^31 different words");
    letters_ += word;
    begins_.push_back(letters_.size());
    counts_.push_back(count);
    entry = {hash, static_cast<std::int32_t>(size() - 1)};
    if (counts_.size() * 2 > entries_.size()) grow();
    return;
  }
}

void WordTable::grow() {
  std::vector<Entry> old(entries_.size() * 2);
  old.swap(entries_);
  mask_ = entries_.size() - 1;
  for (const Entry& entry : old) {
    if (entry.id < 0) continue;
    std::size_t at = slot(entry.hash);
    while (entries_[at].id >= 0) at = (at + 1) & mask_;
    entries_[at] = entry;
  }
}

void WordTable::add(const WordTable& other) {
  for (const Entry& entry : other.entries_)
    if (entry.id >= 0) add(other.word(entry.id), entry.hash, other.count(entry.id));
}

}  // namespace fastrnn
