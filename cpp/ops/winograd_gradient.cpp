// Winograd's convolutions towards the weights: F(3x3, 4x4), the gradient's tiles being the filters.
#include "ops/winograd.h"

#include <algorithm>

#include "base/parallel.h"
#include "ops/winograd_tiles.h"

namespace swav {
namespace {

// The weight gradient takes some tiles at a time: transforms them, then multiplies each of the 36 matrices [channels][filters]
// in blocks.
struct GradientBlocking {
  int64_t chunk_tiles, chunks;
  int64_t channels, channel_blocks, filters, filter_blocks;
  // One task makes all 36 matrices of a block and their taps, which then never leave its cache.
  bool fused;

  int64_t blocks() const { return channel_blocks * filter_blocks; }
  int64_t block_results() const { return tile_points * channels * filters; }
};

GradientBlocking gradient_blocking(const WinogradShape& s) {
  // More of them pass over the results less often, and leave the second-level cache: it hardly matters from 50 to 500.
  constexpr int64_t wanted_tiles = 224;
  const Kernels& kernel = kernels();
  GradientBlocking b;
  b.chunks = ceil_div(s.tiles(), wanted_tiles);
  b.chunk_tiles = ceil_div(s.tiles(), b.chunks);
  b.chunks = ceil_div(s.tiles(), b.chunk_tiles);
  for (int64_t side : {64, 128}) {  // the results of a block of 64 x 64 are 600 KB
    b.channel_blocks = ceil_div(s.channels, side);
    b.filter_blocks = ceil_div(s.filters, side);
    b.fused = side == 64 && b.chunks == 1 && b.blocks() >= wanted_tasks / 2;
    if (b.fused) break;
  }
  b.channels = round_up(ceil_div(s.channels, b.channel_blocks), kernel.tile_rows);
  b.channel_blocks = ceil_div(s.channels, b.channels);
  b.filters = round_up(ceil_div(s.filters, b.filter_blocks), kernel.tile_columns);
  b.filter_blocks = ceil_div(s.filters, b.filters);
  return b;
}

// Where the transformed tiles and the results lie in the workspace: x [36][chunk_tiles][x_stride], d panels
// [36][panel][chunk_tiles][tile_columns], results [block][36][channels][filters].
struct GradientLayout {
  int64_t x_stride, x, d, d_stride, results, total;
  GradientLayout(const WinogradShape& s, const GradientBlocking& b) {
    x_stride = row_stride(s.channels);
    d_stride = round_up(s.filters, kernels().tile_columns);
    x = 0;
    d = tile_points * b.chunk_tiles * x_stride;
    results = d + tile_points * b.chunk_tiles * d_stride;
    total = results + (b.fused ? 0 : b.blocks() * b.block_results());
  }
};

void transform_gradient(const Kernels& kernel, const WinogradShape& s, const Operand& d, int64_t tile, float* to,
                        int64_t to_stride, int64_t panel_step) {
  const bool plain = d.transform != Transform::gradient;
  if (d.data.half()) {
    const BfloatKernels& halves = bfloat_kernels();
    const bfloat16* pixels[16];
    tile_pixels<4, 0>(s, tile, d.data.halves(), s.filters, 0, pixels);
    if (plain) return halves.winograd_gradient_plain_bfloat(pixels, s.filters, to, to_stride, panel_step);
    const int64_t partner = d.partner.halves() - d.data.halves();
    return halves.winograd_gradient_bfloat(pixels, partner, s.filters, d.a, d.b, d.c, to, to_stride, panel_step);
  }
  const float* pixels[16];
  tile_pixels<4, 0>(s, tile, d.data.floats(), s.filters, 0, pixels);
  if (plain) return kernel.winograd_gradient_plain(pixels, s.filters, to, to_stride, panel_step);
  const int64_t partner = d.partner.floats() - d.data.floats();
  kernel.winograd_gradient(pixels, partner, s.filters, d.a, d.b, d.c, to, to_stride, panel_step);
}

// results [channels][filters] of one point and block (+)= the product over a chunk's tiles.
void multiply_gradient(const WinogradShape& s, const GradientBlocking& b, const GradientLayout& layout, const float* workspace,
                       int64_t point, int64_t block, int64_t tiles, bool accumulate, float* results) {
  const Kernels& kernel = kernels();
  const int64_t width = kernel.tile_columns;
  const int64_t c0 = block / b.filter_blocks * b.channels, c1 = std::min<int64_t>(s.channels, c0 + b.channels);
  const int64_t f0 = block % b.filter_blocks * b.filters, f1 = std::min<int64_t>(s.filters, f0 + b.filters);
  const float* x = workspace + layout.x + point * tiles * layout.x_stride;
  const float* d = workspace + layout.d + point * tiles * layout.d_stride;
  for (int64_t f = f0; f < f1; f += width) {
    for (int64_t c = c0; c < c1; c += kernel.tile_rows) {
      kernel.product_depth(tiles, x + c, layout.x_stride, d + f * tiles, results + (c - c0) * b.filters + (f - f0), b.filters,
                           int(std::min<int64_t>(kernel.tile_rows, c1 - c)), std::min(width, f1 - f), accumulate, {});
    }
  }
}

constexpr int64_t taps = 9, tap_channels = 32;  // that add_taps treats at a time
int64_t tap_tile_floats() { return tap_channels * taps * kernels().tile_columns; }

// d_weights += the 9 taps of a block's results, for its channels [c0, c1). tile: room for tap_tile_floats().
void add_taps(const WinogradShape& s, const GradientBlocking& b, const float* results, int64_t block, int64_t c0, int64_t c1,
              float* tile, float* d_weights) {
  const Kernels& kernel = kernels();
  const int64_t width = kernel.tile_columns;
  const int64_t first = block / b.filter_blocks * b.channels;
  const int64_t f0 = block % b.filter_blocks * b.filters, f1 = std::min<int64_t>(s.filters, f0 + b.filters);
  for (int64_t f = f0; f < f1; f += width) {
    const int64_t n = std::min(width, f1 - f);
    for (int64_t begin = c0; begin < c1; begin += tap_channels) {
      const int64_t count = std::min(tap_channels, c1 - begin);
      for (int64_t c = 0; c < count; ++c) {
        kernel.winograd_taps(results + (begin - first + c) * b.filters + (f - f0), b.channels * b.filters, n,
                             tile + c * taps * width, width);
      }
      kernel.transpose_add(tile, width, count * taps, n, d_weights + (f * s.channels + begin) * taps, s.channels * taps);
    }
  }
}

}  // namespace

int64_t winograd_gradient_workspace(const WinogradShape& s) { return GradientLayout(s, gradient_blocking(s)).total; }

ScratchSize winograd_gradient_scratch(const WinogradShape& s) {
  const GradientBlocking b = gradient_blocking(s);
  ScratchSize size;
  size.include(Scratch::operand, tap_tile_floats());
  if (b.fused) size.include(Scratch::result, b.block_results());
  return size;
}

void winograd_weight_gradient(const WinogradShape& s, const Operand& source, const Operand& d_target, float* workspace,
                              float* d_weights) {
  const Kernels& kernel = kernels();
  const GradientBlocking b = gradient_blocking(s);
  const GradientLayout layout(s, b);
  const int64_t width = kernel.tile_columns;
  for (int64_t chunk = 0; chunk < b.chunks; ++chunk) {
    const int64_t tile0 = chunk * b.chunk_tiles, tiles = std::min(b.chunk_tiles, s.tiles() - tile0);
    constexpr int64_t tiles_a_task = 4;
    parallel::for_each(ceil_div(tiles, tiles_a_task), [&](int64_t task, int) {
      for (int64_t t = task * tiles_a_task; t < std::min(tiles, (task + 1) * tiles_a_task); ++t) {
        transform_input(kernel, s, source, tile0 + t, 0, s.channels, workspace + layout.x + t * layout.x_stride,
                        tiles * layout.x_stride);
        transform_gradient(kernel, s, d_target, tile0 + t, workspace + layout.d + t * width, tiles * layout.d_stride,
                           tiles * width);
      }
    });
    if (b.fused) break;
    parallel::for_each(tile_points * b.blocks(), [&](int64_t task, int) {
      const int64_t block = task % b.blocks(), point = task / b.blocks();
      float* results = workspace + layout.results + block * b.block_results() + point * b.channels * b.filters;
      multiply_gradient(s, b, layout, workspace, point, block, tiles, chunk > 0, results);
    });
  }
  constexpr int64_t channels_a_task = 32;
  const int64_t parts = b.fused ? 1 : ceil_div(b.channels, channels_a_task);
  const TeamScratch scratch(winograd_gradient_scratch(s));
  parallel::for_each(b.blocks() * parts, [&](int64_t task, int worker) {
    const int64_t block = task / parts, first = block / b.filter_blocks * b.channels;
    const int64_t last = std::min<int64_t>(s.channels, first + b.channels);
    float* tile = scratch.get(worker, Scratch::operand, tap_tile_floats());
    if (b.fused) {
      float* results = scratch.get(worker, Scratch::result, b.block_results());
      for (int64_t point = 0; point < tile_points; ++point) {
        multiply_gradient(s, b, layout, workspace, point, block, s.tiles(), false, results + point * b.channels * b.filters);
      }
      add_taps(s, b, results, block, first, last, tile, d_weights);
      return;
    }
    const int64_t c0 = std::min(last, first + task % parts * channels_a_task);
    add_taps(s, b, workspace + layout.results + block * b.block_results(), block, c0, std::min(last, c0 + channels_a_task),
             tile, d_weights);
  });
}

}  // namespace swav
