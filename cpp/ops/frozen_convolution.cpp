#include "ops/frozen_convolution.h"

#include <algorithm>
#include <cstring>

#include "base/parallel.h"
#include "base/scratch.h"
#include "kernels/bfloat_kernels.h"

namespace swav {
namespace {

// Bytes of the source that a task reads again for every panel of weights: beside the panel, which the tiles
// of the task read again and again.
constexpr int64_t block_bytes = cache::second / 4;
constexpr int64_t most_wide = cache::second / 2 / 4;  // floats of widened rows
constexpr int most_segments = TileSession::most_segments;

const TileKernels* body_in_use(Element element) {
  if (element == Element::bfloat16) return &tiles();
  return element == Element::quads ? integer_tiles() : nullptr;
}

}  // namespace

void clear_margin(const FrozenMap& map) {
  if (map.margin == 0) return;
  parallel::for_each(map.images, [&](int64_t i, int) {
    const int64_t edge = map.margin * map.row, side = map.margin * map.pixel;
    char* image = map.data + i * map.image;
    std::memset(image, 0, size_t(edge));
    std::memset(image + map.image - edge, 0, size_t(edge));
    for (int32_t y = 0; y < map.height; ++y) {
      char* row = image + edge + y * map.row;
      std::memset(row, 0, size_t(side));
      std::memset(row + map.row - side, 0, size_t(side));
    }
  });
}

FrozenConvolution::FrozenConvolution(Element element, std::vector<FrozenWindow> windows, int32_t filters,
                                     const FrozenMap* target, const FrozenMap* residual, const TileKernels* body)
    : element_(element),
      body_(body ? body : body_in_use(element)),
      windows_(std::move(windows)),
      filters_(filters),
      target_(target),
      residual_(residual) {
  tile_ = body_ ? body_->tile : TileGeometry{kernels().tile_rows, kernels().tile_columns, 1};
  if (body_) parts_ = body_->parts;
  const int64_t size = element_size(element);
  flat_ = target->margin == 0 && (residual == nullptr || residual->margin == 0);
  int64_t row_bytes = 0;
  for (size_t i = 0; i < windows_.size(); ++i) {
    const FrozenWindow& w = windows_[i];
    flat_ = flat_ && w.kernel == 1 && w.stride == 1 && w.source->margin == 0;
    // Pixels without a gap between them make one stretch of a whole row of the window.
    const bool dense = w.source->pixel == w.source->channels * size;
    for (int32_t r = 0; r < w.kernel; ++r) {
      for (int32_t s = 0; s < w.kernel; s += dense ? w.kernel : 1) {
        const int64_t elements = int64_t(dense ? w.kernel : 1) * w.source->channels;
        stretches_.push_back({int(i), r, s, elements, round_up(ceil_div(elements * size, 4), tile_.words)});
        words_ += stretches_.back().words;
      }
    }
    row_bytes += w.source->pixel * w.stride;
  }
  depth_ = widened() ? 2 * words_ : words_;
  group_tiles_ = std::max<int64_t>(1, most_wide / (tile_.rows * wide_stride()));
  runs_ = flat_ ? 1 : target->images * target->height;
  run_length_ = flat_ ? target->images * target->height * target->width : target->width;
  const int64_t part_rows = tile_.rows / parts_;
  run_tiles_ = ceil_div(run_length_, part_rows);
  const int64_t tiles = runs_ * run_tiles_, panels = columns() / columns_of(element_);
  block_tiles_ = std::clamp<int64_t>(block_bytes / (part_rows * row_bytes), 4, 64);
  block_tiles_ = std::min(block_tiles_, std::max<int64_t>(4, ceil_div(tiles, wanted_tasks)));
  block_tiles_ = round_up(block_tiles_, parts_);
  blocks_ = ceil_div(tiles, block_tiles_);
  piece_panels_ = ceil_div(panels, std::clamp<int64_t>(ceil_div(wanted_tasks, blocks_), 1, panels));
  pieces_ = ceil_div(panels, piece_panels_);
}

void FrozenConvolution::pack(Weight weight, char* packed) const {
  const int64_t width = tile_.columns, size = element_size(element_), in_word = 4 / size;
  parallel::for_each(columns() / width, [&](int64_t panel, int) {
    char* to = packed + panel * depth_ * 4 * width;
    for (const Stretch& stretch : stretches_) {
      const FrozenWindow& w = windows_[size_t(stretch.window)];
      for (int64_t e = 0; e < stretch.words * in_word; ++e) {
        const int32_t s = stretch.s + int32_t(e / w.source->channels);
        const int64_t channel = e % w.source->channels;
        const bool exists = e < stretch.elements && channel < w.channels;
        for (int64_t n = 0; n < width; ++n) {
          const int64_t filter = panel * width + n;
          const float value = exists && filter < filters_ ? weight(stretch.window, filter, stretch.r, s, channel) : 0.0f;
          char* place = to + (e / in_word * width + n) * 4 + e % in_word * size;
          if (widened()) {  // of a word the second number first, as vectors add them
            const float nearest = to_float(to_bfloat16(value));
            std::memcpy(to + ((e ^ 1) * width + n) * 4, &nearest, 4);
          } else if (element_ == Element::float32) {
            std::memcpy(place, &value, 4);
          } else if (element_ == Element::bfloat16) {
            *reinterpret_cast<bfloat16*>(place) = to_bfloat16(value);
          } else if (element_ == Element::quads) {
            *reinterpret_cast<int8_t*>(place) = int8_t(value);
          } else {
            *reinterpret_cast<int16_t*>(place) = int16_t(value);
          }
        }
      }
      to += stretch.words * depth_ / words_ * 4 * width;
    }
  });
}

FrozenConvolution::Tile FrozenConvolution::tile(int64_t index) const {
  const int64_t i = index % run_tiles_, x = i * run_length_ / run_tiles_;
  return {index / run_tiles_, x, int((i + 1) * run_length_ / run_tiles_ - x)};
}

char* FrozenConvolution::address(const FrozenMap& map, int32_t stride, int32_t padding, const Tile& tile) const {
  if (flat_) return map.data + tile.x * map.pixel;
  return map.at(tile.run / target_->height, tile.run % target_->height * stride - padding, tile.x * stride - padding);
}

int FrozenConvolution::segments(const Tile& tile, ProductSegment* segments) const {
  const char* base[2] = {};
  for (size_t i = 0; i < windows_.size(); ++i) {
    base[i] = address(*windows_[i].source, windows_[i].stride, windows_[i].padding, tile);
  }
  int count = 0;
  for (const Stretch& stretch : stretches_) {
    const FrozenWindow& w = windows_[size_t(stretch.window)];
    segments[count++] = {base[stretch.window] + stretch.r * w.source->row + stretch.s * w.source->pixel,
                         w.source->pixel * w.stride, stretch.words};
  }
  return count;
}

FusedRows FrozenConvolution::rows(const Tile& tile, int64_t column, int64_t size) const {
  FusedRows to{address(*target_, 1, 0, tile) + column * size, target_->pixel, nullptr, 0};
  if (residual_ != nullptr) {
    to.residual = address(*residual_, 1, 0, tile) + column * element_size(element_);
    to.residual_stride = residual_->pixel;
  }
  return to;
}

void FrozenConvolution::run_parts(TileSession& session, const Tile* parts, int count, int64_t column, const char* packed,
                                  const FrozenFinish& finish) const {
  ProductSegment first[most_segments], second[most_segments];
  const char* starts[most_segments];
  const int stretches = segments(parts[0], first);
  if (count > 1) segments(parts[1], second);
  for (int s = 0; s < stretches; ++s) starts[s] = count > 1 ? second[s].a : nullptr;
  const char* b = packed + words_ * 4 * column;
  const int second_rows = count > 1 ? parts[1].rows : 0;
  const bool to_float = finish.scales.to_float;
  constexpr int64_t width = bfloat_amx_tile.columns, most = bfloat_amx_tile.rows * width;
  const auto for_parts = [&](auto* sums, const auto& write) {
    for (int i = 0; i < count; ++i) {
      write(sums + i * (tile_.rows / parts_) * width, parts[i].rows,
            rows(parts[i], column, to_float ? 4 : element_size(element_)));
    }
  };
  if (element_ == Element::quads) {
    alignas(64) int32_t sums[most];
    session.product(first, starts, stretches, reinterpret_cast<const int8_t*>(b), parts[0].rows, second_rows, sums, width);
    const Requantize scales = finish.scales.from(column);
    for_parts(sums, [&](const int32_t* part, int part_rows, const FusedRows& to) {
      kernels().finish_quads(part, width, part_rows, scales, to);
    });
    return;
  }
  alignas(64) float sums[most];
  session.product(first, starts, stretches, b, parts[0].rows, second_rows, sums, width, false);
  for_parts(sums, [&](const float* part, int part_rows, const FusedRows& to) {
    bfloat_kernels().finish_bfloat(part, width, part_rows, finish.bias + column, finish.relu, to_float, to);
  });
}

void FrozenConvolution::run_tile(const Tile& tile, int64_t column, const char* packed, const FrozenFinish& finish) const {
  const Kernels& kernel = kernels();
  ProductSegment parts[most_segments];
  const int count = segments(tile, parts);
  const FusedRows to = rows(tile, column, finish.scales.to_float ? 4 : element_size(element_));
  const char* b = packed + words_ * 4 * column;
  if (element_ == Element::float32) {
    return kernel.fused_float(parts, count, reinterpret_cast<const float*>(b), tile.rows, finish.bias + column, finish.relu,
                              to);
  }
  const Requantize scales = finish.scales.from(column);
  if (element_ == Element::quads) {
    kernel.fused_quads(parts, count, reinterpret_cast<const int8_t*>(b), tile.rows, scales, to);
  } else {
    kernel.fused_pairs(parts, count, reinterpret_cast<const int16_t*>(b), tile.rows, scales, to);
  }
}

void FrozenConvolution::widen(const Tile& tile, float* to) const {
  ProductSegment parts[most_segments];
  const int count = segments(tile, parts);
  const bfloat16* rows[bfloat_vector_tile.rows];
  for (int s = 0; s < count; ++s) {
    for (int r = 0; r < tile.rows; ++r) rows[r] = reinterpret_cast<const bfloat16*>(parts[s].a + r * parts[s].stride);
    const int64_t numbers = 2 * parts[s].words;
    bfloat_kernels().bfloat_words_widened(rows, tile.rows, numbers, to, wide_stride());
    to += numbers;
  }
}

void FrozenConvolution::run_widened(int64_t first, int64_t last, int64_t panel0, int64_t panel1, float* to, const char* packed,
                                    const FrozenFinish& finish) const {
  constexpr int64_t width = bfloat_vector_tile.columns;
  alignas(64) float sums[bfloat_vector_tile.rows * width];
  const int64_t stride = wide_stride(), tile_count = tile_.rows * stride;
  const bool to_float = finish.scales.to_float;
  TileSession session(*body_);
  for (int64_t t0 = first; t0 < last; t0 += group_tiles_) {
    const int64_t t1 = std::min(last, t0 + group_tiles_);
    for (int64_t t = t0; t < t1; ++t) widen(tile(t), to + (t - t0) * tile_count);
    for (int64_t column = panel0 * width; column < panel1 * width; column += width) {
      for (int64_t t = t0; t < t1; ++t) {
        const Tile part = tile(t);
        const ProductSegment segment{reinterpret_cast<const char*>(to + (t - t0) * tile_count), 4 * stride, depth_};
        for (int64_t n = 0; n < width; n += tile_.columns) {
          session.product(&segment, 1, packed + depth_ * 4 * (column + n), part.rows, sums + n, width, false);
        }
        bfloat_kernels().finish_bfloat(sums, width, part.rows, finish.bias + column, finish.relu, to_float,
                                       rows(part, column, to_float ? 4 : element_size(element_)));
      }
    }
  }
}

void FrozenConvolution::run(const char* packed, const FrozenFinish& finish) const {
  const int64_t width = columns_of(element_), panels = columns() / width, tile_count = runs_ * run_tiles_;
  ScratchSize size;
  const int64_t wide_count = widened() ? group_tiles_ * tile_.rows * wide_stride() : 0;
  size.include(Scratch::operand, wide_count);
  const TeamScratch scratch(size);
  parallel::for_each(blocks_ * pieces_, [&](int64_t task, int worker) {
    const int64_t first = task / pieces_ * block_tiles_, last = std::min(tile_count, first + block_tiles_);
    const int64_t panel0 = task % pieces_ * piece_panels_, panel1 = std::min(panels, panel0 + piece_panels_);
    if (widened()) {
      return run_widened(first, last, panel0, panel1, scratch.get(worker, Scratch::operand, wide_count), packed, finish);
    }
    if (body_) {
      TileSession session(*body_, element_ == Element::quads);
      for (int64_t panel = panel0; panel < panel1; ++panel) {
        for (int64_t t = first; t < last; t += parts_) {
          const int count = int(std::min<int64_t>(parts_, last - t));
          const Tile parts[2] = {tile(t), count > 1 ? tile(t + 1) : Tile{}};
          run_parts(session, parts, count, panel * width, packed, finish);
        }
      }
      return;
    }
    for (int64_t panel = panel0; panel < panel1; ++panel) {
      for (int64_t t = first; t < last; ++t) run_tile(tile(t), panel * width, packed, finish);
    }
  });
}

}  // namespace swav
