#include "ops/small_map.h"

#include <algorithm>

#include "base/parallel.h"

namespace swav {
namespace {

constexpr int64_t wanted_block_rows = 112;
constexpr int64_t most_depth = 288, least_depth = 32;  // channels multiplied at a time
constexpr int64_t most_pixels = 16;
constexpr int64_t most_rows = most_pixels * 14;  // of a block: a register tile of images for every pixel
constexpr int64_t chunk_rows = 192;              // packed at a time for the weight gradient
constexpr int64_t round_chunk = 8192;            // weights that are rounded at a time

}  // namespace

SmallMap::SmallMap(const Gather& g, Storage storage)
    : gather_(g),
      storage_(storage),
      pixels_(int64_t(g.grid_height) * g.grid_width),
      source_pixels_(int64_t(g.source_height) * g.source_width),
      target_pixels_(int64_t(g.target_height) * g.target_width) {
  const int64_t tile = kernels().tile_rows;
  block_images_ = std::max<int64_t>(1, wanted_block_rows / (pixels_ * tile)) * tile;
  block_images_ = std::min(block_images_, round_up(g.images, tile));
  // A block of depths lies within a tap.
  for (int64_t pieces = ceil_div(g.channels, most_depth); block_depth_ == 0; ++pieces) {
    if (g.channels % pieces == 0) block_depth_ = g.channels / pieces;
    else if (g.channels / pieces < least_depth) block_depth_ = 1;  // which does not pay
  }
  image_blocks_ = ceil_div(g.images, block_images_);
  const int64_t width = kernels().tile_columns, panels = ceil_div(g.columns, width);
  const int64_t wanted_pieces = std::clamp<int64_t>(ceil_div(wanted_tasks, image_blocks_), 1, ceil_div(panels, 2));
  piece_columns_ = ceil_div(panels, wanted_pieces) * width;
  pieces_ = ceil_div(g.columns, piece_columns_);
  if (pixels_ > most_pixels) return;
  std::vector<bool> reached(size_t(pixels_), false);
  places_.resize(size_t(g.tap_count));
  int64_t count = 0;
  for (int32_t t = 0; t < g.tap_count; ++t) {
    const Tap tap = g.taps[size_t(t)];
    for (int32_t i = 0; i < int32_t(pixels_); ++i) {
      const int32_t y = i / g.grid_width * g.step + tap.dy, x = i % g.grid_width * g.step + tap.dx;
      if (uint32_t(y) >= uint32_t(g.source_height) || uint32_t(x) >= uint32_t(g.source_width)) continue;
      places_[size_t(t)].push_back({y * g.source_width + x, i, !reached[size_t(i)]});
      reached[size_t(i)] = true;
      used_ |= 1u << t;
      ++count;
    }
  }
  for (int32_t i = 0; i < int32_t(pixels_); ++i) {
    const int64_t y = i / g.grid_width * g.target_step + g.target_y, x = i % g.grid_width * g.target_step + g.target_x;
    target_offsets_.push_back((y * g.target_width + x) * g.columns);
    sums_offsets_.push_back(i * piece_columns_);
    if (!reached[size_t(i)]) unreached_.push_back(i);
  }
  share_ = double(count) / double(pixels_ * g.tap_count);
}

bool SmallMap::pays() const {
  if (pixels_ > most_pixels || block_depth_ < least_depth) return false;
  // The last tile of images is often not full.
  const double full = double(gather_.images) / double(round_up(gather_.images, kernels().tile_rows));
  // Vectors multiply bfloat16 twice as fast as floats at best.
  return share_ < (half() ? 0.5 : 0.9) * full;
}

void SmallMap::pack(const WeightLayout& layout, const float* weights, float* packed) const {
  pack_weights(gather_, layout, block_depth_, weights, packed, used_);
  if (!half()) return;
  const int64_t tap_count = packed_weight_count(gather_) / gather_.tap_count;
  parallel::for_each(gather_.tap_count * ceil_div(tap_count, round_chunk), [&](int64_t task, int) {
    const int64_t tap = task / ceil_div(tap_count, round_chunk), begin = task % ceil_div(tap_count, round_chunk) * round_chunk;
    const float* from = packed + tap * tap_count + begin;
    const int64_t count = std::min(round_chunk, tap_count - begin);
    if (used_ >> tap & 1) bfloat_kernels().bfloat_values_float(&from, 1, count, packed + tap * tap_count + begin, 0, count, 0);
  });
}

ScratchSize SmallMap::product_scratch() const {
  ScratchSize size;
  size.include(Scratch::operand, most_rows * row_stride(block_depth_));
  if (half()) size.include(Scratch::result, most_rows * piece_columns_);
  return size;
}

namespace {

void pack_floats(const Operand& operand, const float* const* rows, int64_t count, int64_t channel, int64_t n, float* to,
                 int64_t to_stride, Panels panels = {}) {
  pack(kernels(), operand, rows, count, channel, n, to, to_stride, panels);
}
void pack_floats(const Operand& operand, const bfloat16* const* rows, int64_t count, int64_t channel, int64_t n, float* to,
                 int64_t to_stride, Panels panels = {}) {
  pack_widened(bfloat_kernels(), operand, rows, count, channel, n, to, to_stride, panels);
}

}  // namespace

// One block of depths, all within a tap, for some images. panel: room for most_rows of them.
template <class T>
void SmallMap::multiply_tap(const Operand& source, const T* data, const float* packed, const Sums& sums, bool accumulate,
                            const Block& block, int64_t depth0, float* panel) const {
  const Kernels& kernel = kernels();
  const Gather& g = gather_;
  const int64_t tap = depth0 / g.channels, channel = depth0 % g.channels, width = kernel.tile_columns;
  const int64_t tile_rows = kernel.tile_rows, a_stride = row_stride(block_depth_);
  const std::vector<Place>& places = places_[size_t(tap)];
  if (places.empty()) return;
  const T* rows[most_rows];
  int64_t count = 0;
  for (const Place& place : places) {
    for (int64_t i = 0; i < block.images; ++i) {
      rows[count++] = data + ((block.image0 + i) * source_pixels_ + place.source) * g.pixel + channel;
    }
  }
  pack_floats(source, rows, count, channel, block_depth_, panel, a_stride);
  const float* weights = packed + depth0 * round_up(g.columns, width);
  for (int64_t n = block.column0; n < block.column1; n += width) {
    const float* a = panel;
    for (const Place& place : places) {
      const bool add = accumulate || !place.first || channel > 0;
      float* out = sums.at + sums.offsets[place.grid] + (n - block.column0);
      for (int64_t i = 0; i < block.images; i += tile_rows) {
        kernel.product_rows(block_depth_, a + i * a_stride, a_stride, weights + n * block_depth_, out + i * sums.image,
                            sums.image, int(std::min(tile_rows, block.images - i)), std::min(width, block.column1 - n), add,
                            {});
      }
      a += block.images * a_stride;
    }
  }
}

void SmallMap::multiply(const Operand& source, const float* packed, const Sums& sums, bool accumulate, const Block& block,
                        float* panel) const {
  for (int64_t k = 0; k < gather_.depth(); k += block_depth_) {
    if (half()) multiply_tap(source, source.data.halves(), packed, sums, accumulate, block, k, panel);
    else multiply_tap(source, source.data.floats(), packed, sums, accumulate, block, k, panel);
  }
  for (int32_t pixel : unreached_) {
    for (int64_t i = 0; i < block.images && !accumulate; ++i) {
      float* to = sums.at + i * sums.image + sums.offsets[pixel];
      std::fill(to, to + (block.column1 - block.column0), 0.0f);
    }
  }
}

void SmallMap::round_sums(const float* sums, bfloat16* target, bool accumulate, const Block& block) const {
  bfloat16* rows[most_rows];
  int64_t count = 0;
  for (int64_t i = 0; i < block.images; ++i) {
    bfloat16* image = target + (block.image0 + i) * target_pixels_ * gather_.columns;
    for (int64_t offset : target_offsets_) rows[count++] = image + offset;
  }
  bfloat_kernels().write_bfloat(sums, piece_columns_, rows, block.column0, int(count), block.column1 - block.column0,
                                accumulate);
}

void SmallMap::product(const Operand& source, const float* packed, Values target, bool accumulate, Epilogue epilogue) const {
  const Gather& g = gather_;
  const TeamScratch scratch(product_scratch());
  parallel::for_each(image_blocks_ * pieces_, [&](int64_t task, int worker) {
    const int64_t number = task / pieces_, image0 = number * block_images_, column0 = task % pieces_ * piece_columns_;
    const Block block{image0, std::min(block_images_, g.images - image0), column0,
                      std::min<int64_t>(g.columns, column0 + piece_columns_)};
    float* panel = scratch.get(worker, Scratch::operand, most_rows * row_stride(block_depth_));
    if (half()) {
      float* sums = scratch.get(worker, Scratch::result, most_rows * piece_columns_);
      multiply(source, packed, {sums, pixels_ * piece_columns_, sums_offsets_.data()}, false, block, panel);
      round_sums(sums, target.halves(), accumulate, block);
    } else {
      const int64_t image = target_pixels_ * g.columns;
      float* sums = target.floats() + image0 * image + column0;
      multiply(source, packed, {sums, image, target_offsets_.data()}, accumulate, block, panel);
    }
    if (epilogue) epilogue(number, image0 * pixels_, (image0 + block.images) * pixels_, column0, block.column1);
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

template <class T>
void SmallMap::add_gradient(const Operand& source, const Operand& d_target, const T* data, const T* d_data,
                            float* workspace) const {
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
    const T *rows[chunk_rows], *d_rows[chunk_rows];
    for (int64_t row = begin; row < end; row += chunk_rows) {
      const int64_t count = std::min(chunk_rows, end - row);
      for (int64_t i = 0; i < count; ++i) {
        const int64_t image = (row + i) / places_count;
        const Place& place = places[size_t((row + i) % places_count)];
        rows[i] = data + (image * source_pixels_ + place.source) * g.pixel + c0;
        d_rows[i] = d_data + image * target_pixels_ * g.columns + target_offsets_[size_t(place.grid)] + n0;
      }
      pack_floats(source, rows, count, c0, c1 - c0, x, x_stride);
      pack_floats(d_target, d_rows, count, n0, n1 - n0, dy, width, {width, count * width});
      for (int64_t n = n0; n < n1; n += width) {
        for (int64_t c = c0; c < c1; c += kernel.tile_rows) {
          kernel.product_depth(count, x + (c - c0), x_stride, dy + (n - n0) * count,
                               results + n * g.depth() + (tap * g.channels + c) * width, width,
                               int(std::min<int64_t>(kernel.tile_rows, c1 - c)), std::min(width, n1 - n), row > begin, {});
        }
      }
    }
  });
}

void SmallMap::weight_gradient(const WeightLayout& layout, const Operand& source, const Operand& d_target, float* workspace,
                               float* gradient) const {
  if (half()) add_gradient(source, d_target, source.data.halves(), d_target.data.halves(), workspace);
  else add_gradient(source, d_target, source.data.floats(), d_target.data.floats(), workspace);
  add_weight_gradient(gather_, layout, kernels().tile_columns, gradient_blocking().ranges, workspace, gradient, used_);
}

}  // namespace swav
