// How the rows of a score matrix are cut into pieces: by the shape alone, never by the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/cpu.h"

namespace swav {

struct Pieces {
  int64_t rows;        // of the matrix
  int64_t piece_rows;  // of each piece but the last
  int64_t count;

  int64_t begin(int64_t piece) const { return piece * piece_rows; }
  int64_t end(int64_t piece) const { return std::min(rows, begin(piece) + piece_rows); }
};

// Half of the second-level cache: a piece that is swept twice comes from memory once. At most 64 rows, so that sums over a
// piece can be taken in float; at least 8, so that a row of partial sums for each piece stays an eighth of the matrix.
inline Pieces matrix_pieces(int64_t rows, int64_t columns) {
  const int64_t piece_rows = std::clamp<int64_t>(cache::second / 2 / 4 / columns, 8, 64);
  return {rows, piece_rows, (rows + piece_rows - 1) / piece_rows};
}

// At most 64 pieces of at least 4 rows: for work with scratch space for each piece.
inline Pieces few_pieces(int64_t rows) {
  const int64_t piece_rows = std::max<int64_t>(4, (rows + 63) / 64);
  return {rows, piece_rows, (rows + piece_rows - 1) / piece_rows};
}

}  // namespace swav
