// Dot products of whole tiles at once (AMX): up to 32 rows of operands by up to four vectors.
//
// A file for CPUs that have it defines FASTRNN_AMX_DOT, the instruction. Tiles are named by
// constants: sums are 0 to 3, operands 4 and 5, weights 6 and 7.
#pragma once

#include "fastrnn/simd/vec.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

inline constexpr int kTileRows = 16, kTileBytes = 64;  // of operands; of weights words and lanes

// Rows of two tiles of operands, the second of them perhaps none, and sums of the products of each
// by so many vectors.
class MatrixDot {
  static constexpr int kMost = 4;

 public:
  static constexpr int kTiles = 8;

  // `shape` is the number of rows that this thread's tiles are set for, 0 where they are not:
  // setting them takes as long as a product of 256 columns.
  MatrixDot(index_t rows, index_t vectors, int& shape) : vectors_(vectors) {
    rows_[0] = rows > kTileRows ? (rows + 1) / 2 : rows;
    rows_[1] = rows - rows_[0];
    if (rows == shape) return;
    Shape tiles;
    for (int i = 0; i < kTiles; ++i) {
      const bool second = i == 5 || (rows_[1] > 0 && (i == 2 || i == 3));
      const index_t count = i >= 6 ? kTileRows : second ? rows_[1] : rows_[0];
      tiles.rows[i] = static_cast<std::uint8_t>(count);
      tiles.bytes[i] = count > 0 ? kTileBytes : 0;
    }
    _tile_loadconfig(&tiles);
    shape = static_cast<int>(rows);
  }

  // sums = a·w over `steps` tiles of 16 words. Rows of a lie `apart` bytes from one to the next;
  // weights of a word `step` bytes. Sums [vector][row][lane] go to `to`; vectors are 1 to 4 for 16
  // rows, 1 or 2 for more.
  void run(const unsigned char* a, index_t apart, const unsigned char* w, index_t step,
           index_t steps, std::int32_t* to) const {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    rows_[1] > 0 ? sum_two(a, apart, w, step, steps) : sum_one(a, apart, w, step, steps);
    constexpr index_t kPart = kTileRows * kTileBytes / 4, kNext = 2 * kPart;
    if (rows_[1] > 0) {  // rows of both tiles, one after the other
      std::int32_t* const second = to + rows_[0] * kTileBytes / 4;
      _tile_stored(0, to, kTileBytes);
      _tile_stored(2, second, kTileBytes);
      if (vectors_ < 2) return;
      _tile_stored(1, to + kNext, kTileBytes);
      _tile_stored(3, second + kNext, kTileBytes);
      return;
    }
    _tile_stored(0, to, kTileBytes);
    if (vectors_ > 1) _tile_stored(1, to + kNext, kTileBytes);
    if (vectors_ > 2) _tile_stored(2, to + 2 * kNext, kTileBytes);
    if (vectors_ > 3) _tile_stored(3, to + 3 * kNext, kTileBytes);
  }
  static constexpr index_t kSums = kMost * 2 * kTileRows * kTileBytes / 4;  // that `to` holds
  static constexpr index_t kVector = 2 * kTileRows * kTileBytes / 4;        // from one to the next

 private:
  struct alignas(64) Shape {
    std::uint8_t palette = 1, start = 0, none[14] = {};
    std::uint16_t bytes[16] = {};
    std::uint8_t rows[16] = {};
  };

  void sum_one(const unsigned char* a, index_t apart, const unsigned char* w, index_t step,
               index_t steps) const {
    for (index_t k = 0; k < steps; ++k, a += kTileBytes, w += kTileRows * step) {
      _tile_loadd(4, a, apart);
      _tile_loadd(6, w, step);
      FASTRNN_AMX_DOT(0, 4, 6);
      if (vectors_ < 2) continue;
      _tile_loadd(7, w + kTileBytes, step);
      FASTRNN_AMX_DOT(1, 4, 7);
      if (vectors_ < 3) continue;
      _tile_loadd(6, w + 2 * kTileBytes, step);
      FASTRNN_AMX_DOT(2, 4, 6);
      if (vectors_ < 4) continue;
      _tile_loadd(7, w + 3 * kTileBytes, step);
      FASTRNN_AMX_DOT(3, 4, 7);
    }
  }
  void sum_two(const unsigned char* a, index_t apart, const unsigned char* w, index_t step,
               index_t steps) const {
    const index_t second = rows_[0] * apart;
    for (index_t k = 0; k < steps; ++k, a += kTileBytes, w += kTileRows * step) {
      _tile_loadd(4, a, apart);
      _tile_loadd(5, a + second, apart);
      _tile_loadd(6, w, step);
      FASTRNN_AMX_DOT(0, 4, 6);
      FASTRNN_AMX_DOT(2, 5, 6);
      if (vectors_ < 2) continue;
      _tile_loadd(7, w + kTileBytes, step);
      FASTRNN_AMX_DOT(1, 4, 7);
      FASTRNN_AMX_DOT(3, 5, 7);
    }
  }

  index_t vectors_, rows_[2];
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
