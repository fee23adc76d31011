// Backward of a product of bfloat16 towards its weights: rows of channels times columns of the target's gradient, the depth
// being pixels. In words both are packed as two pixels of a channel: those of the source are transposed as words. Widened, they
// are packed and multiplied as in weight_gradient.cpp.
#include <algorithm>

#include "base/parallel.h"
#include "ops/row_walker.h"
#include "ops/tile_product.h"

namespace swav {
namespace {

// Packed at a time: as many as in weight_gradient.cpp; in AMX, where a tile's sums cost more to fetch, twice as many.
constexpr int64_t vector_rows = 128, amx_rows = 256;
constexpr int64_t staged = 64;  // channels that are transposed at a time
static_assert(amx_rows <= RowWalker::most_rows && amx_rows / 2 % bfloat_amx_tile.words == 0);

int64_t panel_slot() { return round_up(kernels().tile_rows, kernels().lanes); }  // floats of a widened panel's row

}  // namespace

int64_t TileProduct::gradient_rows() const { return in_vector_order() ? vector_rows : amx_rows; }

void TileProduct::set_gradient_blocking() {
  gradient_ = weight_gradient_blocking(gather_, body_->tile.rows, width(), gradient_rows());
  if (!in_vector_order()) return;
  constexpr TileGeometry tile = bfloat_vector_tile;
  const WeightGradientBlocking common = weight_gradient_blocking(gather_, tile.rows, tile.columns, gradient_rows());
  gradient_.range_rows = common.range_rows;
  gradient_.ranges = common.ranges;
}

int64_t TileProduct::gradient_workspace() const { return gradient_.ranges * gradient_result_count(gather_, width()); }

ScratchSize TileProduct::gradient_scratch() const {
  const int64_t rows = gradient_rows(), words = rows / body_->numbers;
  ScratchSize size = add_gradient_scratch(width());
  size.include(Scratch::operand,
               gradient_.block_panels * (widened() ? rows * panel_slot() : body_->tile.rows * row_stride(words)));
  size.include(Scratch::gradient, words * gradient_.block_columns);
  if (!widened()) size.include(Scratch::result, words * staged);
  return size;
}

template <class Body>
void TileProduct::for_taps(const GradientTask& t, Body body) const {
  const int64_t tile_rows = body_->tile.rows;
  for (int64_t p = t.p0; p < t.p1;) {
    const int64_t tap = p / gradient_.tap_panels, first = p % gradient_.tap_panels;
    const int64_t some = std::min(gradient_.tap_panels - first, t.p1 - p);
    body(p, gather_.taps[size_t(tap)], first * tile_rows, std::min<int64_t>(gather_.channels, (first + some) * tile_rows));
    p += some;
  }
}

void TileProduct::pack_transposed(const Operand& source, Tap tap, int64_t row, int64_t count, int64_t words, int64_t c0,
                                  int64_t c1, float* staging, float* to) const {
  const int64_t stride = row_stride(gradient_rows() / 2);
  const bfloat16* rows[amx_rows];
  for (int64_t c = c0; c < c1; c += staged) {
    const int64_t n = std::min(staged, c1 - c);
    addresses(gather_, source.data.halves(), row, count, tap, c, rows);
    std::fill(rows + count, rows + 2 * words, nullptr);
    pack_pairs(bfloat_kernels(), source, rows, words, c, n, staging, staged);
    kernels().transpose(staging, staged, words, n, to + (c - c0) * stride, stride);
  }
}

void TileProduct::add_words(const GradientTask& t, const Operand& source, const Operand& d_target, int64_t row,
                            int64_t count) const {
  const Gather& g = gather_;
  const int64_t tile_rows = body_->tile.rows, width = this->width(), stride = row_stride(gradient_rows() / 2);
  const int64_t words = round_up(ceil_div(count, 2), body_->tile.words);
  for_taps(t, [&](int64_t p, Tap tap, int64_t c0, int64_t c1) {
    pack_transposed(source, tap, row, count, words, c0, c1, t.staging, t.x + (p - t.p0) * tile_rows * stride);
  });
  const bfloat16* rows[amx_rows];
  for (int64_t i = 0; i < 2 * words; ++i) {
    rows[i] = i < count ? d_target.data.halves() + (row + i) * g.columns + t.n0 : nullptr;
  }
  // Behind the last column a panel keeps what it held: those products are computed and never read.
  pack_pairs(bfloat_kernels(), d_target, rows, words, t.n0, t.n1 - t.n0, t.dy, width, {width, words * width});
  TileSession session(*body_);
  for (int64_t n = t.n0; n < t.n1; n += width) {
    for (int64_t p = t.p0; p < t.p1; ++p) {
      const int64_t c = p % gradient_.tap_panels * tile_rows, k = p / gradient_.tap_panels * g.channels + c;
      const ProductSegment segment{reinterpret_cast<const char*>(t.x + (p - t.p0) * tile_rows * stride), 4 * stride, words};
      session.product(&segment, 1, t.dy + (n - t.n0) * words, int(std::min<int64_t>(tile_rows, g.channels - c)),
                      t.results + n * g.depth() + k * width, width, row > t.begin);
    }
  }
}

void TileProduct::add_widened(const GradientTask& t, const Operand& source, const Operand& d_target, int64_t row,
                              int64_t count) const {
  const Gather& g = gather_;
  const Kernels& kernel = kernels();
  const int64_t tile_rows = body_->tile.rows, width = this->width(), slot = panel_slot(), step = count * slot;
  const int64_t next = row + gradient_rows(), next_end = std::min(t.end, next + gradient_rows());
  const int64_t partner = source.partner ? source.partner.halves() - source.data.halves() : 0;
  const bfloat16* rows[vector_rows];
  for_taps(t, [&](int64_t p, Tap tap, int64_t c0, int64_t c1) {
    addresses(g, source.data.halves(), row, count, tap, c0, rows);
    pack_widened(bfloat_kernels(), source, rows, count, c0, c1 - c0, t.x + (p - t.p0) * step, slot, {tile_rows, step});
  });
  for (int64_t i = 0; i < count; ++i) rows[i] = d_target.data.halves() + (row + i) * g.columns + t.n0;
  // Behind the last column a panel keeps what it held: those products are computed and never read.
  pack_widened(bfloat_kernels(), d_target, rows, count, t.n0, t.n1 - t.n0, t.dy, width, {width, count * width});
  Lookahead lookahead((t.p1 - t.p0) * ceil_div(t.n1 - t.n0, width), count);
  if (gradient_.column_blocks == 1) look_ahead(g, source.data.halves(), partner, next, next_end, lookahead);
  if (gradient_.panel_blocks == 1 && next < t.end) {
    for (const ConstValues map : {d_target.data, d_target.partner}) {
      if (map) lookahead.add(map.at(next * g.columns), map.at(next_end * g.columns));
    }
  }
  TileSession session(*body_);
  for (int64_t n = t.n0; n < t.n1; n += width) {
    for (int64_t p = t.p0; p < t.p1; ++p) {
      const int64_t c = p % gradient_.tap_panels * tile_rows, k = p / gradient_.tap_panels * g.channels + c;
      kernel.product_depth(count, t.x + (p - t.p0) * step, slot, t.dy + (n - t.n0) * count,
                           t.results + n * g.depth() + k * width, width, int(std::min<int64_t>(tile_rows, g.channels - c)),
                           width, row > t.begin, lookahead.next());
    }
  }
}

void TileProduct::weight_gradient(const Operand& source, const Operand& d_target, float* workspace, float* gradient) const {
  const Gather& g = gather_;
  const WeightGradientBlocking& b = gradient_;
  const int64_t words = gradient_rows() / body_->numbers, blocks = b.panel_blocks * b.column_blocks;
  const int64_t x_count = b.block_panels * (widened() ? gradient_rows() * panel_slot() : body_->tile.rows * row_stride(words));
  const TeamScratch scratch(gradient_scratch());
  parallel::for_each(b.ranges * blocks, [&](int64_t task, int worker) {
    const int64_t range = task / blocks;
    GradientTask t;
    t.begin = range * b.range_rows, t.end = std::min(g.rows(), t.begin + b.range_rows);
    t.p0 = task / b.column_blocks % b.panel_blocks * b.block_panels, t.p1 = std::min(b.panels, t.p0 + b.block_panels);
    t.n0 = task % b.column_blocks * b.block_columns, t.n1 = std::min<int64_t>(g.columns, t.n0 + b.block_columns);
    t.x = scratch.get(worker, Scratch::operand, x_count);
    t.dy = scratch.get(worker, Scratch::gradient, words * b.block_columns);
    t.staging = widened() ? nullptr : scratch.get(worker, Scratch::result, words * staged);
    t.results = workspace + range * gradient_result_count(g, width());
    for (int64_t row = t.begin; row < t.end; row += gradient_rows()) {
      const int64_t count = std::min(gradient_rows(), t.end - row);
      if (widened()) add_widened(t, source, d_target, row, count);
      else add_words(t, source, d_target, row, count);
    }
  });
  add_weight_gradient(g, layout_, width(), b.ranges, workspace, gradient);
}

}  // namespace swav
