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

// Tiles a task takes at a time: two register tiles.
constexpr int64_t wanted_tiles = 28;

int64_t block_tile_rows(const WinogradShape& s) { return std::max<int64_t>(1, wanted_tiles / s.row_tiles()); }

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

namespace {

int64_t padded_filters(const WinogradShape& s) { return round_up(s.filters, kernels().tile_columns); }

// Transforms the weights of channels [begin, end) and a panel of filters from n0 on. row(k): where those of channel k go, its
// 36 numbers point_stride apart.
template <class Row>
void pack_panel(const WinogradShape& s, const float* weights, bool backward, int64_t n0, int64_t begin, int64_t end, Row row,
                int64_t point_stride) {
  constexpr int64_t taps = 9, chunk = 32;  // channels at a time
  const Kernels& kernel = kernels();
  const int64_t width = kernel.tile_columns, n = std::min<int64_t>(s.filters - n0, width);
  float* tile = scratch(Scratch::operand, chunk * taps * width);
  std::fill(tile, tile + chunk * taps * width, 0.0f);
  for (int64_t k0 = begin; k0 < end; k0 += chunk) {
    const int64_t k1 = std::min(end, k0 + chunk);
    if (!backward) {
      kernel.transpose(weights + (n0 * s.channels + k0) * taps, s.channels * taps, n, (k1 - k0) * taps, tile, width);
    }
    for (int64_t k = k0; k < k1; ++k) {
      if (backward) {
        const float* from = weights + (k * s.filters + n0) * taps;
        // Too short a piece for the CPU to see where the next ones lie.
        for (int64_t i = 0; i < n * taps; i += 16) __builtin_prefetch(from + 3 * s.filters * taps + i);
        kernel.transpose(from, taps, n, taps, tile, width);
        kernel.winograd_weights(tile + (taps - 1) * width, -width, width, row(k), point_stride);
      } else {
        kernel.winograd_weights(tile + (k - k0) * taps * width, width, width, row(k), point_stride);
      }
    }
  }
}

// One point of some tiles: result [tiles][result_stride] (+)= input [tiles][in_stride] times packed panels of `depth`.
void multiply_point(const Kernels& kernel, int64_t tiles, int64_t depth, const float* input, int64_t in_stride,
                    const float* packed, float* result, int64_t result_stride, int64_t columns, bool accumulate,
                    Lookahead& lookahead) {
  const int64_t width = kernel.tile_columns, tile_rows = kernel.tile_rows;
  for (int64_t c = 0; c < columns; c += width) {
    for (int64_t t = 0; t < tiles; t += tile_rows) {
      kernel.product_rows(depth, input + t * in_stride, in_stride, packed + c * depth, result + t * result_stride + c,
                          result_stride, int(std::min(tile_rows, tiles - t)), std::min(width, columns - c), accumulate,
                          lookahead.next());
    }
  }
}

// Results of all points of tiles [tile0, tile0 + tiles) and some filters back to pixels.
void transform_output(const Kernels& kernel, const WinogradShape& s, int64_t tile0, int64_t tiles, const float* result,
                      int64_t result_stride, int64_t column0, int64_t columns, float* target, bool accumulate) {
  for (int64_t t = 0; t < tiles; ++t) {
    float* pixels[16];
    tile_pixels<4, 0>(s, tile0 + t, target, int64_t(s.filters), column0, pixels);
    kernel.winograd_output(result + t * result_stride, tiles * result_stride, columns, pixels, accumulate);
  }
}

// Of large weights each task transforms a panel of filters, which then never goes to memory, and multiplies tiles that were
// transformed before, once for all filters: so many at a time.
bool by_filters(const WinogradShape& s) { return int64_t(s.channels) * s.filters >= 65536; }
int64_t chunk_blocks(const WinogradShape& s) {
  constexpr int64_t most_numbers = 65536;  // 36 times as many floats are 9 MiB
  return std::max<int64_t>(1, most_numbers / (s.channels * block_tile_rows(s) * s.row_tiles()));
}

void product_by_filters(const WinogradShape& s, const Operand& source, const float* weights, bool backward, float* workspace,
                        float* target, bool accumulate, Epilogue epilogue) {
  const Kernels& kernel = kernels();
  const int64_t width = kernel.tile_columns, depth = s.channels, in_stride = row_stride(depth);
  const RowBlocks blocks = winograd_blocks(s);
  const int64_t block_tiles = blocks.unit * s.row_tiles();
  for (int64_t block0 = 0; block0 < blocks.count(); block0 += chunk_blocks(s)) {
    const int64_t block1 = std::min(blocks.count(), block0 + chunk_blocks(s));
    const int64_t tile0 = block0 * block_tiles, tiles = std::min(s.tiles(), block1 * block_tiles) - tile0;
    constexpr int64_t tiles_a_task = 4;
    parallel::for_each(ceil_div(tiles, tiles_a_task), [&](int64_t task, int) {
      for (int64_t t = task * tiles_a_task; t < std::min(tiles, (task + 1) * tiles_a_task); ++t) {
        transform_input(kernel, s, source, tile0 + t, 0, depth, workspace + t * in_stride, tiles * in_stride);
      }
    });
    parallel::for_each(padded_filters(s) / width, [&](int64_t panel, int) {
      const int64_t n0 = panel * width, columns = std::min<int64_t>(s.filters - n0, width);
      float* packed = scratch(Scratch::gradient, points * depth * width);
      float* result = scratch(Scratch::result, points * tiles * width);
      pack_panel(
          s, weights, backward, n0, 0, depth, [=](int64_t k) { return packed + k * width; }, depth * width);
      for (int64_t p = 0; p < points; ++p) {
        const float* input = workspace + p * tiles * in_stride;
        Lookahead lookahead(ceil_div(tiles, kernel.tile_rows), depth);
        if (p + 1 < points) lookahead.add(input + tiles * in_stride, input + 2 * tiles * in_stride);
        multiply_point(kernel, tiles, depth, input, in_stride, packed + p * depth * width, result + p * tiles * width, width,
                       columns, false, lookahead);
      }
      transform_output(kernel, s, tile0, tiles, result, width, n0, columns, target, accumulate);
      for (int64_t block = block0; epilogue && block < block1; ++block) {
        epilogue(block, blocks.begin(block), blocks.end(block), n0, n0 + columns);
      }
    });
  }
}

// Master weights -> panels of at most most_depth channels.
void pack_all(const WinogradShape& s, const float* weights, bool backward, int64_t block_depth, float* packed) {
  constexpr int64_t chunk = 32;  // channels a task
  const int64_t width = kernels().tile_columns, depth = s.channels, padded = padded_filters(s);
  const int64_t chunks = ceil_div(depth, chunk);
  parallel::for_each(padded / width * chunks, [&](int64_t task, int) {
    const int64_t n0 = task / chunks * width, begin = task % chunks * chunk;
    auto row = [=](int64_t k) {
      const int64_t k0 = k / block_depth * block_depth, rows = std::min(depth - k0, block_depth);
      return packed + k0 * padded + n0 * rows + (k - k0) * width;
    };
    pack_panel(s, weights, backward, n0, begin, std::min(depth, begin + chunk), row, depth * padded);
  });
}

// Of small weights, transformed at the start, each task takes a block of tiles through all stages.
void product_by_tiles(const WinogradShape& s, const Operand& source, const float* packed, int64_t block_depth, float* target,
                      bool accumulate, Epilogue epilogue) {
  const Kernels& kernel = kernels();
  const int64_t width = kernel.tile_columns, depth = s.channels, panels = padded_filters(s) / width;
  const RowBlocks blocks = winograd_blocks(s);
  const int64_t most_tiles = blocks.unit * s.row_tiles();
  const int64_t wanted_pieces = std::clamp<int64_t>(ceil_div(wanted_tasks, blocks.count()), 1, ceil_div(panels, 2));
  const int64_t piece = ceil_div(panels, wanted_pieces) * width, pieces = ceil_div(s.filters, piece);
  const int team = parallel::threads();
  parallel::for_each(blocks.count() * pieces, [&](int64_t task, int) {
    const int64_t block = task / pieces, next = (task + team) / pieces;
    const int64_t tile0 = block * most_tiles, tiles = std::min(most_tiles, s.tiles() - tile0);
    const int64_t column0 = task % pieces * piece, columns = std::min<int64_t>(s.filters - column0, piece);
    const int64_t in_stride = row_stride(block_depth), out_stride = row_stride(columns);
    float* input = scratch(Scratch::operand, points * most_tiles * in_stride);
    float* result = scratch(Scratch::result, points * most_tiles * out_stride);
    const int64_t products = points * ceil_div(tiles, kernel.tile_rows) * ceil_div(columns, width);
    Lookahead lookahead(products * ceil_div(depth, block_depth), block_depth);
    for (const float* map : {source.data, source.partner}) {
      if (map != nullptr) lookahead.add(map + blocks.begin(next) * depth, map + blocks.end(next) * depth);
    }
    for (int64_t k0 = 0; k0 < depth; k0 += block_depth) {
      const int64_t n = std::min(block_depth, depth - k0);
      for (int64_t t = 0; t < tiles; ++t) {
        transform_input(kernel, s, source, tile0 + t, k0, n, input + t * in_stride, tiles * in_stride);
      }
      for (int64_t p = 0; p < points; ++p) {
        multiply_point(kernel, tiles, n, input + p * tiles * in_stride, in_stride,
                       packed + (p * depth + k0) * padded_filters(s) + column0 * n, result + p * tiles * out_stride, out_stride,
                       columns, k0 > 0, lookahead);
      }
    }
    transform_output(kernel, s, tile0, tiles, result, out_stride, column0, columns, target, accumulate);
    if (epilogue) epilogue(block, blocks.begin(block), blocks.end(block), column0, column0 + columns);
  });
}

}  // namespace

int64_t winograd_workspace(const WinogradShape& s) {
  if (by_filters(s)) return points * chunk_blocks(s) * block_tile_rows(s) * s.row_tiles() * row_stride(s.channels);
  return points * s.channels * padded_filters(s);
}

void winograd_product(const WinogradShape& s, const Operand& source, const float* weights, bool backward, float* workspace,
                      float* target, bool accumulate, Epilogue epilogue) {
  if (by_filters(s)) return product_by_filters(s, source, weights, backward, workspace, target, accumulate, epilogue);
  const int64_t block_depth = ceil_div(s.channels, ceil_div(s.channels, most_depth));
  pack_all(s, weights, backward, block_depth, workspace);
  product_by_tiles(s, source, workspace, block_depth, target, accumulate, epilogue);
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
