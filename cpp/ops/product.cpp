#include "ops/product.h"

#include <cstring>

#include "base/parallel.h"
#include "ops/lookahead.h"
#include "ops/row_walker.h"

namespace swav {
namespace {

// Rows of a block, and floats of its packed panel.
constexpr int64_t wanted_block_rows = 112, most_panel = cache::second / 2 / 4;
// Deeper products add to their target more than once.
constexpr int64_t most_depth = 2304;

// Depths that pack_weights treats at a time: with 32 columns 36 KiB.
constexpr int64_t pack_chunk = 288;

// Copies a dense block [row0, row1) x [column0, column1) to the pixels of a target with gaps.
void scatter(const Gather& g, int64_t row0, int64_t row1, int64_t column0, int64_t column1, const float* from, float* target,
             bool accumulate) {
  const int64_t grid = int64_t(g.grid_height) * g.grid_width, n = column1 - column0;
  for (int64_t row = row0; row < row1; ++row, from += n) {
    const int64_t image = row / grid, gy = row % grid / g.grid_width, gx = row % g.grid_width;
    const int64_t y = gy * g.target_step + g.target_y, x = gx * g.target_step + g.target_x;
    float* to = target + ((image * g.target_height + y) * g.target_width + x) * g.columns + column0;
    if (accumulate) kernels().add_row(to, 0, 1, n, from);
    else std::memcpy(to, from, size_t(n) * sizeof(float));
  }
}

}  // namespace

Blocking blocking(const Gather& g) {
  const Kernels& kernel = kernels();
  const int64_t m = g.rows(), k = g.depth();
  Blocking b;
  b.depth_blocks = ceil_div(k, most_depth);
  b.block_depth = ceil_div(k, b.depth_blocks);
  int64_t tiles = std::min(wanted_block_rows, most_panel / row_stride(b.block_depth)) / kernel.tile_rows;
  while (tiles > 2 && ceil_div(m, tiles * kernel.tile_rows) < wanted_tasks) tiles /= 2;
  b.block_rows = tiles * kernel.tile_rows;
  b.row_blocks = ceil_div(m, b.block_rows);
  const int64_t panels = ceil_div(g.columns, kernel.tile_columns);
  b.column_pieces = std::clamp<int64_t>(wanted_tasks / b.row_blocks, 1, ceil_div(panels, 2));
  b.piece_columns = ceil_div(panels, b.column_pieces) * kernel.tile_columns;
  b.column_pieces = ceil_div(g.columns, b.piece_columns);
  return b;
}

int64_t packed_weight_count(const Gather& g) { return g.depth() * round_up(g.columns, kernels().tile_columns); }

namespace {

// Of a panel's tile of weights: a stretch of depths, or all taps of a channel.
ScratchSize pack_scratch(const WeightLayout& layout) {
  ScratchSize size;
  const int64_t width = kernels().tile_columns;
  if (!layout.depth_at.empty()) size.include(Scratch::operand, pack_chunk * width);
  if (layout.depth_at.empty() && layout.column_stride > 1) size.include(Scratch::operand, layout.column_stride * width);
  return size;
}

// A column's weights lie together: transpose a stretch of them, then put each row in its place.
template <class Row>
void pack_by_column(const Gather& g, const WeightLayout& layout, const float* weights, uint32_t used, Row row) {
  const Kernels& kernel = kernels();
  const int64_t width = kernel.tile_columns, depth = g.depth(), chunks = ceil_div(depth, pack_chunk);
  const TeamScratch scratch(pack_scratch(layout));
  parallel::for_each(ceil_div(g.columns, width) * chunks, [&](int64_t task, int worker) {
    const int64_t n0 = task / chunks * width, n = std::min<int64_t>(g.columns - n0, width);
    const int64_t begin = task % chunks * pack_chunk, count = std::min(depth - begin, pack_chunk);
    // Depths of a single tap come in order.
    const bool in_place = g.tap_count == 1 && row(begin, n0) + (count - 1) * width == row(begin + count - 1, n0);
    float* tile = in_place ? row(begin, n0) : scratch.get(worker, Scratch::operand, pack_chunk * width);
    if (n < width) std::fill(tile, tile + count * width, 0.0f);
    kernel.transpose(weights + n0 * layout.column_stride + begin, layout.column_stride, n, count, tile, width);
    for (int64_t i = 0; i < count && !in_place; ++i) {
      const int64_t k = layout.depth_at[size_t(begin + i)];
      if (used >> (k / g.channels) & 1) std::copy(tile + i * width, tile + (i + 1) * width, row(k, n0));
    }
  });
}

// A channel's weights lie together, and there is one tap: rows of panels.
template <class Row>
void pack_rows(const Gather& g, const WeightLayout& layout, const float* weights, Row row) {
  const Kernels& kernel = kernels();
  constexpr int64_t chunk = 16;  // channels
  const int64_t width = kernel.tile_columns;
  parallel::for_each(ceil_div(g.channels, chunk), [&](int64_t task, int) {
    for (int64_t k = task * chunk; k < std::min<int64_t>(g.channels, (task + 1) * chunk); ++k) {
      const float* from = weights + k * layout.channel_stride + layout.tap_offset[0];
      kernel.pack_plain(&from, 1, g.columns, row(k, 0), 0, width, row(k, width) - row(k, 0));
    }
  });
}

// A channel's weights lie together, the taps of a column side by side: transpose those of one channel and some columns.
template <class Row>
void pack_by_channel(const Gather& g, const WeightLayout& layout, const float* weights, uint32_t used, Row row) {
  const Kernels& kernel = kernels();
  constexpr int64_t chunk = 32;  // channels
  const int64_t width = kernel.tile_columns, taps = layout.column_stride, chunks = ceil_div(g.channels, chunk);
  const TeamScratch scratch(pack_scratch(layout));
  parallel::for_each(ceil_div(g.columns, width) * chunks, [&](int64_t task, int worker) {
    const int64_t n0 = task / chunks * width, n = std::min<int64_t>(g.columns - n0, width);
    const int64_t begin = task % chunks * chunk, end = std::min<int64_t>(g.channels, begin + chunk);
    float* tile = scratch.get(worker, Scratch::operand, taps * width);
    std::fill(tile, tile + taps * width, 0.0f);
    for (int64_t channel = begin; channel < end; ++channel) {
      const float* from = weights + channel * layout.channel_stride + n0 * taps;
      ask_for(from + 3 * layout.channel_stride, n * taps);
      kernel.transpose(from, taps, n, taps, tile, width);
      for (int32_t tap = 0; tap < g.tap_count; ++tap) {
        if (!(used >> tap & 1)) continue;
        const float* weights_of_tap = tile + layout.tap_offset[size_t(tap)] * width;
        std::copy(weights_of_tap, weights_of_tap + width, row(tap * g.channels + channel, n0));
      }
    }
  });
}

}  // namespace

void pack_weights(const Gather& g, const WeightLayout& layout, int64_t block_depth, const float* weights, float* packed,
                  uint32_t used) {
  const int64_t width = kernels().tile_columns, depth = g.depth(), padded = round_up(g.columns, width);
  auto row = [=](int64_t k, int64_t n0) {  // panel row of depth k and columns n0..
    const int64_t k0 = k / block_depth * block_depth, rows = std::min(depth - k0, block_depth);
    return packed + k0 * padded + n0 * rows + (k - k0) * width;
  };
  if (layout.depth_at.empty() && layout.column_stride == 1) pack_rows(g, layout, weights, row);
  else if (layout.depth_at.empty()) pack_by_channel(g, layout, weights, used, row);
  else pack_by_column(g, layout, weights, used, row);
}

namespace {

// A target with gaps between its rows gets its values from a dense block at the end.
ScratchSize gather_scratch(const Gather& g) {
  const Blocking b = blocking(g);
  ScratchSize size;
  size.include(Scratch::operand, b.block_rows * row_stride(b.block_depth));
  if (!g.dense()) size.include(Scratch::result, b.block_rows * std::min<int64_t>(g.columns, b.piece_columns));
  return size;
}

}  // namespace

ScratchSize product_scratch(const Gather& g, const WeightLayout& layout) {
  ScratchSize size = gather_scratch(g);
  size.include(pack_scratch(layout));
  return size;
}

void gather_product(const Gather& g, const Operand& source, const float* packed, float* target, bool accumulate,
                    Epilogue epilogue) {
  const Kernels& kernel = kernels();
  const Blocking b = blocking(g);
  const int64_t m = g.rows(), depth = g.depth(), width = kernel.tile_columns, tile_rows = kernel.tile_rows;
  const int64_t padded = round_up(g.columns, width);
  const RowWalker walker(kernel, g, source);
  const int team = parallel::threads();
  // Not where the target is the larger part: its own lines come first.
  const bool ahead_pays = depth * (source.partner ? 2 : 1) > g.columns;
  const TeamScratch scratch(gather_scratch(g));
  parallel::for_each(b.row_blocks * b.column_pieces, [&](int64_t task, int worker) {
    const int64_t block = task / b.column_pieces, piece = task % b.column_pieces;
    const int64_t row0 = block * b.block_rows, row1 = std::min(m, row0 + b.block_rows);
    const int64_t column0 = piece * b.piece_columns, column1 = std::min<int64_t>(g.columns, column0 + b.piece_columns);
    const int64_t a_stride = row_stride(b.block_depth);
    float* panel = scratch.get(worker, Scratch::operand, b.block_rows * a_stride);
    const int64_t out_stride = g.dense() ? g.columns : column1 - column0;
    float* out =
        g.dense() ? target + row0 * g.columns + column0 : scratch.get(worker, Scratch::result, b.block_rows * out_stride);
    const int64_t tiles = ceil_div(row1 - row0, tile_rows) * ceil_div(column1 - column0, width);
    Lookahead lookahead(tiles * b.depth_blocks, b.block_depth);
    const int64_t next = (task + team) / b.column_pieces * b.block_rows;
    if (ahead_pays) walker.look_ahead(next, std::min(m, next + b.block_rows), lookahead);
    for (int64_t kb = 0; kb < b.depth_blocks; ++kb) {
      const int64_t k0 = kb * b.block_depth, k1 = std::min(depth, k0 + b.block_depth);
      walker.pack(row0, row1 - row0, k0, k1, panel, a_stride);
      const bool add = kb > 0 || (accumulate && g.dense());
      for (int64_t n = column0; n < column1; n += width) {
        const float* weights = packed + k0 * padded + n * (k1 - k0);
        for (int64_t row = row0; row < row1; row += tile_rows) {
          kernel.product_rows(k1 - k0, panel + (row - row0) * a_stride, a_stride, weights,
                              out + (row - row0) * out_stride + (n - column0), out_stride, int(std::min(tile_rows, row1 - row)),
                              std::min(width, column1 - n), add, lookahead.next());
        }
      }
    }
    if (!g.dense()) scatter(g, row0, row1, column0, column1, out, target, accumulate);
    if (epilogue) epilogue(block, row0, row1, column0, column1);
  });
}

}  // namespace swav
