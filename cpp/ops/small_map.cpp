#include "ops/small_map.h"

#include <algorithm>
#include <cstring>

#include "base/parallel.h"

namespace swav {
namespace {

constexpr int64_t wanted_block_rows = 112;
constexpr int64_t most_depth = 288;  // channels multiplied at a time
constexpr int64_t most_pixels = 16;
constexpr int64_t most_rows = most_pixels * 14;  // of a block: a register tile of images for every pixel
constexpr int64_t chunk_rows = 192;              // packed at a time for the weight gradient

}  // namespace

SmallMap::SmallMap(const Gather& g)
    : gather_(g),
      pixels_(int64_t(g.grid_height) * g.grid_width),
      source_pixels_(int64_t(g.source_height) * g.source_width),
      target_pixels_(int64_t(g.target_height) * g.target_width) {
  const int64_t tile = kernels().tile_rows;
  block_images_ = std::max<int64_t>(1, wanted_block_rows / (pixels_ * tile)) * tile;
  block_images_ = std::min(block_images_, round_up(g.images, tile));
  // A block of depths lies within a tap.
  for (int64_t pieces = ceil_div(g.channels, most_depth); block_depth_ == 0; ++pieces) {
    if (g.channels % pieces == 0) block_depth_ = g.channels / pieces;
  }
  if (pixels_ > most_pixels) return;
  std::vector<bool> reached(size_t(pixels_), false);
  places_.resize(size_t(g.tap_count));
  int64_t count = 0;
  for (int32_t t = 0; t < g.tap_count; ++t) {
    const Tap tap = g.taps[size_t(t)];
    for (int32_t i = 0; i < int32_t(pixels_); ++i) {
      const int32_t gy = i / g.grid_width, gx = i % g.grid_width;
      const int32_t y = gy * g.step + tap.dy, x = gx * g.step + tap.dx;
      if (uint32_t(y) >= uint32_t(g.source_height) || uint32_t(x) >= uint32_t(g.source_width)) continue;
      const int32_t target = (gy * g.target_step + g.target_y) * g.target_width + gx * g.target_step + g.target_x;
      places_[size_t(t)].push_back({y * g.source_width + x, target, i, !reached[size_t(i)]});
      reached[size_t(i)] = true;
      used_ |= 1u << t;
      ++count;
    }
  }
  for (int32_t i = 0; i < int32_t(pixels_); ++i) {
    const int32_t gy = i / g.grid_width, gx = i % g.grid_width;
    if (reached[size_t(i)]) continue;
    unreached_.push_back((gy * g.target_step + g.target_y) * g.target_width + gx * g.target_step + g.target_x);
  }
  share_ = double(count) / double(pixels_ * g.tap_count);
}

bool SmallMap::pays() const {
  if (pixels_ > most_pixels || block_depth_ < 32) return false;
  // The last tile of images is often not full.
  const double full = double(gather_.images) / double(round_up(gather_.images, kernels().tile_rows));
  return share_ < 0.9 * full;
}

void SmallMap::pack(const WeightLayout& layout, const float* weights, float* packed) const {
  pack_weights(gather_, layout, block_depth_, weights, packed, used_);
}

ScratchSize SmallMap::product_scratch() const {
  ScratchSize size;
  size.include(Scratch::operand, most_rows * row_stride(block_depth_));
  return size;
}

// One block of depths, all within a tap, for some images. panel: room for most_rows of them.
void SmallMap::multiply_tap(const Operand& source, const float* packed, float* target, bool accumulate, int64_t image0,
                            int64_t images, int64_t depth0, int64_t column0, int64_t column1, float* panel) const {
  const Kernels& kernel = kernels();
  const Gather& g = gather_;
  const int64_t tap = depth0 / g.channels, channel = depth0 % g.channels, width = kernel.tile_columns;
  const int64_t tile_rows = kernel.tile_rows, stride = target_pixels_ * g.columns;
  const std::vector<Place>& places = places_[size_t(tap)];
  if (places.empty()) return;
  const int64_t a_stride = row_stride(block_depth_);
  const float* rows[most_rows];
  int64_t count = 0;
  for (const Place& place : places) {
    for (int64_t i = 0; i < images; ++i) {
      rows[count++] = source.data.floats() + ((image0 + i) * source_pixels_ + place.source) * g.pixel + channel;
    }
  }
  swav::pack(kernel, source, rows, count, channel, block_depth_, panel, a_stride);
  const float* weights = packed + depth0 * round_up(g.columns, width);
  for (int64_t n = column0; n < column1; n += width) {
    const float* a = panel;
    for (const Place& place : places) {
      const bool add = accumulate || !place.first || channel > 0;
      float* out = target + (image0 * target_pixels_ + place.target) * g.columns + n;
      for (int64_t i = 0; i < images; i += tile_rows) {
        kernel.product_rows(block_depth_, a + i * a_stride, a_stride, weights + n * block_depth_, out + i * stride, stride,
                            int(std::min(tile_rows, images - i)), std::min(width, column1 - n), add, {});
      }
      a += images * a_stride;
    }
  }
}

void SmallMap::product(const Operand& source, const float* packed, float* target, bool accumulate, Epilogue epilogue) const {
  const Gather& g = gather_;
  const int64_t width = kernels().tile_columns, panels = ceil_div(g.columns, width);
  const int64_t image_blocks = ceil_div(g.images, block_images_);
  const int64_t wanted_pieces = std::clamp<int64_t>(ceil_div(wanted_tasks, image_blocks), 1, ceil_div(panels, 2));
  const int64_t piece = ceil_div(panels, wanted_pieces) * width, pieces = ceil_div(g.columns, piece);
  const TeamScratch scratch(product_scratch());
  parallel::for_each(image_blocks * pieces, [&](int64_t task, int worker) {
    const int64_t block = task / pieces, image0 = block * block_images_;
    const int64_t images = std::min(block_images_, g.images - image0);
    const int64_t column0 = task % pieces * piece, column1 = std::min<int64_t>(g.columns, column0 + piece);
    float* panel = scratch.get(worker, Scratch::operand, most_rows * row_stride(block_depth_));
    for (int64_t k = 0; k < g.depth(); k += block_depth_) {
      multiply_tap(source, packed, target, accumulate, image0, images, k, column0, column1, panel);
    }
    for (int32_t pixel : unreached_) {
      for (int64_t i = 0; i < images && !accumulate; ++i) {
        float* to = target + ((image0 + i) * target_pixels_ + pixel) * g.columns;
        std::memset(to + column0, 0, size_t(column1 - column0) * sizeof(float));
      }
    }
    if (epilogue) epilogue(block, image0 * pixels_, (image0 + images) * pixels_, column0, column1);
  });
}

SmallMap::GradientBlocking SmallMap::gradient_blocking() const {
  constexpr int64_t most_columns = 256, most_channels = 252;
  constexpr int64_t workspace_limit = int64_t{4} << 20;  // floats, for results of more than one range
  const Kernels& kernel = kernels();
  const Gather& g = gather_;
  GradientBlocking b;
  b.channels = round_up(ceil_div(g.channels, ceil_div(g.channels, most_channels)), kernel.tile_rows);
  b.channel_blocks = ceil_div(g.channels, b.channels);
  b.columns = round_up(ceil_div(g.columns, ceil_div(g.columns, most_columns)), kernel.tile_columns);
  b.column_blocks = ceil_div(g.columns, b.columns);
  const int64_t tasks =
      std::count_if(places_.begin(), places_.end(), [](auto& p) { return !p.empty(); }) * b.channel_blocks * b.column_blocks;
  const int64_t most_ranges = std::max<int64_t>(1, workspace_limit / (g.depth() * g.columns));
  b.ranges = std::clamp<int64_t>(ceil_div(wanted_tasks, tasks), 1, std::min(most_ranges, ceil_div(g.images, chunk_rows)));
  return b;
}

int64_t SmallMap::gradient_workspace() const {
  return gradient_blocking().ranges * gradient_result_count(gather_, kernels().tile_columns);
}

ScratchSize SmallMap::gradient_scratch() const {
  const GradientBlocking b = gradient_blocking();
  ScratchSize size;
  size.include(Scratch::operand, chunk_rows * row_stride(b.channels));
  size.include(Scratch::gradient, chunk_rows * b.columns);
  return size;
}

void SmallMap::weight_gradient(const WeightLayout& layout, const Operand& source, const Operand& d_target, float* workspace,
                               float* gradient) const {
  const Kernels& kernel = kernels();
  const Gather& g = gather_;
  const GradientBlocking b = gradient_blocking();
  const int64_t width = kernel.tile_columns, blocks = b.channel_blocks * b.column_blocks;
  const int64_t x_stride = row_stride(b.channels);
  const TeamScratch scratch(gradient_scratch());
  parallel::for_each(g.tap_count * blocks * b.ranges, [&](int64_t task, int worker) {
    const int64_t tap = task / (blocks * b.ranges), range = task / blocks % b.ranges;
    const std::vector<Place>& places = places_[size_t(tap)];
    const int64_t c0 = task / b.column_blocks % b.channel_blocks * b.channels,
                  c1 = std::min<int64_t>(g.channels, c0 + b.channels);
    const int64_t n0 = task % b.column_blocks * b.columns, n1 = std::min<int64_t>(g.columns, n0 + b.columns);
    const int64_t places_count = int64_t(places.size());
    const int64_t begin = g.images * range / b.ranges * places_count, end = g.images * (range + 1) / b.ranges * places_count;
    float* x = scratch.get(worker, Scratch::operand, chunk_rows * x_stride);
    float* dy = scratch.get(worker, Scratch::gradient, chunk_rows * b.columns);
    float* results = workspace + range * gradient_result_count(g, width);
    const float *rows[chunk_rows], *d_rows[chunk_rows];
    for (int64_t row = begin; row < end; row += chunk_rows) {
      const int64_t count = std::min(chunk_rows, end - row);
      for (int64_t i = 0; i < count; ++i) {
        const int64_t image = (row + i) / places_count;
        const Place& place = places[size_t((row + i) % places_count)];
        rows[i] = source.data.floats() + (image * source_pixels_ + place.source) * g.pixel + c0;
        d_rows[i] = d_target.data.floats() + (image * target_pixels_ + place.target) * g.columns + n0;
      }
      swav::pack(kernel, source, rows, count, c0, c1 - c0, x, x_stride);
      swav::pack(kernel, d_target, d_rows, count, n0, n1 - n0, dy, width, {width, count * width});
      for (int64_t n = n0; n < n1; n += width) {
        for (int64_t c = c0; c < c1; c += kernel.tile_rows) {
          kernel.product_depth(count, x + (c - c0), x_stride, dy + (n - n0) * count,
                               results + n * g.depth() + (tap * g.channels + c) * width, width,
                               int(std::min<int64_t>(kernel.tile_rows, c1 - c)), std::min(width, n1 - n), row > begin, {});
        }
      }
    }
  });
  add_weight_gradient(g, layout, width, b.ranges, workspace, gradient, used_);
}

}  // namespace swav
