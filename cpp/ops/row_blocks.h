// How work is cut: into tasks, and the rows of a result into blocks, for whoever keeps something for each block (batch-norm's
// moments and sums).
#pragma once

#include <algorithm>
#include <cstdint>

namespace swav {

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

// About so many tasks make the last one short beside the whole, on a few threads and on many.
constexpr int64_t wanted_tasks = 32;

struct RowBlocks {
  int64_t rows = 0;
  int64_t unit = 1;  // rows a block
  // Where blocks are whole rows of 4x4 tiles of maps: maps of height x width, and `unit` such rows of tiles a block.
  int64_t height = 0, width = 0;

  int64_t count() const { return height == 0 ? ceil_div(rows, unit) : ceil_div(tile_rows(), unit); }
  int64_t begin(int64_t block) const {
    if (height == 0) return std::min(rows, block * unit);
    const int64_t tile_row = std::min(tile_rows(), block * unit), an_image = ceil_div(height, 4);
    return (tile_row / an_image * height + std::min(height, tile_row % an_image * 4)) * width;
  }
  int64_t end(int64_t block) const { return begin(block + 1); }

 private:
  int64_t tile_rows() const { return rows / (height * width) * ceil_div(height, 4); }
};

}  // namespace swav
