#include "ops/winograd.h"

#include <algorithm>

#include "base/arena.h"
#include "base/parallel.h"
#include "ops/lookahead.h"

namespace swav {
namespace {

constexpr int64_t points = 36;
constexpr int64_t wanted_tasks = 32;
// Channels multiplied at a time: 36 matrices of 28 tiles are 1.2 MB.
constexpr int64_t most_depth = 288;

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

bool winograd_pays(const WinogradShape& s) {
  if (s.channels < 32 || s.filters < 32) return false;
  // Multiplications against the direct method's, and the cost of transforming the weights, which few tiles have to carry.
  const double share = double(s.tiles()) * double(points) / (double(s.images) * s.height * s.width * 9);
  return share * (1.0 + 24.0 / double(s.tiles())) < 0.7;
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
  const int64_t block_depth = ceil_div(depth, ceil_div(depth, most_depth)), chunks = ceil_div(depth, chunk);
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
  const int64_t block_depth = ceil_div(depth, ceil_div(depth, most_depth));
  const RowBlocks blocks = winograd_blocks(s);
  const int64_t most_tiles = blocks.unit * s.row_tiles();
  const int64_t wanted_pieces = std::clamp<int64_t>(ceil_div(wanted_tasks, blocks.count()), 1, ceil_div(panels, 2));
  const int64_t piece = ceil_div(panels, wanted_pieces) * width, pieces = ceil_div(s.filters, piece);
  const int team = parallel::threads();
  parallel::for_each(blocks.count() * pieces, [&](int64_t task, int) {
    const int64_t block = task / pieces;
    const int64_t tile0 = block * most_tiles, tiles = std::min(most_tiles, s.tiles() - tile0);
    const int64_t column0 = task % pieces * piece, columns = std::min<int64_t>(s.filters - column0, piece);
    const int64_t in_stride = row_stride(block_depth), out_stride = row_stride(columns);
    float* input = scratch(Scratch::operand, points * most_tiles * in_stride);
    float* result = scratch(Scratch::result, points * most_tiles * out_stride);
    const int64_t tiles_a_block = ceil_div(tiles, tile_rows) * ceil_div(columns, width) * points;
    Lookahead lookahead(tiles_a_block * ceil_div(depth, block_depth), block_depth);
    const int64_t next = (task + team) / pieces;
    for (const float* map : {source.data, source.partner}) {
      if (map != nullptr) lookahead.add(map + blocks.begin(next) * depth, map + blocks.end(next) * depth);
    }
    for (int64_t k0 = 0; k0 < depth; k0 += block_depth) {
      const int64_t n = std::min(block_depth, depth - k0);
      for (int64_t t = 0; t < tiles; ++t) {
        transform_input(kernel, s, source, tile0 + t, k0, n, input + t * in_stride, tiles * in_stride);
      }
      for (int64_t p = 0; p < points; ++p) {
        for (int64_t c = 0; c < columns; c += width) {
          const float* weights = packed + (p * depth + k0) * padded + (column0 + c) * n;
          for (int64_t t = 0; t < tiles; t += tile_rows) {
            kernel.product_rows(n, input + (p * tiles + t) * in_stride, in_stride, weights,
                                result + (p * tiles + t) * out_stride + c, out_stride, int(std::min(tile_rows, tiles - t)), std::min(width, columns - c), k0 > 0, lookahead.next());
          }
        }
      }
    }
    for (int64_t t = 0; t < tiles; ++t) {
      float* pixels[16];
      tile_pixels<4, 0>(s, tile0 + t, target, int64_t(s.filters), column0, pixels);
      kernel.winograd_output(result + t * out_stride, tiles * out_stride, columns, pixels, accumulate);
    }
    if (epilogue) epilogue(block, blocks.begin(block), blocks.end(block), column0, column0 + columns);
  });
}

namespace {

// The weight gradient takes some tiles at a time: transforms them, then multiplies each of the 36 matrices [channels][filters]
// in blocks.
struct GradientBlocking {
  int64_t chunk_tiles, chunks;
  int64_t channels, channel_blocks, filters, filter_blocks;
  // One task makes all 36 matrices of a block and their taps, which then never leave its cache.
  bool fused;

  int64_t blocks() const { return channel_blocks * filter_blocks; }
  int64_t block_results() const { return points * channels * filters; }
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
    x_stride = s.channels + 16;  // not a multiple of 4 KiB
    d_stride = round_up(s.filters, kernels().tile_columns);
    x = 0;
    d = points * b.chunk_tiles * x_stride;
    results = d + points * b.chunk_tiles * d_stride;
    total = results + (b.fused ? 0 : b.blocks() * b.block_results());
  }
};

void transform_gradient(const Kernels& kernel, const WinogradShape& s, const Operand& d, int64_t tile, float* to,
                        int64_t to_stride, int64_t panel_step) {
  const float* pixels[16];
  tile_pixels<4, 0>(s, tile, d.data, s.filters, 0, pixels);
  if (d.transform == Transform::gradient) {
    kernel.winograd_gradient(pixels, d.partner - d.data, s.filters, d.a, d.b, d.c, to, to_stride, panel_step);
  } else {
    kernel.winograd_gradient_plain(pixels, s.filters, to, to_stride, panel_step);
  }
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

// d_weights += the 9 taps of a block's results, for its channels [c0, c1).
void add_taps(const WinogradShape& s, const GradientBlocking& b, const float* results, int64_t block, int64_t c0, int64_t c1,
              float* d_weights) {
  constexpr int64_t taps = 9, chunk = 32;  // channels at a time
  const Kernels& kernel = kernels();
  const int64_t width = kernel.tile_columns;
  const int64_t first = block / b.filter_blocks * b.channels;
  const int64_t f0 = block % b.filter_blocks * b.filters, f1 = std::min<int64_t>(s.filters, f0 + b.filters);
  float* tile = scratch(Scratch::operand, chunk * taps * width);
  for (int64_t f = f0; f < f1; f += width) {
    const int64_t n = std::min(width, f1 - f);
    for (int64_t begin = c0; begin < c1; begin += chunk) {
      const int64_t count = std::min(chunk, c1 - begin);
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
    parallel::for_each(points * b.blocks(), [&](int64_t task, int) {
      const int64_t block = task % b.blocks(), point = task / b.blocks();
      float* results = workspace + layout.results + block * b.block_results() + point * b.channels * b.filters;
      multiply_gradient(s, b, layout, workspace, point, block, tiles, chunk > 0, results);
    });
  }
  constexpr int64_t channels_a_task = 32;
  const int64_t parts = b.fused ? 1 : ceil_div(b.channels, channels_a_task);
  parallel::for_each(b.blocks() * parts, [&](int64_t task, int) {
    const int64_t block = task / parts, first = block / b.filter_blocks * b.channels;
    const int64_t last = std::min<int64_t>(s.channels, first + b.channels);
    if (b.fused) {
      float* results = scratch(Scratch::result, b.block_results());
      for (int64_t point = 0; point < points; ++point) {
        multiply_gradient(s, b, layout, workspace, point, block, s.tiles(), false, results + point * b.channels * b.filters);
      }
      add_taps(s, b, results, block, first, last, d_weights);
      return;
    }
    const int64_t c0 = std::min(last, first + task % parts * channels_a_task);
    add_taps(s, b, workspace + layout.results + block * b.block_results(), block, c0, std::min(last, c0 + channels_a_task),
             d_weights);
  });
}

}  // namespace swav
