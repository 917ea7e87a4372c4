// TextPieces: a text file in pieces of whole words, read one at a time, so that it may be huge.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fastrnn/word2vec/words.h"

namespace fastrnn {

class TextPieces {
 public:
  explicit TextPieces(std::string path);  // Error when it cannot be opened

  index_t pieces() const { return (bytes_ + kPiece - 1) / kPiece; }
  index_t bytes() const { return bytes_; }

  // The text of one piece, in `buffer`. Pieces end behind a line, or where lines are long behind a
  // word. Error when a word is longer than kLongest or the file has become shorter.
  std::string_view read(index_t piece, std::vector<char>& buffer) const;

  static constexpr index_t kPiece = 64 * 1024, kLongest = 64 * 1024;

 private:
  std::string path_;
  index_t bytes_;
};

// Counts all words; several threads. Error when one is no UTF-8.
WordTable count_words(const TextPieces& text, int num_threads);

}  // namespace fastrnn
