#include "ops/frozen_winograd.h"

#include <algorithm>

#include "base/parallel.h"

namespace swav {
namespace {

constexpr int64_t points = 36;
// Tiles that a task takes through all stages: one register tile of the product, so that transformed values and the weights of
// 64 channels fit the second-level cache.
constexpr int64_t task_tiles = tile_geometry(16).rows;

}  // namespace

bool FrozenWinograd::pays(int64_t images, int32_t height, int32_t width, int32_t channels, int32_t filters) {
  if (channels < 32 || filters < 32) return false;
  const double tiles = double(images) * double(ceil_div(height, 4) * ceil_div(width, 4));
  // In multiplications: 36 a tile, and the transforms, which cost as much as about 8 channels more. Weights of more than a
  // quarter of the last-level cache come from memory, 36 instead of 9 of them, each as long as about 12 multiplications take.
  const bool far = int64_t(channels) * filters * points * 4 > cache::last / 4;
  const double cost = tiles * 36 * (1 + 8.0 / channels + 8.0 / filters) + (far ? 12 * 36 : 0);
  return cost < 0.9 * (double(images) * height * width * 9 + (far ? 12 * 9 : 0));
}

FrozenWinograd::FrozenWinograd(const FrozenMap* source, int32_t channels, int32_t filters, const FrozenMap* target,
                               const FrozenMap* residual)
    : source_(source), channels_(channels), filters_(filters), target_(target), residual_(residual) {
  row_tiles_ = ceil_div(source->width, 4);
  image_tiles_ = ceil_div(source->height, 4) * row_tiles_;
  tiles_ = source->images * image_tiles_;
  // A task of 128 channels has 0.6 MiB of transformed values and reads 2.25 MiB of weights.
  staged_ = int64_t(channels) * filters > 128 * 128;
}

int64_t FrozenWinograd::workspace() const { return staged_ ? points * tiles_ * (in_stride() + out_stride()) : 0; }

ScratchSize FrozenWinograd::scratch() const {
  ScratchSize size;
  if (staged_) return size;
  const int64_t parts = ceil_div(tiles_, task_tiles), most = ceil_div(tiles_, parts);
  size.include(Scratch::operand, points * most * in_stride());
  size.include(Scratch::result, points * most * out_stride());
  return size;
}

void FrozenWinograd::pack(Weight weight, float* packed) const {
  const Kernels& kernel = kernels();
  const int64_t width = kernel.tile_columns, depth = source_->channels;
  ScratchSize size;
  size.include(Scratch::operand, 9 * width);
  const TeamScratch team(size);
  parallel::for_each(columns() / width, [&](int64_t panel, int worker) {
    float* taps = team.get(worker, Scratch::operand, 9 * width);
    for (int64_t c = 0; c < depth; ++c) {
      for (int32_t t = 0; t < 9; ++t) {
        for (int64_t n = 0; n < width; ++n) {
          const int64_t filter = panel * width + n;
          taps[t * width + n] = c < channels_ && filter < filters_ ? weight(filter, t / 3, t % 3, c) : 0.0f;
        }
      }
      kernel.winograd_weights(taps, width, width, packed + (panel * depth + c) * width, depth * columns());
    }
  });
}

// Addresses of the pixels of a size x size tile, whose first pixel lies `margin` before the tile's output; NULL outside the
// map.
template <int size, class Pixel>
void FrozenWinograd::pixels(const FrozenMap& map, int64_t tile, int margin, Pixel** to) const {
  const int64_t image = tile / image_tiles_, y0 = tile % image_tiles_ / row_tiles_ * 4 - margin,
                x0 = tile % row_tiles_ * 4 - margin;
  for (int64_t i = 0; i < size; ++i) {
    const bool row = y0 + i >= 0 && y0 + i < map.height;
    for (int64_t j = 0; j < size; ++j) {
      const bool inside = row && x0 + j >= 0 && x0 + j < map.width;
      to[i * size + j] = inside ? reinterpret_cast<Pixel*>(map.at(image, y0 + i, x0 + j)) : nullptr;
    }
  }
}

void FrozenWinograd::transform(int64_t tile, int64_t index, const Buffers& to) const {
  const float* from[36];
  pixels<6>(*source_, tile, 1, from);
  kernels().winograd_input_plain(from, source_->channels, to.input + index * in_stride(), to.tiles * in_stride());
}

void FrozenWinograd::multiply(int64_t point, int64_t first, int64_t last, int64_t column, const float* packed,
                              const Buffers& b) const {
  static const float no_bias[64] = {};
  const Kernels& kernel = kernels();
  const int64_t depth = source_->channels, parts = ceil_div(last - first, kernel.tile_rows);
  const float* weights = packed + (point * columns() + column) * depth;
  for (int64_t part = 0; part < parts; ++part) {
    const int64_t t = first + part * (last - first) / parts, end = first + (part + 1) * (last - first) / parts;
    const char* a = reinterpret_cast<const char*>(b.input + (point * b.tiles + t) * in_stride());
    float* out = b.result + (point * b.tiles + t) * out_stride() + column;
    const ProductSegment segment{a, in_stride() * 4, depth};
    kernel.fused_float(&segment, 1, weights, int(end - t), no_bias, false,
                       {reinterpret_cast<char*>(out), out_stride() * 4, nullptr, 0});
  }
}

void FrozenWinograd::finish(int64_t tile, int64_t index, const Buffers& from, const float* bias, bool relu) const {
  float* to[16];
  pixels<4>(*target_, tile, 0, to);
  const float* residuals[16];
  if (residual_ != nullptr) pixels<4>(*residual_, tile, 0, residuals);
  kernels().winograd_output_fused(from.result + index * out_stride(), from.tiles * out_stride(), columns(), bias,
                                  residual_ != nullptr ? residuals : nullptr, relu, to);
}

void FrozenWinograd::run(const float* packed, const float* bias, bool relu, float* workspace) const {
  const int64_t width = kernels().tile_columns, panels = columns() / width;
  if (!staged_) {
    const int64_t parts = ceil_div(tiles_, task_tiles);
    const TeamScratch team(scratch());
    return parallel::for_each(parts, [&](int64_t task, int worker) {
      const int64_t first = task * tiles_ / parts, count = (task + 1) * tiles_ / parts - first;
      const Buffers own{team.get(worker, Scratch::operand, points * count * in_stride()),
                        team.get(worker, Scratch::result, points * count * out_stride()), count};
      for (int64_t t = 0; t < count; ++t) transform(first + t, t, own);
      for (int64_t p = 0; p < points; ++p) {
        for (int64_t panel = 0; panel < panels; ++panel) multiply(p, 0, count, panel * width, packed, own);
      }
      for (int64_t t = 0; t < count; ++t) finish(first + t, t, own, bias, relu);
    });
  }
  const Buffers all{workspace, workspace + points * tiles_ * in_stride(), tiles_};
  parallel::for_each(tiles_, [&](int64_t tile, int) { transform(tile, tile, all); });
  parallel::for_each(points * panels,
                     [&](int64_t task, int) { multiply(task / panels, 0, tiles_, task % panels * width, packed, all); });
  parallel::for_each(tiles_, [&](int64_t tile, int) { finish(tile, tile, all, bias, relu); });
}

}  // namespace swav
