// Between maps of pixels and tiles of Winograd's convolutions: what winograd.cpp and winograd_gradient.cpp share.
#pragma once

#include <cstdint>

#include "kernels/kernels.h"
#include "ops/winograd.h"

namespace swav {

constexpr int64_t tile_points = 36;  // of a transformed tile

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
inline void transform_input(const Kernels& kernel, const WinogradShape& s, const Operand& x, int64_t tile, int64_t c0,
                            int64_t n, float* to, int64_t to_stride) {
  if (x.data.half()) {
    const BfloatKernels& halves = bfloat_kernels();
    const bfloat16* pixels[tile_points];
    tile_pixels<6, 1>(s, tile, x.data.halves(), s.channels, c0, pixels);
    switch (x.transform) {
      case Transform::plain: return halves.winograd_input_plain_bfloat(pixels, n, to, to_stride);
      case Transform::norm_relu: return halves.winograd_input_norm_relu_bfloat(pixels, n, x.a + c0, x.b + c0, to, to_stride);
      case Transform::gradient:
        return halves.winograd_input_gradient_bfloat(pixels, x.partner.halves() - x.data.halves(), n, x.a + c0, x.b + c0,
                                                     x.c + c0, to, to_stride);
    }
  }
  const float* pixels[tile_points];
  tile_pixels<6, 1>(s, tile, x.data.floats(), s.channels, c0, pixels);
  switch (x.transform) {
    case Transform::plain: return kernel.winograd_input_plain(pixels, n, to, to_stride);
    case Transform::norm_relu: return kernel.winograd_input_norm_relu(pixels, n, x.a + c0, x.b + c0, to, to_stride);
    case Transform::gradient:
      return kernel.winograd_input_gradient(pixels, x.partner.floats() - x.data.floats(), n, x.a + c0, x.b + c0, x.c + c0, to,
                                            to_stride);
  }
}

}  // namespace swav
