#include "ops/pool.h"

#include <algorithm>

#include "base/parallel.h"
#include "ops/residual.h"

namespace swav {
namespace {
constexpr int32_t rows_a_block = 8;  // rows of the input map, in max_pool_backward
int64_t blocks_an_image(const PoolShape& s) { return (s.height + rows_a_block - 1) / rows_a_block; }

template <class T, class Kernel>
void forward(const PoolShape& s, const T* y, const BatchNormValues& norm, T* out, uint8_t* index, Kernel kernel) {
  parallel::for_each(s.images * s.out_height(), [&](int64_t task, int) {
    const int64_t image = task / s.out_height();
    const int32_t oy = int32_t(task % s.out_height());
    for (int32_t ox = 0; ox < s.out_width(); ++ox) {
      const T* rows[9];
      for (int32_t t = 0; t < 9; ++t) {
        const int32_t iy = 2 * oy - 1 + t / 3, ix = 2 * ox - 1 + t % 3;
        const bool inside = iy >= 0 && iy < s.height && ix >= 0 && ix < s.width;
        rows[t] = inside ? y + ((image * s.height + iy) * s.width + ix) * s.channels : nullptr;
      }
      const int64_t at = (task * s.out_width() + ox) * s.channels;
      kernel(rows, 9, s.channels, norm.scale, norm.shift, out + at, index + at);
    }
  });
}

template <class T, class Kernel>
void backward(const PoolShape& s, const T* d_out, const uint8_t* index, const T* y, const BatchNormValues& norm, T* dz,
              BlockSums sums, Kernel kernel) {
  parallel::for_each(max_pool_blocks(s), [&](int64_t block, int) {
    const int64_t image = block / blocks_an_image(s);
    const int32_t y0 = int32_t(block % blocks_an_image(s)) * rows_a_block, y1 = std::min(s.height, y0 + rows_a_block);
    for (int32_t iy = y0; iy < y1; ++iy) {
      for (int32_t ix = 0; ix < s.width; ++ix) {
        // Window (oy, ox) covers rows 2 oy - 1 .. 2 oy + 1: an even row is in one window, an odd one in two.
        const T* gradients[4];
        const uint8_t* places[4];
        int taps[4], count = 0;
        for (int32_t oy = iy / 2; oy <= std::min((iy + 1) / 2, s.out_height() - 1); ++oy) {
          for (int32_t ox = ix / 2; ox <= std::min((ix + 1) / 2, s.out_width() - 1); ++ox) {
            const int64_t at = ((image * s.out_height() + oy) * s.out_width() + ox) * s.channels;
            gradients[count] = d_out + at;
            places[count] = index + at;
            taps[count++] = (iy - 2 * oy + 1) * 3 + (ix - 2 * ox + 1);
          }
        }
        kernel(gradients, places, taps, count, s.channels, dz + ((image * s.height + iy) * s.width + ix) * s.channels);
      }
    }
    const int64_t at = (image * s.height + y0) * s.width * s.channels;
    gradient_sums(dz + at, y + at, s.channels, int64_t(y1 - y0) * s.width, s.channels, norm.mean,
                  sums.first + block * s.channels, sums.second + block * s.channels);
  });
}

}  // namespace

int64_t max_pool_blocks(const PoolShape& s) { return s.images * blocks_an_image(s); }

void max_pool_forward(const PoolShape& s, ConstValues y, const BatchNormValues& norm, Values out, uint8_t* index) {
  if (y.half()) forward(s, y.halves(), norm, out.halves(), index, bfloat_kernels().max_pool_bfloat);
  else forward(s, y.floats(), norm, out.floats(), index, kernels().max_pool);
}

void max_pool_backward(const PoolShape& s, ConstValues d_out, const uint8_t* index, ConstValues y, const BatchNormValues& norm,
                       Values dz, BlockSums sums) {
  if (y.half()) {
    backward(s, d_out.halves(), index, y.halves(), norm, dz.halves(), sums, bfloat_kernels().max_pool_backward_bfloat);
  } else {
    backward(s, d_out.floats(), index, y.floats(), norm, dz.floats(), sums, kernels().max_pool_backward);
  }
}

void average_pool_forward(ConstValues x, int64_t images, int64_t pixels, int64_t channels, float* features) {
  parallel::for_each(images, [&](int64_t image, int) {
    float* out = features + image * channels;
    const ConstValues map = x + image * pixels * channels;
    if (map.half()) bfloat_kernels().column_sums_bfloat(map.halves(), channels, pixels, channels, out);
    else kernels().column_sums(map.floats(), channels, pixels, channels, out);
    for (int64_t c = 0; c < channels; ++c) out[c] /= float(pixels);
  });
}

void average_pool_backward(const float* d_features, int64_t images, int64_t pixels, int64_t channels, Values dx) {
  parallel::for_each(images, [&](int64_t image, int) {
    const float* d = d_features + image * channels;
    for (int64_t p = 0; p < pixels; ++p) {
      const Values to = dx + (image * pixels + p) * channels;
      for (int64_t c = 0; c < channels && to.half(); ++c) to.halves()[c] = to_bfloat16(d[c] / float(pixels));
      for (int64_t c = 0; c < channels && !to.half(); ++c) to.floats()[c] = d[c] / float(pixels);
    }
  });
}

}  // namespace swav
