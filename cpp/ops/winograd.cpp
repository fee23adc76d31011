#include "ops/winograd.h"

#include <algorithm>

#include "base/parallel.h"
#include "ops/lookahead.h"
#include "ops/winograd_tiles.h"

namespace swav {
namespace {

// Channels multiplied at a time: 36 matrices of 28 tiles are 1.2 MB.
constexpr int64_t most_depth = 288;

// Tiles a task takes at a time: two register tiles.
constexpr int64_t wanted_tiles = 28;

int64_t block_tile_rows(const WinogradShape& s) { return std::max<int64_t>(1, wanted_tiles / s.row_tiles()); }

}  // namespace

bool winograd_pays(const WinogradShape& s) {
  if (s.channels < 32 || s.filters < 32) return false;
  // Multiplications against the direct method's, and the cost of transforming the weights, which few tiles have to carry.
  const double share = double(s.tiles()) * double(tile_points) / (double(s.images) * s.height * s.width * 9);
  return share * (1.0 + 24.0 / double(s.tiles())) < 0.7;
}

RowBlocks winograd_blocks(const WinogradShape& s) {
  return {s.images * s.height * s.width, block_tile_rows(s), s.height, s.width};
}

namespace {

int64_t padded_filters(const WinogradShape& s) { return round_up(s.filters, kernels().tile_columns); }

constexpr int64_t taps = 9, pack_channels = 32;  // that pack_panel treats at a time
int64_t pack_tile_floats() { return pack_channels * taps * kernels().tile_columns; }

// Transforms the weights of channels [begin, end) and a panel of filters from n0 on. row(k): where those of channel k go, its
// 36 numbers point_stride apart. tile: room for pack_tile_floats().
template <class Row>
void pack_panel(const WinogradShape& s, const float* weights, bool backward, int64_t n0, int64_t begin, int64_t end, Row row,
                int64_t point_stride, float* tile) {
  const Kernels& kernel = kernels();
  const int64_t width = kernel.tile_columns, n = std::min<int64_t>(s.filters - n0, width);
  std::fill(tile, tile + pack_tile_floats(), 0.0f);
  for (int64_t k0 = begin; k0 < end; k0 += pack_channels) {
    const int64_t k1 = std::min(end, k0 + pack_channels);
    if (!backward) {
      kernel.transpose(weights + (n0 * s.channels + k0) * taps, s.channels * taps, n, (k1 - k0) * taps, tile, width);
    }
    for (int64_t k = k0; k < k1; ++k) {
      if (backward) {
        const float* from = weights + (k * s.filters + n0) * taps;
        ask_for(from + 3 * s.filters * taps, n * taps);
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
                      int64_t result_stride, int64_t column0, int64_t columns, Values target, bool accumulate) {
  for (int64_t t = 0; t < tiles; ++t) {
    const float* from = result + t * result_stride;
    const int64_t from_stride = tiles * result_stride;
    if (target.half()) {
      bfloat16* pixels[16];
      tile_pixels<4, 0>(s, tile0 + t, target.halves(), int64_t(s.filters), column0, pixels);
      bfloat_kernels().winograd_output_bfloat(from, from_stride, columns, pixels, accumulate);
    } else {
      float* pixels[16];
      tile_pixels<4, 0>(s, tile0 + t, target.floats(), int64_t(s.filters), column0, pixels);
      kernel.winograd_output(from, from_stride, columns, pixels, accumulate);
    }
  }
}

// Of large weights each task transforms a panel of filters, which then never goes to memory, and multiplies tiles that were
// transformed before, once for all filters: so many at a time.
bool by_filters(const WinogradShape& s) { return int64_t(s.channels) * s.filters >= 65536; }
int64_t chunk_blocks(const WinogradShape& s) {
  constexpr int64_t most_numbers = 65536;  // 36 times as many floats are 9 MiB
  return std::max<int64_t>(1, most_numbers / (s.channels * block_tile_rows(s) * s.row_tiles()));
}
int64_t chunk_tiles(const WinogradShape& s) { return chunk_blocks(s) * block_tile_rows(s) * s.row_tiles(); }

ScratchSize filters_scratch(const WinogradShape& s) {
  const int64_t width = kernels().tile_columns;
  ScratchSize size;
  size.include(Scratch::operand, pack_tile_floats());
  size.include(Scratch::gradient, tile_points * s.channels * width);
  size.include(Scratch::result, tile_points * std::min(s.tiles(), chunk_tiles(s)) * width);
  return size;
}

void product_by_filters(const WinogradShape& s, const Operand& source, const float* weights, bool backward, float* workspace,
                        Values target, bool accumulate, Epilogue epilogue) {
  const Kernels& kernel = kernels();
  const int64_t width = kernel.tile_columns, depth = s.channels, in_stride = row_stride(depth);
  const RowBlocks blocks = winograd_blocks(s);
  const int64_t block_tiles = blocks.unit * s.row_tiles();
  const TeamScratch scratch(filters_scratch(s));
  for (int64_t block0 = 0; block0 < blocks.count(); block0 += chunk_blocks(s)) {
    const int64_t block1 = std::min(blocks.count(), block0 + chunk_blocks(s));
    const int64_t tile0 = block0 * block_tiles, tiles = std::min(s.tiles(), block1 * block_tiles) - tile0;
    constexpr int64_t tiles_a_task = 4;
    parallel::for_each(ceil_div(tiles, tiles_a_task), [&](int64_t task, int) {
      for (int64_t t = task * tiles_a_task; t < std::min(tiles, (task + 1) * tiles_a_task); ++t) {
        transform_input(kernel, s, source, tile0 + t, 0, depth, workspace + t * in_stride, tiles * in_stride);
      }
    });
    parallel::for_each(padded_filters(s) / width, [&](int64_t panel, int worker) {
      const int64_t n0 = panel * width, columns = std::min<int64_t>(s.filters - n0, width);
      float* packed = scratch.get(worker, Scratch::gradient, tile_points * depth * width);
      float* result = scratch.get(worker, Scratch::result, tile_points * tiles * width);
      pack_panel(
          s, weights, backward, n0, 0, depth, [=](int64_t k) { return packed + k * width; }, depth * width,
          scratch.get(worker, Scratch::operand, pack_tile_floats()));
      for (int64_t p = 0; p < tile_points; ++p) {
        const float* input = workspace + p * tiles * in_stride;
        Lookahead lookahead(ceil_div(tiles, kernel.tile_rows), depth);
        if (p + 1 < tile_points) lookahead.add(input + tiles * in_stride, input + 2 * tiles * in_stride);
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
  ScratchSize size;
  size.include(Scratch::operand, pack_tile_floats());
  const TeamScratch scratch(size);
  parallel::for_each(padded / width * chunks, [&](int64_t task, int worker) {
    const int64_t n0 = task / chunks * width, begin = task % chunks * chunk;
    auto row = [=](int64_t k) {
      const int64_t k0 = k / block_depth * block_depth, rows = std::min(depth - k0, block_depth);
      return packed + k0 * padded + n0 * rows + (k - k0) * width;
    };
    pack_panel(s, weights, backward, n0, begin, std::min(depth, begin + chunk), row, depth * padded,
               scratch.get(worker, Scratch::operand, pack_tile_floats()));
  });
}

// How product_by_tiles is cut: a block of tiles, and pieces of its columns.
struct TileBlocking {
  int64_t most_tiles, block_depth, piece, pieces;
  explicit TileBlocking(const WinogradShape& s) {
    const int64_t width = kernels().tile_columns, panels = padded_filters(s) / width;
    const RowBlocks blocks = winograd_blocks(s);
    most_tiles = blocks.unit * s.row_tiles();
    block_depth = ceil_div(s.channels, ceil_div(s.channels, most_depth));
    const int64_t wanted_pieces = std::clamp<int64_t>(ceil_div(wanted_tasks, blocks.count()), 1, ceil_div(panels, 2));
    piece = ceil_div(panels, wanted_pieces) * width;
    pieces = ceil_div(s.filters, piece);
  }
  ScratchSize scratch(const WinogradShape& s) const {
    ScratchSize size;
    size.include(Scratch::operand, std::max(pack_tile_floats(), tile_points * most_tiles * row_stride(block_depth)));
    size.include(Scratch::result, tile_points * most_tiles * row_stride(std::min<int64_t>(s.filters, piece)));
    return size;
  }
};

// Of small weights, transformed at the start, each task takes a block of tiles through all stages.
void product_by_tiles(const WinogradShape& s, const Operand& source, const float* packed, const TileBlocking& b, Values target,
                      bool accumulate, Epilogue epilogue) {
  const Kernels& kernel = kernels();
  const int64_t width = kernel.tile_columns, depth = s.channels;
  const int64_t most_tiles = b.most_tiles, block_depth = b.block_depth, piece = b.piece, pieces = b.pieces;
  const RowBlocks blocks = winograd_blocks(s);
  const int team = parallel::threads();
  const TeamScratch scratch(b.scratch(s));
  parallel::for_each(blocks.count() * pieces, [&](int64_t task, int worker) {
    const int64_t block = task / pieces, next = (task + team) / pieces;
    const int64_t tile0 = block * most_tiles, tiles = std::min(most_tiles, s.tiles() - tile0);
    const int64_t column0 = task % pieces * piece, columns = std::min<int64_t>(s.filters - column0, piece);
    const int64_t in_stride = row_stride(block_depth), out_stride = row_stride(columns);
    float* input = scratch.get(worker, Scratch::operand, tile_points * most_tiles * in_stride);
    float* result = scratch.get(worker, Scratch::result, tile_points * most_tiles * out_stride);
    const int64_t products = tile_points * ceil_div(tiles, kernel.tile_rows) * ceil_div(columns, width);
    Lookahead lookahead(products * ceil_div(depth, block_depth), block_depth);
    for (const ConstValues map : {source.data, source.partner}) {
      if (map) lookahead.add(map.at(blocks.begin(next) * depth), map.at(blocks.end(next) * depth));
    }
    for (int64_t k0 = 0; k0 < depth; k0 += block_depth) {
      const int64_t n = std::min(block_depth, depth - k0);
      for (int64_t t = 0; t < tiles; ++t) {
        transform_input(kernel, s, source, tile0 + t, k0, n, input + t * in_stride, tiles * in_stride);
      }
      for (int64_t p = 0; p < tile_points; ++p) {
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
  if (by_filters(s)) return tile_points * std::min(s.tiles(), chunk_tiles(s)) * row_stride(s.channels);
  return tile_points * s.channels * padded_filters(s);
}

ScratchSize winograd_scratch(const WinogradShape& s) { return by_filters(s) ? filters_scratch(s) : TileBlocking(s).scratch(s); }

void winograd_product(const WinogradShape& s, const Operand& source, const float* weights, bool backward, float* workspace,
                      Values target, bool accumulate, Epilogue epilogue) {
  if (by_filters(s)) return product_by_filters(s, source, weights, backward, workspace, target, accumulate, epilogue);
  const TileBlocking b(s);
  pack_all(s, weights, backward, b.block_depth, workspace);
  product_by_tiles(s, source, workspace, b, target, accumulate, epilogue);
}

}  // namespace swav
