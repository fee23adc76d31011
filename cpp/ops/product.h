// Convolutions and linear layers as one operation: a matrix product whose rows are gathered from a map of pixels.
//
//     target[m][n] = sum over taps t, channels c of source[pixel(m) + tap(t)][c] * weight[t][c][n]
//
// A forward convolution is one such product; its backward towards the data is one for stride 1 and stride^2 of them (one for
// each phase of the target's pixels) otherwise, so that no multiplication meets a zero that the stride would have inserted. A
// linear layer is the case of maps of one pixel. Rows are packed into panels by the worker that multiplies them (operand.h).
//
// Work is cut into blocks of rows and pieces of columns by a pure function of (shape, instruction set): results do not depend
// on the number of threads.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/function_ref.h"
#include "base/scratch.h"
#include "ops/operand.h"

namespace swav {

struct Tap {
  int32_t dy, dx;  // source pixel = grid pixel * step + (dy, dx); outside the map it is padding
};

struct Gather {
  int64_t images = 0;
  int32_t source_height = 0, source_width = 0;
  int32_t pixel = 0;     // floats from one source pixel to the next
  int32_t channels = 0;  // floats read at a tap; more than `pixel` where a tap spans neighbours (the first convolution)
  int32_t grid_height = 0, grid_width = 0, step = 1;
  int32_t tap_count = 0;
  std::array<Tap, 9> taps{};
  int32_t columns = 0;
  // Row (image, gy, gx) of the product goes to pixel (gy * target_step + target_y, gx * target_step + target_x) of the target.
  int32_t target_height = 0, target_width = 0, target_step = 1, target_y = 0, target_x = 0;

  int64_t rows() const { return images * grid_height * grid_width; }
  int64_t depth() const { return int64_t(tap_count) * channels; }
  bool dense() const { return target_step == 1; }
};

// Where a product's weights lie in the master array. Either a column's weights lie together (forward): the one of depth
// depth_at[i] at column * column_stride + i. Or a channel's (backward towards the data): the one of tap t at
// channel * channel_stride + column * column_stride + tap_offset[t].
struct WeightLayout {
  int64_t column_stride = 0;
  std::vector<int32_t> depth_at;
  int64_t channel_stride = 0;
  std::vector<int32_t> tap_offset;
};

// How a product is cut.
struct Blocking {
  int64_t block_rows, row_blocks;
  int64_t piece_columns, column_pieces;
  int64_t depth_blocks, block_depth;
};
Blocking blocking(const Gather& gather);

// Floats that the packed weights of a product take.
int64_t packed_weight_count(const Gather& gather);

// Scratch of the workers for pack_weights and gather_product, and for weight_gradient.
ScratchSize product_scratch(const Gather& gather, const WeightLayout& layout);
ScratchSize weight_gradient_scratch(const Gather& gather);

// Master weights -> panels of at most block_depth depths. Parallel. Taps that are not in `used` (a bit each) stay unwritten.
void pack_weights(const Gather& gather, const WeightLayout& layout, int64_t block_depth, const float* weights, float* packed,
                  uint32_t used = ~0u);

// Called when a block of rows [row0, row1) x columns [column0, column1) of a dense target is complete, while it is in the
// cache.
using Epilogue = FunctionRef<void(int64_t block, int64_t row0, int64_t row1, int64_t column0, int64_t column1)>;

// The product of floats; `accumulate` adds to the target. An epilogue needs a dense target.
void gather_product(const Gather& gather, const Operand& source, const float* packed, float* target, bool accumulate,
                    Epilogue epilogue);

// Floats of workspace for weight_gradient.
int64_t weight_gradient_workspace(const Gather& gather);

// layout is a forward one. gradient[layout(k, n)] += sum over m of source[pixel(m) + tap(k)] * d_target[m][n];
// gather is the forward product, d_target dense.
void weight_gradient(const Gather& gather, const WeightLayout& layout, const Operand& source, const Operand& d_target,
                     float* workspace, float* gradient);

// How the weight gradient of a product by register tiles of tile_rows x tile_columns is cut. The depth is cut into panels of
// tile_rows channels of one tap, as the tile takes them. The matrix [panels][columns] is cut into blocks; the sum over rows,
// chunk_rows of which are packed at a time, into ranges with results of their own, added up in order.
struct WeightGradientBlocking {
  int64_t tap_panels, panels;  // of a tap, of all
  int64_t block_panels, panel_blocks;
  int64_t block_columns, column_blocks;
  int64_t range_rows, ranges;
};
WeightGradientBlocking weight_gradient_blocking(const Gather& gather, int64_t tile_rows, int64_t tile_columns,
                                                int64_t chunk_rows);

// Its results lie tile by tile, so that the tiles of a wide matrix do not meet in one set of the first-level cache: ranges of
// [ceil(columns / width)][depth][width], the width being that of a register tile.
int64_t gradient_result_count(const Gather& gather, int64_t width);  // floats of a range
ScratchSize add_gradient_scratch(int64_t width);

// The last part of it: gradient += sum over ranges, in order, of their results, of the taps in `used`.
void add_weight_gradient(const Gather& gather, const WeightLayout& layout, int64_t width, int64_t ranges, const float* results,
                         float* gradient, uint32_t used = ~0u);

}  // namespace swav
