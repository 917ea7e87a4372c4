// Reads and counts words: every thread takes the next piece and counts into its own table.
#include "fastrnn/word2vec/text.h"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <utility>

#include "fastrnn/error.h"
#include "fastrnn/team/launch.h"

namespace fastrnn {
namespace {

std::ifstream opened(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  FASTRNN_CHECK(file.is_open(), "'" + path + "' cannot be read");
  return file;
}

// How many bytes of a character of UTF-8 follow its first, or -1. RFC 3629, section 4.
int followers(unsigned char first) {
  if (first < 0x80) return 0;
  if (first >= 0xc2 && first <= 0xdf) return 1;
  if ((first & 0xf0) == 0xe0) return 2;
  return first >= 0xf0 && first <= 0xf4 ? 3 : -1;
}

bool is_utf8(std::string_view word) {
  for (std::size_t i = 0; i < word.size(); ++i) {
    const auto first = static_cast<unsigned char>(word[i]);
    const int more = followers(first);
    if (more < 0 || i + static_cast<std::size_t>(more) >= word.size()) return false;
    for (int k = 1; k <= more; ++k) {
      const auto next = static_cast<unsigned char>(word[++i]);
      // No longer form of a shorter one, no surrogates, nothing above U+10FFFF.
      const int low = k > 1 ? 0x80 : first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
      const int high = k > 1 ? 0xbf : first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
      if (next < low || next > high) return false;
    }
  }
  return true;
}

std::string shown(std::string_view word) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (char c : word.substr(0, 40)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x21 && byte < 0x7f)
      text += c;
    else
      text += std::string("\\x") + digits[byte >> 4] + digits[byte & 15];
  }
  return text;
}

}  // namespace

TextPieces::TextPieces(std::string path) : path_(std::move(path)) {
  std::ifstream file = opened(path_);
  file.seekg(0, std::ios::end);
  bytes_ = static_cast<index_t>(file.tellg());
  FASTRNN_CHECK(file && bytes_ >= 0, "'" + path_ + "' is no file that can be read twice");
}

std::string_view TextPieces::read(index_t piece, std::vector<char>& buffer) const {
  // From one byte before the piece, which may end a line, to where the next one must have begun.
  const index_t begin = piece * kPiece, end = std::min(begin + kPiece, bytes_);
  const index_t from = std::max<index_t>(begin - 1, 0), to = std::min(end + kLongest, bytes_);
  std::ifstream file = opened(path_);
  file.seekg(from);
  buffer.resize(static_cast<std::size_t>(to - from));
  file.read(buffer.data(), to - from);
  FASTRNN_CHECK(file.gcount() == to - from, "'" + path_ + "' has become shorter while it is read");
  const std::string_view text(buffer.data(), buffer.size());
  // The beginning of a piece: after the next end of line, or after the next white space.
  const auto border = [&](index_t at) {
    if (at == 0 || at == bytes_) return static_cast<std::size_t>(at - from);
    const auto first = static_cast<std::size_t>(at - 1 - from);
    const std::string_view near =
        text.substr(first, static_cast<std::size_t>(std::min(kLongest, bytes_ - at + 1)));
    const std::size_t line = near.find('\n');
    if (line != near.npos) return first + line + 1;
    const auto space = std::find_if(near.begin(), near.end(), is_space);
    const bool ends = at - 1 + static_cast<index_t>(near.size()) == bytes_;
    FASTRNN_CHECK(space != near.end() || ends, "'" + path_ + "' has a word of more than " +
                                                   std::to_string(kLongest) + " bytes at byte " +
                                                   std::to_string(at));
    return space == near.end() ? text.size()
                               : first + static_cast<std::size_t>(space - near.begin()) + 1;
  };
  const std::size_t first = border(begin), last = border(end);
  return text.substr(first, last < first ? 0 : last - first);
}

WordTable count_words(const TextPieces& text, int num_threads) {
  const int most = num_threads > 0 ? num_threads : fastrnn::num_threads();
  const auto threads = static_cast<int>(std::clamp<index_t>(text.pieces(), 1, most));
  std::vector<WordTable> tables(static_cast<std::size_t>(threads));
  std::atomic<index_t> next{0};
  run_team(threads, [&](Team& team) {
    WordTable& table = tables[static_cast<std::size_t>(team.rank())];
    std::vector<char> buffer;
    for (index_t piece; (piece = next++) < text.pieces(); team.check()) {
      for_words(
          text.read(piece, buffer),
          [&](std::string_view word, std::uint32_t hash) { table.add(word, hash, 1); }, [] {});
    }
  });
  WordTable all = std::move(tables[0]);
  for (std::size_t rank = 1; rank < tables.size(); ++rank) all.add(std::exchange(tables[rank], {}));
  for (index_t id = 0; id < all.size(); ++id)
    FASTRNN_CHECK(is_utf8(all.word(id)),
                  "the text must be UTF-8, got the word '" + shown(all.word(id)) + "'");
  return all;
}

}  // namespace fastrnn
