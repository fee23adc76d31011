#include "ops/tile_product.h"

#include <algorithm>

#include "base/parallel.h"
#include "ops/row_walker.h"

namespace swav {
namespace {

constexpr int64_t wanted_block_rows = 128, most_panel = cache::second / 2 / 4;  // words of a panel
constexpr int64_t width = bfloat_vector_tile.columns;
static_assert(width == bfloat_amx_tile.columns);
constexpr int64_t chunk_channels = 32;  // whose weights are packed at a time; even, so that pairs stay together
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
  const int64_t m = gather_.rows(), tile_rows = body_->tile.rows;
  int64_t tiles = std::max<int64_t>(1, std::min(wanted_block_rows, most_panel / row_stride(words_)) / tile_rows);
  while (tiles > 1 && ceil_div(m, tiles * tile_rows) < wanted_tasks) tiles /= 2;
  block_rows_ = tiles * tile_rows;
  row_blocks_ = ceil_div(m, block_rows_);
  const int64_t panels = ceil_div(gather_.columns, width);
  piece_columns_ = ceil_div(panels, std::clamp<int64_t>(wanted_tasks / row_blocks_, 1, panels)) * width;
  column_pieces_ = ceil_div(gather_.columns, piece_columns_);
}

int64_t TileProduct::packed_count() const { return words_ * round_up(gather_.columns, width); }

ScratchSize TileProduct::product_scratch() const {
  ScratchSize size;
  size.include(Scratch::operand, block_rows_ * row_stride(words_));
  size.include(Scratch::result, body_->tile.rows * width);
  if (!offset_.empty())
    size.include(Scratch::operand, std::max<int64_t>(chunk_channels * gather_.tap_count, gather_.depth()) * width);
  else size.include(Scratch::operand, 2 * layout_.column_stride * width);
  return size;
}

void TileProduct::pack(const float* weights, float* packed) const {
  if (offset_.empty()) pack_by_channel(weights, packed);
  else pack_by_column(weights, packed);
  const int64_t used = gather_.tap_count * tap_words();
  for (int64_t n = 0; used < words_ && n < gather_.columns; n += width) {
    std::fill(packed + (n + width) * words_ - (words_ - used) * width, packed + (n + width) * words_, 0.0f);
  }
}

// A column's weights lie together, channel by channel: those of some channels and a panel of columns are transposed, then
// channels are paired tap by tap.
void TileProduct::pack_by_column(const float* weights, float* packed) const {
  const Gather& g = gather_;
  const int64_t chunk = spans() ? g.channels : chunk_channels, chunks = ceil_div(g.channels, chunk);
  const TeamScratch scratch(product_scratch());
  parallel::for_each(ceil_div(g.columns, width) * chunks, [&](int64_t task, int worker) {
    const int64_t n0 = task / chunks * width, n = std::min<int64_t>(g.columns - n0, width);
    const int64_t c0 = task % chunks * chunk, c1 = std::min<int64_t>(g.channels, c0 + chunk);
    const int64_t begin = c0 * g.tap_count, count = (c1 - c0) * g.tap_count;
    float* tile = scratch.get(worker, Scratch::operand, count * width);
    if (n < width) std::fill(tile, tile + count * width, 0.0f);
    kernels().transpose(weights + n0 * layout_.column_stride + begin, layout_.column_stride, n, count, tile, width);
    for (int64_t tap = 0; tap < g.tap_count; ++tap) {
      for (int64_t c = c0; c < c1; c += 2) {
        const int32_t* offset = offset_.data() + tap * g.channels + c;
        const float* pair[] = {tile + (offset[0] - begin) * width, c + 1 < c1 ? tile + (offset[1] - begin) * width : nullptr};
        bfloat_kernels().bfloat_pairs_float(pair, 1, width, packed + n0 * words_ + (tap * tap_words() + c / 2) * width, width,
                                            width, 0);
      }
    }
  });
}

// A channel's weights lie together, the taps of a column side by side.
void TileProduct::pack_by_channel(const float* weights, float* packed) const {
  const Gather& g = gather_;
  const int64_t taps = layout_.column_stride, chunks = ceil_div(g.channels, chunk_channels);
  const TeamScratch scratch(product_scratch());
  parallel::for_each(ceil_div(g.columns, width) * chunks, [&](int64_t task, int worker) {
    const int64_t n0 = task / chunks * width, n = std::min<int64_t>(g.columns - n0, width);
    const int64_t c0 = task % chunks * chunk_channels, c1 = std::min<int64_t>(g.channels, c0 + chunk_channels);
    float* tile = scratch.get(worker, Scratch::operand, 2 * taps * width);
    for (int64_t c = c0; c < c1; c += 2) {
      const float* from = weights + c * layout_.channel_stride + n0 * taps;
      const int64_t both = c + 1 < c1 ? 2 : 1;
      for (int64_t i = 0; i < both && taps > 1; ++i) {
        kernels().transpose(from + i * layout_.channel_stride, taps, n, taps, tile + i * taps * width, width);
      }
      for (int64_t tap = 0; tap < g.tap_count; ++tap) {
        const int64_t offset = layout_.tap_offset[size_t(tap)];
        const float* first = taps > 1 ? tile + offset * width : from + offset;
        const float* pair[] = {first, both == 1 ? nullptr : first + (taps > 1 ? taps * width : layout_.channel_stride)};
        bfloat_kernels().bfloat_pairs_float(pair, 1, n, packed + n0 * words_ + (tap * tap_words() + c / 2) * width, width,
                                            width, 0);
      }
    }
  });
}

void TileProduct::pack_rows(const Operand& source, int64_t row0, int64_t count, float* panel) const {
  const Gather& g = gather_;
  const int64_t stride = 2 * row_stride(words_), used = 2 * g.tap_count * tap_words();
  bfloat16* to = reinterpret_cast<bfloat16*>(panel);
  const bfloat16* rows[RowWalker::most_rows];
  for (int64_t tap = 0; tap < g.tap_count; ++tap) {
    addresses(g, source.data.halves(), row0, count, g.taps[size_t(tap)], 0, rows);
    swav::pack(bfloat_kernels(), source, rows, count, 0, g.channels, to + 2 * tap * tap_words(), stride);
    if (g.channels % 2 == 0) continue;
    for (int64_t r = 0; r < count; ++r) to[r * stride + 2 * tap * tap_words() + g.channels] = {};
  }
  if (used == 2 * words_) return;
  for (int64_t r = 0; r < count; ++r) std::fill(to + r * stride + used, to + r * stride + 2 * words_, bfloat16{});
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
  const int64_t m = g.rows(), tile_rows = body_->tile.rows, stride = row_stride(words_);
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
    {
      TileSession session(*body_);
      for (int64_t n = column0; n < column1; n += width) {
        const bfloat16* weights = reinterpret_cast<const bfloat16*>(packed + n * words_);
        for (int64_t row = row0; row < row1; row += tile_rows) {
          const int count = int(std::min(tile_rows, row1 - row));
          const ProductSegment segment{reinterpret_cast<const char*>(panel + (row - row0) * stride), 4 * stride, words_};
          session.product(&segment, 1, weights, count, sums, width, false);
          bfloat_kernels().write_bfloat(sums, width, rows + (row - row0), n, count, std::min(width, column1 - n), accumulate);
        }
      }
    }
    if (epilogue) epilogue(block, row0, row1, column0, column1);
  });
}

}  // namespace swav
