#include "ops/convolution.h"

#include <algorithm>
#include <cstring>

#include "base/parallel.h"
#include "ops/row_walker.h"

namespace swav {
namespace {

// offset[k]: where the weight of depth k lies among a column's.
std::vector<int32_t> inverse(const std::vector<int32_t>& offset) {
  std::vector<int32_t> depth_at(offset.size());
  for (size_t k = 0; k < offset.size(); ++k) depth_at[size_t(offset[k])] = int32_t(k);
  return depth_at;
}

// Rows of a block where an epilogue runs in a pass of its own.
constexpr int64_t pass_block_rows = 112;

}  // namespace

WinogradShape Convolution::tiled(bool backward) const {
  const int32_t in = shape_.channels, out = shape_.filters;
  return {shape_.images, shape_.height, shape_.width, backward ? out : in, backward ? in : out};
}

Convolution::Convolution(const ConvolutionShape& shape, Input input, bool direct, Storage storage, const TileKernels& body)
    : shape_(shape) {
  const int32_t k = shape.kernel, taps = k * k;
  Gather& g = forward_;
  g.images = shape.images;
  g.grid_height = g.target_height = shape.out_height();
  g.grid_width = g.target_width = shape.out_width();
  g.step = shape.stride;
  g.pixel = shape.channels;
  g.columns = shape.filters;
  forward_layout_.column_stride = int64_t(shape.channels) * taps;
  std::vector<int32_t> offset;
  if (input == Input::image) {
    g.source_height = shape.height + 2 * shape.padding;
    g.source_width = shape.width + 2 * shape.padding;
    g.channels = k * shape.channels;
    for (int32_t r = 0; r < k; ++r) {
      g.taps[size_t(g.tap_count++)] = {r, 0};
      for (int32_t s = 0; s < k; ++s) {
        for (int32_t c = 0; c < shape.channels; ++c) offset.push_back(c * taps + r * k + s);
      }
    }
    forward_layout_.depth_at = inverse(offset);
    if (storage == Storage::bfloat16) tiles_.emplace(g, forward_layout_, body);
    return;
  }
  g.source_height = shape.height;
  g.source_width = shape.width;
  g.channels = shape.channels;
  for (int32_t r = 0; r < k; ++r) {
    for (int32_t s = 0; s < k; ++s) {
      g.taps[size_t(g.tap_count++)] = {r - shape.padding, s - shape.padding};
      for (int32_t c = 0; c < shape.channels; ++c) offset.push_back(c * taps + r * k + s);
    }
  }
  forward_layout_.depth_at = inverse(offset);
  add_phases();
  const bool half = storage == Storage::bfloat16, tiles_win = half && body.tile.words > 1;  // AMX
  winograd_ = !direct && !tiles_win && k == 3 && shape.stride == 1 && shape.padding == 1 && winograd_pays(tiled(false));
  if (winograd_) return;
  const auto choose = [&](const Gather& gather, const WeightLayout& layout, auto& small, auto& tiles) {
    if (small.emplace(gather, storage); !small->pays() || tiles_win) small.reset();
    if (half && !small) tiles.emplace(gather, layout, body);
  };
  choose(forward_, forward_layout_, small_, tiles_);
  for (Phase& phase : phases_) choose(phase.gather, phase.layout, phase.small, phase.tiles);
}

void Convolution::add_phases() {
  const ConvolutionShape& shape = shape_;
  const int32_t k = shape.kernel, taps = k * k;
  // dx pixel (y, x) meets tap (r, s) of dy pixel ((y + padding - r) / stride, ...) where that divides: one phase for each
  // residue of (y, x).
  for (int32_t py = 0; py < shape.stride; ++py) {
    for (int32_t px = 0; px < shape.stride; ++px) {
      Phase phase;
      Gather& b = phase.gather;
      b.images = shape.images;
      b.source_height = shape.out_height();
      b.source_width = shape.out_width();
      b.pixel = b.channels = shape.filters;
      b.grid_height = (shape.height - py + shape.stride - 1) / shape.stride;
      b.grid_width = (shape.width - px + shape.stride - 1) / shape.stride;
      b.columns = shape.channels;
      b.target_height = shape.height;
      b.target_width = shape.width;
      b.target_step = shape.stride;
      b.target_y = py;
      b.target_x = px;
      phase.layout.column_stride = taps;
      phase.layout.channel_stride = int64_t(shape.channels) * taps;
      for (int32_t r = 0; r < k; ++r) {
        for (int32_t s = 0; s < k; ++s) {
          const int32_t y = py + shape.padding - r, x = px + shape.padding - s;
          if (y % shape.stride != 0 || x % shape.stride != 0) continue;
          b.taps[size_t(b.tap_count++)] = {y / shape.stride, x / shape.stride};
          phase.layout.tap_offset.push_back(r * k + s);
        }
      }
      if (b.tap_count == 0 || b.rows() == 0) continue;
      phases_.push_back(std::move(phase));
    }
  }
}

int64_t Convolution::workspace() const {
  if (winograd_) {
    return std::max(
        {winograd_workspace(tiled(false)), winograd_workspace(tiled(true)), winograd_gradient_workspace(tiled(false))});
  }
  const auto packed = [](const Gather& gather, const auto& tiles) {
    return tiles ? tiles->packed_count() : packed_weight_count(gather);
  };
  int64_t count = packed(forward_, tiles_);
  for (const Phase& phase : phases_) count = std::max(count, packed(phase.gather, phase.tiles));
  if (tiles_) return std::max(count, tiles_->gradient_workspace());
  return std::max(count, small_ ? small_->gradient_workspace() : weight_gradient_workspace(forward_));
}

ScratchSize Convolution::scratch() const {
  ScratchSize size;
  if (winograd_) {
    size.include(winograd_scratch(tiled(false)));
    size.include(winograd_scratch(tiled(true)));
    size.include(winograd_gradient_scratch(tiled(false)));
    return size;
  }
  const auto include = [&](const Gather& gather, const WeightLayout& layout, const auto& small, const auto& tiles) {
    if (tiles) return size.include(tiles->product_scratch());
    size.include(product_scratch(gather, layout));
    if (small) size.include(small->product_scratch());
  };
  include(forward_, forward_layout_, small_, tiles_);
  for (const Phase& phase : phases_) include(phase.gather, phase.layout, phase.small, phase.tiles);
  size.include(tiles_ ? tiles_->gradient_scratch() : small_ ? small_->gradient_scratch() : weight_gradient_scratch(forward_));
  return size;
}

int64_t Convolution::framed_count() const {
  return shape_.images * forward_.source_height * forward_.source_width * shape_.channels;
}

namespace {

void copy_row(const float* from, int64_t count, float* to) { std::memcpy(to, from, size_t(count) * sizeof(float)); }
void copy_row(const float* from, int64_t count, bfloat16* to) { bfloat_kernels().to_bfloat(from, to, count); }

template <class T>
void frame_images(const ConvolutionShape& s, int64_t framed_height, const float* images, T* frame) {
  const int64_t row = int64_t(s.width) * s.channels, margin = int64_t(s.padding) * s.channels, framed_row = row + 2 * margin;
  parallel::for_each(s.images, [&](int64_t i, int) {
    T* to = frame + i * framed_height * framed_row;
    const float* from = images + i * s.height * row;
    for (int32_t y = 0; y < framed_height; ++y, to += framed_row) {
      const int32_t source_y = y - s.padding;
      if (source_y < 0 || source_y >= s.height) {
        std::fill(to, to + framed_row, T{});
        continue;
      }
      std::fill(to, to + margin, T{});
      copy_row(from + source_y * row, row, to + margin);
      std::fill(to + margin + row, to + framed_row, T{});
    }
  });
}

}  // namespace

void Convolution::pad_image(const float* image, Values frame) const {
  if (frame.half()) frame_images(shape_, forward_.source_height, image, frame.halves());
  else frame_images(shape_, forward_.source_height, image, frame.floats());
}

void Convolution::forward(const Operand& x, const float* weights, float* workspace, Values y, Epilogue epilogue) const {
  if (winograd_) {
    winograd_product(tiled(false), x, weights, false, workspace, y, false, epilogue);
  } else if (tiles_) {
    tiles_->pack(weights, workspace);
    tiles_->product(x, workspace, y, false, epilogue);
  } else if (small_) {
    small_->pack(forward_layout_, weights, workspace);
    small_->product(x, workspace, y, false, epilogue);
  } else {
    pack_weights(forward_, forward_layout_, blocking(forward_).block_depth, weights, workspace);
    gather_product(forward_, x, workspace, y.floats(), false, epilogue);
  }
}

RowBlocks Convolution::forward_blocks() const {
  if (winograd_) return winograd_blocks(tiled(false));
  if (tiles_) return tiles_->blocks();
  if (small_) return small_->blocks();
  return {shape_.out_rows(), blocking(forward_).block_rows};
}

RowBlocks Convolution::backward_blocks() const {
  if (winograd_) return winograd_blocks(tiled(true));
  if (dense_backward() && phases_[0].tiles) return phases_[0].tiles->blocks();
  if (dense_backward() && phases_[0].small) return phases_[0].small->blocks();
  const int64_t rows = shape_.images * shape_.height * shape_.width;
  return {rows, dense_backward() ? blocking(phases_[0].gather).block_rows : pass_block_rows};
}

void Convolution::backward_data(const Operand& dy, const float* weights, float* workspace, Values dx, bool accumulate,
                                Epilogue epilogue) const {
  if (winograd_) {
    winograd_product(tiled(true), dy, weights, true, workspace, dx, accumulate, epilogue);
    return;
  }
  const bool dense = dense_backward();
  const int64_t rows = shape_.images * shape_.height * shape_.width, channels = shape_.channels;
  if (int64_t(phases_.size()) < int64_t(shape_.stride) * shape_.stride && !accumulate) {
    // Pixels that no window's centre meets get no gradient.
    parallel::for_each(ceil_div(rows, pass_block_rows), [&](int64_t block, int) {
      const int64_t row0 = block * pass_block_rows, row1 = std::min(rows, row0 + pass_block_rows);
      const Values pixels = dx + row0 * channels;
      const int64_t count = (row1 - row0) * channels;
      if (pixels.half()) std::fill(pixels.halves(), pixels.halves() + count, bfloat16{});
      else std::fill(pixels.floats(), pixels.floats() + count, 0.0f);
    });
  }
  for (const Phase& phase : phases_) {
    const Epilogue last = dense ? epilogue : Epilogue();
    if (phase.tiles) {
      phase.tiles->pack(weights, workspace);
      phase.tiles->product(dy, workspace, dx, accumulate, last);
    } else if (phase.small) {
      phase.small->pack(phase.layout, weights, workspace);
      phase.small->product(dy, workspace, dx, accumulate, last);
    } else {
      pack_weights(phase.gather, phase.layout, blocking(phase.gather).block_depth, weights, workspace);
      gather_product(phase.gather, dy, workspace, dx.floats(), accumulate, last);
    }
  }
  if (dense || !epilogue) return;
  parallel::for_each(ceil_div(rows, pass_block_rows), [&](int64_t block, int) {
    const int64_t row0 = block * pass_block_rows;
    epilogue(block, row0, std::min(rows, row0 + pass_block_rows), 0, channels);
  });
}

void Convolution::backward_weights(const Operand& x, const Operand& dy, float* workspace, float* d_weights) const {
  if (winograd_) return winograd_weight_gradient(tiled(false), x, dy, workspace, d_weights);
  if (tiles_) return tiles_->weight_gradient(x, dy, workspace, d_weights);
  if (small_) return small_->weight_gradient(forward_layout_, x, dy, workspace, d_weights);
  weight_gradient(forward_, forward_layout_, x, dy, workspace, d_weights);
}

}  // namespace swav
