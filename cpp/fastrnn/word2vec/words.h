// WordTable: words to numbers and back, by an open-addressing hash; splitting a text into words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fastrnn/types.h"

namespace fastrnn {

// Words are separated by the white space of ASCII, which no character of UTF-8 contains.
inline bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

inline std::uint32_t hash_byte(std::uint32_t hash, char c) {
  return (hash ^ static_cast<unsigned char>(c)) * 16777619u;  // FNV-1a
}
inline constexpr std::uint32_t kHashStart = 2166136261u;

// f(word, hash) for every word of a text, and end() at every line end behind one.
template <class F, class End>
void for_words(std::string_view text, F&& f, End&& end) {
  const char* at = text.begin();
  const char* const last = text.end();
  for (bool open = false; at != last;) {
    if (is_space(*at)) {
      if (*at == '\n' && open) {
        end();
        open = false;
      }
      ++at;
      continue;
    }
    const char* const first = at;
    std::uint32_t hash = kHashStart;
    do hash = hash_byte(hash, *at++);
    while (at != last && !is_space(*at));
    f(std::string_view(first, static_cast<std::size_t>(at - first)), hash);
    open = true;
  }
}

class WordTable {
 public:
  WordTable();
  // The words of a text between line ends, numbered as they come. Error when one comes twice.
  explicit WordTable(std::string_view lines);

  index_t size() const { return static_cast<index_t>(counts_.size()); }
  std::string_view word(index_t id) const {
    const auto begin = begins_[static_cast<std::size_t>(id)];
    return std::string_view(letters_).substr(begin,
                                             begins_[static_cast<std::size_t>(id) + 1] - begin);
  }
  std::int64_t count(index_t id) const { return counts_[static_cast<std::size_t>(id)]; }

  // The number of a word, or -1.
  std::int32_t find(std::string_view word, std::uint32_t hash) const {
    for (std::size_t at = slot(hash);; at = (at + 1) & mask_) {
      const Entry& entry = entries_[at];
      if (entry.id < 0) return -1;
      if (entry.hash == hash && this->word(entry.id) == word) return entry.id;
    }
  }
  void add(std::string_view word, std::uint32_t hash, std::int64_t count);
  void add(const WordTable& other);

 private:
  struct Entry {
    std::uint32_t hash = 0;
    std::int32_t id = -1;
  };
  std::size_t slot(std::uint32_t hash) const { return (hash * 0x9e3779b97f4a7c15u >> 29) & mask_; }
  void grow();

  std::vector<Entry> entries_;
  std::size_t mask_;
  std::string letters_;
  std::vector<std::size_t> begins_;
  std::vector<std::int64_t> counts_;
};

}  // namespace fastrnn
