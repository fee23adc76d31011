#include "ops/tile_product.h"

#include <algorithm>

#include "base/parallel.h"
#include "ops/row_walker.h"

namespace swav {
namespace {

constexpr int64_t wanted_block_rows = 128, most_panel = cache::second / 2 / 4;  // words of a panel
// Of a piece; the columns of any tile divide it.
constexpr int64_t unit_columns = bfloat_vector_tile.columns;
static_assert(unit_columns == bfloat_amx_tile.columns);
// Whose weights are packed at a time; even, so that pairs stay together.
constexpr int64_t chunk_channels = 32, group_channels = 8;
static_assert(wanted_block_rows <= RowWalker::most_rows);

}  // namespace

TileProduct::TileProduct(const Gather& gather, const WeightLayout& layout, const TileKernels& body)
    : gather_(gather), layout_(layout), body_(&body) {
  words_ = round_up(gather_.tap_count * tap_words(), body.tile.words);
  offset_.resize(layout.depth_at.size());
  for (size_t i = 0; i < layout.depth_at.size(); ++i) offset_[size_t(layout.depth_at[i])] = int32_t(i);
  set_blocking();
  set_gradient_blocking();
}

void TileProduct::set_blocking() {
  const int64_t m = gather_.rows(), tile_rows = in_vector_order() ? bfloat_vector_tile.rows : body_->tile.rows;
  const int64_t row = row_stride(in_vector_order() ? gather_.depth() : words_);
  int64_t tiles = std::max<int64_t>(1, std::min(wanted_block_rows, most_panel / row) / tile_rows);
  while (tiles > 1 && ceil_div(m, tiles * tile_rows) < wanted_tasks) tiles /= 2;
  block_rows_ = tiles * tile_rows;
  row_blocks_ = ceil_div(m, block_rows_);
  const int64_t panels = ceil_div(gather_.columns, unit_columns);
  piece_columns_ = ceil_div(panels, std::clamp<int64_t>(wanted_tasks / row_blocks_, 1, panels)) * unit_columns;
  column_pieces_ = ceil_div(gather_.columns, piece_columns_);
}

int64_t TileProduct::packed_count() const { return words_ * round_up(gather_.columns, width()); }

ScratchSize TileProduct::product_scratch() const {
  ScratchSize size;
  size.include(Scratch::operand, block_rows_ * row_stride(words_));
  size.include(Scratch::result, body_->tile.rows * width());
  if (!offset_.empty())
    size.include(Scratch::operand, std::max<int64_t>(chunk_channels * gather_.tap_count, gather_.depth()) * width());
  else size.include(Scratch::operand, group_channels * layout_.column_stride * width());
  return size;
}

void TileProduct::pack(const float* weights, float* packed) const {
  if (offset_.empty()) pack_by_channel(weights, packed);
  else pack_by_column(weights, packed);
  const int64_t unused = words_ - gather_.tap_count * tap_words();
  for (int64_t n = width(); unused > 0 && n <= round_up(gather_.columns, width()); n += width()) {
    std::fill(packed + n * words_ - unused * width(), packed + n * words_, 0.0f);
  }
}

void TileProduct::pack_weights(const float* const* rows, int64_t count, int64_t n, float* to) const {
  if (widened()) bfloat_kernels().bfloat_values_float(rows, count, n, to, width(), width(), 0);
  else bfloat_kernels().bfloat_pairs_float(rows, ceil_div(count, 2), n, to, width(), width(), 0);
}

// A column's weights lie together, channel by channel: those of some channels and a panel of columns are transposed, then
// rows of the same tap go side by side.
void TileProduct::pack_by_column(const float* weights, float* packed) const {
  const Gather& g = gather_;
  const int64_t width = this->width(), chunk = spans() ? g.channels : chunk_channels, chunks = ceil_div(g.channels, chunk);
  const TeamScratch scratch(product_scratch());
  parallel::for_each(ceil_div(g.columns, width) * chunks, [&](int64_t task, int worker) {
    const int64_t n0 = task / chunks * width, n = std::min<int64_t>(g.columns - n0, width);
    const int64_t c0 = task % chunks * chunk, c1 = std::min<int64_t>(g.channels, c0 + chunk);
    const int64_t begin = c0 * g.tap_count, count = (c1 - c0) * g.tap_count;
    float* tile = scratch.get(worker, Scratch::operand, count * width);
    if (n < width) std::fill(tile, tile + count * width, 0.0f);
    kernels().transpose(weights + n0 * layout_.column_stride + begin, layout_.column_stride, n, count, tile, width);
    for (int64_t tap = 0; tap < g.tap_count; ++tap) {
      for (int64_t c = c0; c < c1; c += chunk_channels) {
        const int64_t some = std::min(chunk_channels, c1 - c);
        const float* rows[chunk_channels + 1] = {};
        for (int64_t i = 0; i < some; ++i) rows[i] = tile + (offset_[size_t(tap * g.channels + c + i)] - begin) * width;
        pack_weights(rows, some, width, packed + n0 * words_ + (tap * tap_words() + c / body_->numbers) * width);
      }
    }
  });
}

// A channel's weights lie together, the taps of a column side by side.
void TileProduct::pack_by_channel(const float* weights, float* packed) const {
  const Gather& g = gather_;
  const int64_t width = this->width(), taps = layout_.column_stride, chunks = ceil_div(g.channels, chunk_channels);
  const TeamScratch scratch(product_scratch());
  parallel::for_each(ceil_div(g.columns, width) * chunks, [&](int64_t task, int worker) {
    const int64_t n0 = task / chunks * width, n = std::min<int64_t>(g.columns - n0, width);
    const int64_t c0 = task % chunks * chunk_channels, c1 = std::min<int64_t>(g.channels, c0 + chunk_channels);
    float* tile = scratch.get(worker, Scratch::operand, group_channels * taps * width);
    for (int64_t c = c0; c < c1; c += group_channels) {
      const float* from = weights + c * layout_.channel_stride + n0 * taps;
      const int64_t some = std::min(group_channels, c1 - c);
      for (int64_t i = 0; i < some && taps > 1; ++i) {
        kernels().transpose(from + i * layout_.channel_stride, taps, n, taps, tile + i * taps * width, width);
      }
      for (int64_t tap = 0; tap < g.tap_count; ++tap) {
        const int64_t offset = layout_.tap_offset[size_t(tap)];
        const float* rows[group_channels + 1] = {};
        for (int64_t i = 0; i < some; ++i) {
          rows[i] = taps > 1 ? tile + (i * taps + offset) * width : from + i * layout_.channel_stride + offset;
        }
        pack_weights(rows, some, n, packed + n0 * words_ + (tap * tap_words() + c / body_->numbers) * width);
      }
    }
  });
}

void TileProduct::pack_rows(const Operand& source, int64_t row0, int64_t count, float* panel) const {
  const Gather& g = gather_;
  const int64_t stride = row_stride(words_), unused = words_ - g.tap_count * tap_words();
  const bfloat16* rows[RowWalker::most_rows];
  for (int64_t tap = 0; tap < g.tap_count; ++tap) {
    float* to = panel + tap * tap_words();
    addresses(g, source.data.halves(), row0, count, g.taps[size_t(tap)], 0, rows);
    if (widened()) pack_widened(bfloat_kernels(), source, rows, count, 0, g.channels, to, stride);
    else swav::pack(bfloat_kernels(), source, rows, count, 0, g.channels, reinterpret_cast<bfloat16*>(to), 2 * stride);
  }
  for (int64_t r = 0; unused > 0 && r < count; ++r) {
    std::fill(panel + r * stride + words_ - unused, panel + r * stride + words_, 0.0f);
  }
}

void TileProduct::target_rows(bfloat16* target, int64_t row0, int64_t count, bfloat16** rows) const {
  const Gather& g = gather_;
  const int64_t grid = int64_t(g.grid_height) * g.grid_width;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t row = row0 + i, image = row / grid, gy = row % grid / g.grid_width, gx = row % g.grid_width;
    const int64_t y = gy * g.target_step + g.target_y, x = gx * g.target_step + g.target_x;
    rows[i] = target + ((image * g.target_height + y) * g.target_width + x) * g.columns;
  }
}

