// Convolutions of a frozen network, direct method, in floats or integers: batch-norm is in the weights and the bias; residual,
// ReLU and the rounding of integers happen before a result leaves the registers (kernels/fused_tile.inl.h).
//
// Rows of the product are not gathered: a register tile takes consecutive pixels of one row of the target, whose windows lie at
// equal distances in the source. Two windows on different sources, summed, are one product: a block's last convolution and its
// projection.
//
// Where bfloat16 is multiplied as floats (kernels/tiles.h), rows are gathered: some tiles at a time are widened, and multiplied
// by all weights of a task.
#pragma once

#include <vector>

#include "base/function_ref.h"
#include "ops/frozen_map.h"

namespace swav {

// A convolution's view of its source, which is borrowed and has a margin of at least `padding`.
struct FrozenWindow {
  const FrozenMap* source = nullptr;
  int32_t kernel = 1, stride = 1, padding = 0;
  int32_t channels = 0;  // of the weights; the source may have padding behind them
};

// What follows the sum: floats use bias and relu, integers scales, bfloat16 bias, relu and to_float of scales.
struct FrozenFinish {
  const float* bias = nullptr;  // [columns], as the arrays in scales: padded to whole register tiles
  bool relu = true;
  Requantize scales{};
};

class FrozenConvolution {
 public:
  // target and residual (NULL: none) are borrowed maps of equal size. body: the tiles of bfloat16, or of quads; if NULL the one
  // in use, which quads have where there is AMX.
  FrozenConvolution(Element element, std::vector<FrozenWindow> windows, int32_t filters, const FrozenMap* target,
                    const FrozenMap* residual, const TileKernels* body = nullptr);

  int32_t filters() const { return filters_; }
  // filters, padded to whole register tiles.
  int64_t columns() const { return round_up(filters_, columns_of(element_)); }
  int64_t packed_bytes() const { return depth_ * 4 * columns(); }
  const std::vector<FrozenWindow>& windows() const { return windows_; }

  // The weight at (window, filter, row, column, channel): a float, or an integer in -127..127.
  using Weight = FunctionRef<float(int window, int64_t filter, int32_t r, int32_t s, int64_t channel)>;
  void pack(Weight weight, char* packed) const;

  void run(const char* packed, const FrozenFinish& finish) const;

 private:
  // Consecutive elements of the source: row r of a window, from its column s on.
  struct Stretch {
    int window;
    int32_t r, s;
    int64_t elements, words;
  };
  // A register tile, or a part of one: `rows` pixels of run number `run` from x on.
  struct Tile {
    int64_t run, x;
    int rows;
  };

  Tile tile(int64_t index) const;
  char* address(const FrozenMap& map, int32_t stride, int32_t padding, const Tile& tile) const;
  // The stretches of the depth that a tile reads, and where its results go.
  int segments(const Tile& tile, ProductSegment* segments) const;
  FusedRows rows(const Tile& tile, int64_t column, int64_t size) const;
  bool widened() const { return body_ != nullptr && body_->numbers == 1; }
  int64_t wide_stride() const { return row_stride(depth_); }  // of widened rows
  void widen(const Tile& tile, float* to) const;
  // Tiles [first, last) times panels [panel0, panel1); to: room for group_tiles_ of them.
  void run_widened(int64_t first, int64_t last, int64_t panel0, int64_t panel1, float* to, const char* packed,
                   const FrozenFinish& finish) const;
  void run_tile(const Tile& tile, int64_t column, const char* packed, const FrozenFinish& finish) const;
  // One or two parts.
  void run_parts(TileSession& session, const Tile* parts, int count, int64_t column, const char* packed,
                 const FrozenFinish& finish) const;

  Element element_;
  const TileKernels* body_;  // NULL: fused tiles of vectors
  TileGeometry tile_;
  int parts_ = 1;  // of a register tile
  std::vector<FrozenWindow> windows_;
  int32_t filters_;
  const FrozenMap *target_, *residual_;
  std::vector<Stretch> stretches_;
  int64_t words_ = 0, depth_;  // of the depth in maps, and in packed weights
  int64_t group_tiles_;        // that are widened at a time
  // Runs of pixels that a tile may be cut from: rows of the target, or all of it where no map has a margin.
  bool flat_;
  int64_t runs_, run_length_, run_tiles_;
  int64_t block_tiles_, blocks_, piece_panels_, pieces_;  // of the tasks
};

}  // namespace swav
