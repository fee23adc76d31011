#include "ops/winograd.h"

#include <algorithm>

#include "base/arena.h"
#include "base/parallel.h"

namespace swav {
namespace {

constexpr int64_t points = 36;
constexpr int64_t wanted_tasks = 32;

// Tiles a task takes at a time. More of them read the transformed weights less often: 64 / tiles bytes for each multiplication
// of a vector, from the third-level cache or, for weights of more than 8 MiB, from memory.
int64_t wanted_tiles(const WinogradShape& s) { return int64_t(s.channels) * s.filters > 65536 ? 112 : 28; }

int64_t block_tile_rows(const WinogradShape& s) { return std::max<int64_t>(1, wanted_tiles(s) / s.row_tiles()); }

// Addresses of the pixels of square tiles of a map, NULL outside.
template <int size, int margin, class Pixel>
void tile_pixels(const WinogradShape& s, int64_t tile, Pixel* map, int64_t stride, int64_t channel, Pixel** pixels) {
  const int64_t an_image = ceil_div(s.height, 4), tile_row = tile / s.row_tiles();
  const int64_t image = tile_row / an_image;
  const int32_t y0 = int32_t(tile_row % an_image) * 4 - margin, x0 = int32_t(tile % s.row_tiles()) * 4 - margin;
  for (int32_t i = 0; i < size; ++i) {
    const int32_t y = y0 + i;
    const bool row = uint32_t(y) < uint32_t(s.height);
    Pixel* line = map + ((image * s.height + (row ? y : 0)) * s.width + x0) * stride + channel;
    for (int32_t j = 0; j < size; ++j, line += stride) {
      pixels[i * size + j] = row && uint32_t(x0 + j) < uint32_t(s.width) ? line : nullptr;
    }
  }
}

// B^T d B of channels [c0, c0 + n) of one tile of the source: to [36][to_stride].
void transform_input(const Kernels& kernel, const WinogradShape& s, const Operand& x, int64_t tile, int64_t c0, int64_t n,
                     float* to, int64_t to_stride) {
  const float* pixels[points];
  tile_pixels<6, 1>(s, tile, x.data, s.channels, c0, pixels);
  switch (x.transform) {
    case Transform::plain: return kernel.winograd_input_plain(pixels, n, to, to_stride);
    case Transform::norm_relu: return kernel.winograd_input_norm_relu(pixels, n, x.a + c0, x.b + c0, to, to_stride);
    case Transform::gradient:
      return kernel.winograd_input_gradient(pixels, x.partner - x.data, n, x.a + c0, x.b + c0, x.c + c0, to, to_stride);
  }
}

}  // namespace

double winograd_share(const WinogradShape& s) {
  return double(s.tiles()) * double(points) / (double(s.images) * s.height * s.width * 9);
}

bool winograd_pays(const WinogradShape& s) {
  if (s.channels < 32 || s.filters < 32) return false;
  // Few tiles have to carry the cost of transforming the weights.
  return winograd_share(s) * (1.0 + 24.0 / double(s.tiles())) < 0.7;
}

RowBlocks winograd_blocks(const WinogradShape& s) {
  return {s.images * s.height * s.width, block_tile_rows(s), s.height, s.width};
}

int64_t winograd_weight_count(const WinogradShape& s) {
  return points * s.channels * round_up(s.filters, kernels().tile_columns);
}

void winograd_pack(const WinogradShape& s, const float* weights, bool backward, float* packed) {
  const Kernels& kernel = kernels();
  constexpr int64_t taps = 9, chunk = 32;  // depths at a time
  const int64_t width = kernel.tile_columns, depth = s.channels, padded = round_up(s.filters, width);
  const int64_t block_depth = ceil_div(depth, ceil_div(depth, panel_depth)), chunks = ceil_div(depth, chunk);
  parallel::for_each(padded / width * chunks, [&](int64_t task, int) {
    const int64_t n0 = task / chunks * width, n = std::min<int64_t>(s.filters - n0, width);
    const int64_t begin = task % chunks * chunk, end = std::min(depth, begin + chunk);
    float* tile = scratch(Scratch::operand, chunk * taps * width);
    std::fill(tile, tile + chunk * taps * width, 0.0f);
    if (!backward) kernel.transpose(weights + (n0 * depth + begin) * taps, depth * taps, n, (end - begin) * taps, tile, width);
    for (int64_t k = begin; k < end; ++k) {
      const int64_t k0 = k / block_depth * block_depth, rows = std::min(depth - k0, block_depth);
      float* to = packed + k0 * padded + n0 * rows + (k - k0) * width;
      if (backward) {
        kernel.transpose(weights + (k * s.filters + n0) * taps, taps, n, taps, tile, width);
        kernel.winograd_weights(tile + (taps - 1) * width, -width, width, to, depth * padded);
      } else {
        kernel.winograd_weights(tile + (k - begin) * taps * width, width, width, to, depth * padded);
      }
    }
  });
}

void winograd_product(const WinogradShape& s, const Operand& source, const float* packed, float* target, bool accumulate,
                      Epilogue epilogue) {
  const Kernels& kernel = kernels();
  const int64_t width = kernel.tile_columns, tile_rows = kernel.tile_rows, depth = s.channels;
  const int64_t panels = ceil_div(s.filters, width), padded = panels * width;
  const int64_t block_depth = ceil_div(depth, ceil_div(depth, panel_depth));
  const RowBlocks blocks = winograd_blocks(s);
  const int64_t most_tiles = blocks.unit * s.row_tiles();
  const int64_t wanted_pieces = std::clamp<int64_t>(ceil_div(wanted_tasks, blocks.count()), 1, ceil_div(panels, 2));
  const int64_t piece = ceil_div(panels, wanted_pieces) * width, pieces = ceil_div(s.filters, piece);
  parallel::for_each(blocks.count() * pieces, [&](int64_t task, int) {
    const int64_t block = task / pieces;
    const int64_t tile0 = block * most_tiles, tiles = std::min(most_tiles, s.tiles() - tile0);
    const int64_t column0 = task % pieces * piece, columns = std::min<int64_t>(s.filters - column0, piece);
    float* input = scratch(Scratch::operand, points * most_tiles * panel_stride);
    float* result = scratch(Scratch::result, points * most_tiles * columns);
    for (int64_t k0 = 0; k0 < depth; k0 += block_depth) {
      const int64_t n = std::min(block_depth, depth - k0);
      for (int64_t t = 0; t < tiles; ++t) {
        transform_input(kernel, s, source, tile0 + t, k0, n, input + t * panel_stride, tiles * panel_stride);
      }
      for (int64_t p = 0; p < points; ++p) {
        for (int64_t c = 0; c < columns; c += width) {
          const float* weights = packed + (p * depth + k0) * padded + (column0 + c) * n;
          for (int64_t t = 0; t < tiles; t += tile_rows) {
            kernel.product_rows(n, input + (p * tiles + t) * panel_stride, weights, result + (p * tiles + t) * columns + c,
                                columns, int(std::min(tile_rows, tiles - t)), std::min(width, columns - c), k0 > 0);
          }
        }
      }
    }
    for (int64_t t = 0; t < tiles; ++t) {
      float* pixels[16];
      tile_pixels<4, 0>(s, tile0 + t, target, int64_t(s.filters), column0, pixels);
      kernel.winograd_output(result + t * columns, tiles * columns, columns, pixels, accumulate);
    }
    if (epilogue) epilogue(block, blocks.begin(block), blocks.end(block), column0, column0 + columns);
  });
}

namespace {

// The gradient's 36 matrices [channels][filters] are cut into blocks, the sum over tiles into ranges with results of their own.
struct GradientBlocking {
  int64_t channels, channel_blocks, filters, filter_blocks;
  int64_t range_tiles, ranges;
};

constexpr int64_t chunk_tiles = 28;  // transformed at a time: 36 x 28 x (128 + 128) floats are 1 MiB

GradientBlocking gradient_blocking(const WinogradShape& s) {
  constexpr int64_t workspace_limit = int64_t{4} << 20;  // floats, for results of more than one range
  const Kernels& kernel = kernels();
  GradientBlocking b;
  const int64_t size = points * s.channels * s.filters, chunks = ceil_div(s.tiles(), chunk_tiles);
  const int64_t most_ranges = std::clamp<int64_t>(workspace_limit / size, 1, chunks);
  for (int64_t side : {128, 64}) {
    b.channel_blocks = ceil_div(s.channels, side);
    b.filter_blocks = ceil_div(s.filters, side);
    if (b.channel_blocks * b.filter_blocks * most_ranges >= wanted_tasks / 2) break;
  }
  b.channels = round_up(ceil_div(s.channels, b.channel_blocks), kernel.tile_rows);
  b.channel_blocks = ceil_div(s.channels, b.channels);
  b.filters = round_up(ceil_div(s.filters, b.filter_blocks), kernel.tile_columns);
  b.filter_blocks = ceil_div(s.filters, b.filters);
  b.ranges = std::clamp<int64_t>(ceil_div(wanted_tasks, b.channel_blocks * b.filter_blocks), 1, most_ranges);
  b.range_tiles = ceil_div(chunks, b.ranges) * chunk_tiles;
  b.ranges = ceil_div(s.tiles(), b.range_tiles);
  return b;
}

void transform_gradient(const Kernels& kernel, const WinogradShape& s, const Operand& d, int64_t tile, int64_t f0, int64_t n,
                        float* to, int64_t to_stride) {
  const float* pixels[16];
  tile_pixels<4, 0>(s, tile, d.data, s.filters, f0, pixels);
  if (d.transform == Transform::gradient) {
    kernel.winograd_gradient(pixels, d.partner - d.data, n, d.a + f0, d.b + f0, d.c + f0, to, to_stride);
  } else {
    kernel.winograd_gradient_plain(pixels, n, to, to_stride);
  }
}

// d_weights += the 9 taps of the sum over ranges.
void reduce(const WinogradShape& s, const GradientBlocking& b, const float* results, float* d_weights) {
  constexpr int64_t taps = 9, chunk = 32;  // channels at a time
  const Kernels& kernel = kernels();
  const int64_t width = kernel.tile_columns, chunks = ceil_div(s.channels, chunk), size = int64_t(s.channels) * s.filters;
  parallel::for_each(ceil_div(s.filters, width) * chunks, [&](int64_t task, int) {
    const int64_t n0 = task / chunks * width, n = std::min<int64_t>(s.filters - n0, width);
    const int64_t begin = task % chunks * chunk, count = std::min(s.channels - begin, chunk);
    float* sums = scratch(Scratch::operand, (points + chunk * taps) * width);
    float* tile = sums + points * width;
    for (int64_t c = 0; c < count; ++c) {
      for (int64_t p = 0; p < points; ++p) {
        const float* part = results + p * size + (begin + c) * s.filters + n0;
        float* row = sums + p * width;
        std::copy(part, part + n, row);
        for (int64_t range = 1; range < b.ranges; ++range) {
          for (int64_t i = 0; i < n; ++i) row[i] += part[range * points * size + i];
        }
      }
      kernel.winograd_taps(sums, width, n, tile + c * taps * width, width);
    }
    kernel.transpose_add(tile, width, count * taps, n, d_weights + (n0 * s.channels + begin) * taps, s.channels * taps);
  });
}

}  // namespace

int64_t winograd_gradient_workspace(const WinogradShape& s) {
  return gradient_blocking(s).ranges * points * s.channels * s.filters;
}

void winograd_weight_gradient(const WinogradShape& s, const Operand& source, const Operand& d_target, float* workspace,
                              float* d_weights) {
  const Kernels& kernel = kernels();
  const GradientBlocking b = gradient_blocking(s);
  const int64_t width = kernel.tile_columns, stride = b.channels + 16;  // not a multiple of 4 KiB
  parallel::for_each(b.ranges * b.channel_blocks * b.filter_blocks, [&](int64_t task, int) {
    const int64_t range = task / (b.channel_blocks * b.filter_blocks);
    const int64_t c0 = task / b.filter_blocks % b.channel_blocks * b.channels,
                  cn = std::min<int64_t>(s.channels - c0, b.channels);
    const int64_t f0 = task % b.filter_blocks * b.filters, fn = std::min<int64_t>(s.filters - f0, b.filters);
    float* x = scratch(Scratch::operand, points * chunk_tiles * stride);
    float* d = scratch(Scratch::gradient, points * chunk_tiles * b.filters);
    const int64_t begin = range * b.range_tiles, end = std::min(s.tiles(), begin + b.range_tiles);
    for (int64_t tile = begin; tile < end; tile += chunk_tiles) {
      const int64_t tiles = std::min(chunk_tiles, end - tile);
      for (int64_t t = 0; t < tiles; ++t) {
        transform_input(kernel, s, source, tile + t, c0, cn, x + t * stride, tiles * stride);
        for (int64_t f = 0; f < fn; f += width) {  // panels [36][panel][tile][width]
          transform_gradient(kernel, s, d_target, tile + t, f0 + f, std::min(width, fn - f), d + f * tiles + t * width,
                             tiles * b.filters);
        }
      }
      for (int64_t p = 0; p < points; ++p) {
        for (int64_t f = 0; f < fn; f += width) {
          for (int64_t c = 0; c < cn; c += kernel.tile_rows) {
            kernel.product_depth(tiles, x + p * tiles * stride + c, stride, d + p * tiles * b.filters + f * tiles,
                                 workspace + ((range * points + p) * s.channels + c0 + c) * s.filters + f0 + f, s.filters,
                                 int(std::min<int64_t>(kernel.tile_rows, cn - c)), std::min(width, fn - f), tile > begin);
          }
        }
      }
    }
  });
  reduce(s, b, workspace, d_weights);
}

}  // namespace swav