void TileProduct::product(const Operand& source, const float* packed, Values target, bool accumulate, Epilogue epilogue) const {
  const Gather& g = gather_;
  const int64_t m = g.rows(), tile_rows = body_->tile.rows, stride = row_stride(words_), width = this->width();
  const int64_t partner = source.partner ? source.partner.halves() - source.data.halves() : 0;
  // Not where the target is the larger part: its own lines come first.
  const bool ahead_pays = g.depth() * (partner != 0 ? 2 : 1) > g.columns;
  const int team = parallel::threads();
  const TeamScratch scratch(product_scratch());
  parallel::for_each(row_blocks_ * column_pieces_, [&](int64_t task, int worker) {
    const int64_t block = task / column_pieces_, row0 = block * block_rows_, row1 = std::min(m, row0 + block_rows_);
    const int64_t column0 = task % column_pieces_ * piece_columns_;
    const int64_t column1 = std::min<int64_t>(g.columns, column0 + piece_columns_);
    float* panel = scratch.get(worker, Scratch::operand, block_rows_ * stride);
    float* sums = scratch.get(worker, Scratch::result, tile_rows * width);
    bfloat16* rows[RowWalker::most_rows];
    target_rows(target.halves(), row0, row1 - row0, rows);
    pack_rows(source, row0, row1 - row0, panel);
    Lookahead lookahead(ceil_div(row1 - row0, tile_rows) * ceil_div(column1 - column0, width), words_ / body_->tile.words);
    const int64_t next = (task + team) / column_pieces_ * block_rows_;
    if (ahead_pays) look_ahead(g, source.data.halves(), partner, next, std::min(m, next + block_rows_), lookahead);
    {
      TileSession session(*body_);
      for (int64_t n = column0; n < column1; n += width) {
        for (int64_t row = row0; row < row1; row += tile_rows) {
          const int count = int(std::min(tile_rows, row1 - row));
          const ProductSegment segment{reinterpret_cast<const char*>(panel + (row - row0) * stride), 4 * stride, words_};
          session.product(&segment, 1, packed + n * words_, count, sums, width, false, lookahead.next());
          bfloat_kernels().write_bfloat(sums, width, rows + (row - row0), n, count, std::min(width, column1 - n), accumulate);
        }
      }
    }
    if (epilogue) epilogue(block, row0, row1, column0, column1);
  });
}

}  // namespace swav
