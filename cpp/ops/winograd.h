// 3x3 convolutions of stride 1 with a quarter of the multiplications: Winograd's F(4x4, 3x3) and, towards the weights, F(3x3,
// 4x4) (kernels/winograd_transforms.inl.h has the formulas). Values are rounded differently from the direct method: the
// transforms lose about four bits more.
//
// A task transforms tiles or weights, multiplies 36 small matrices, transforms back and calls the epilogue, so that most of the
// transformed values stay in its cache.
#pragma once

#include <cstdint>

#include "ops/product.h"
#include "ops/row_blocks.h"

namespace swav {

struct WinogradShape {
  int64_t images = 0;
  int32_t height = 0, width = 0;
  int32_t channels = 0, filters = 0;

  int64_t tile_rows() const { return images * ceil_div(height, 4); }
  int64_t row_tiles() const { return ceil_div(width, 4); }
  int64_t tiles() const { return tile_rows() * row_tiles(); }
};

// Whether it is faster than the direct method: a function of the shape only.
bool winograd_pays(const WinogradShape& shape);

// Blocks that the epilogue of winograd_product gets for a shape, its source and target having `height` x `width` pixels.
RowBlocks winograd_blocks(const WinogradShape& shape);

// Floats of the workspace of winograd_product and of winograd_weight_gradient.
int64_t winograd_workspace(const WinogradShape& shape);
int64_t winograd_gradient_workspace(const WinogradShape& shape);

// Scratch of their workers.
ScratchSize winograd_scratch(const WinogradShape& shape);
ScratchSize winograd_gradient_scratch(const WinogradShape& shape);

// Maps may be floats or bfloat16: what lies between the transforms is floats.
//
// target [images][height][width][filters] (+)= convolution of source with the master weights [filters][channels][3][3], zero
// padding of 1. For the backward towards the data (`backward`) the shape has channels and filters exchanged, and the weights
// are rotated by half a turn.
void winograd_product(const WinogradShape& shape, const Operand& source, const float* weights, bool backward, float* workspace,
                      Values target, bool accumulate, Epilogue epilogue);

// d_weights [filters][channels][3][3] += the gradient for d_target [images][height][width][filters].
void winograd_weight_gradient(const WinogradShape& shape, const Operand& source, const Operand& d_target, float* workspace,
                              float* d_weights);

}  // namespace swav
