// Backward of a product of bfloat16 towards its weights: rows of channels times columns of the target's gradient, the depth
// being pairs of pixels. Both are packed as words of two pixels of a channel: those of the source are transposed as words.
#include <algorithm>

#include "base/parallel.h"
#include "ops/row_walker.h"
#include "ops/tile_product.h"

namespace swav {
namespace {

constexpr int64_t width = bfloat_vector_tile.columns;
// Packed at a time: twice as many rows of half the bytes as in weight_gradient.cpp.
constexpr int64_t chunk_rows = 256, chunk_words = chunk_rows / 2;
constexpr int64_t staged = 64;  // channels that are transposed at a time
static_assert(chunk_rows <= RowWalker::most_rows && chunk_words % bfloat_amx_tile.words == 0);

}  // namespace

void TileProduct::set_gradient_blocking() {
  gradient_ = weight_gradient_blocking(gather_, body_->tile.rows, width, chunk_rows);
}

int64_t TileProduct::gradient_workspace() const { return gradient_.ranges * gradient_result_count(gather_, width); }

ScratchSize TileProduct::gradient_scratch() const {
  ScratchSize size = add_gradient_scratch(width);
  size.include(Scratch::operand, gradient_.block_panels * body_->tile.rows * row_stride(chunk_words));
  size.include(Scratch::gradient, chunk_words * gradient_.block_columns);
  size.include(Scratch::result, chunk_words * staged);
  return size;
}

void TileProduct::pack_transposed(const Operand& source, Tap tap, int64_t row, int64_t count, int64_t words, int64_t c0,
                                  int64_t c1, float* staging, float* to) const {
  const int64_t stride = row_stride(chunk_words);
  const bfloat16* rows[chunk_rows];
  for (int64_t c = c0; c < c1; c += staged) {
    const int64_t n = std::min(staged, c1 - c);
    addresses(gather_, source.data.halves(), row, count, tap, c, rows);
    std::fill(rows + count, rows + 2 * words, nullptr);
    pack_pairs(bfloat_kernels(), source, rows, words, c, n, staging, staged);
    kernels().transpose(staging, staged, words, n, to + (c - c0) * stride, stride);
  }
}

void TileProduct::weight_gradient(const Operand& source, const Operand& d_target, float* workspace, float* gradient) const {
  const Gather& g = gather_;
  const WeightGradientBlocking& b = gradient_;
  const int64_t tile_rows = body_->tile.rows, stride = row_stride(chunk_words), blocks = b.panel_blocks * b.column_blocks;
  const TeamScratch scratch(gradient_scratch());
  parallel::for_each(b.ranges * blocks, [&](int64_t task, int worker) {
    const int64_t range = task / blocks, begin = range * b.range_rows, end = std::min(g.rows(), begin + b.range_rows);
    const int64_t p0 = task / b.column_blocks % b.panel_blocks * b.block_panels, p1 = std::min(b.panels, p0 + b.block_panels);
    const int64_t n0 = task % b.column_blocks * b.block_columns, n1 = std::min<int64_t>(g.columns, n0 + b.block_columns);
    float* x = scratch.get(worker, Scratch::operand, b.block_panels * tile_rows * stride);
    float* dy = scratch.get(worker, Scratch::gradient, chunk_words * b.block_columns);
    float* staging = scratch.get(worker, Scratch::result, chunk_words * staged);
    float* results = workspace + range * gradient_result_count(g, width);
    const bfloat16* rows[chunk_rows];
    for (int64_t row = begin; row < end; row += chunk_rows) {
      const int64_t count = std::min(chunk_rows, end - row), words = round_up(ceil_div(count, 2), body_->tile.words);
      for (int64_t p = p0; p < p1;) {  // the panels of a tap
        const int64_t tap = p / b.tap_panels, first = p % b.tap_panels, some = std::min(b.tap_panels - first, p1 - p);
        const int64_t c0 = first * tile_rows, c1 = std::min<int64_t>(g.channels, (first + some) * tile_rows);
        pack_transposed(source, g.taps[size_t(tap)], row, count, words, c0, c1, staging, x + (p - p0) * tile_rows * stride);
        p += some;
      }
      for (int64_t i = 0; i < 2 * words; ++i) {
        rows[i] = i < count ? d_target.data.halves() + (row + i) * g.columns + n0 : nullptr;
      }
      // Behind the last column a panel keeps what it held: those products are computed and never read.
      pack_pairs(bfloat_kernels(), d_target, rows, words, n0, n1 - n0, dy, width, {width, words * width});
      TileSession session(*body_);
      for (int64_t n = n0; n < n1; n += width) {
        for (int64_t p = p0; p < p1; ++p) {
          const int64_t c = p % b.tap_panels * tile_rows, k = p / b.tap_panels * g.channels + c;
          const ProductSegment segment{reinterpret_cast<const char*>(x + (p - p0) * tile_rows * stride), 4 * stride, words};
          session.product(&segment, 1, reinterpret_cast<const bfloat16*>(dy + (n - n0) * words),
                          int(std::min<int64_t>(tile_rows, g.channels - c)), results + n * g.depth() + k * width, width,
                          row > begin);
        }
      }
    }
  });
  add_weight_gradient(g, layout_, width, b.ranges, workspace, gradient);
}

}  // namespace swav
