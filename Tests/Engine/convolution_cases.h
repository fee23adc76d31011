// Shapes of convolutions, operands and plain loops: what the tests of convolutions on either storage share.
#pragma once

#include <string>

#include "kernel_samples.h"
#include "ops/convolution.h"

namespace swav::test {

struct Case {
  ConvolutionShape shape;
  Convolution::Input input = Convolution::Input::activation;
  std::string text() const {
    const ConvolutionShape& s = shape;
    return std::to_string(s.images) + " images of " + std::to_string(s.height) + "x" + std::to_string(s.width) + "x" +
           std::to_string(s.channels) + ", " + std::to_string(s.filters) + " filters " + std::to_string(s.kernel) + "x" +
           std::to_string(s.kernel) + " stride " + std::to_string(s.stride) + " padding " + std::to_string(s.padding);
  }
};

constexpr auto activation = Convolution::Input::activation;
constexpr auto image = Convolution::Input::image;

// Images, height, width, channels, filters, kernel, stride, padding. Channels around the vector widths 4, 8, 16 and the tiles
// 8, 16, 32.
inline std::vector<Case> cases() {
  return {
      {{1, 1, 1, 3, 5, 1, 1, 0}, activation},
      {{7, 1, 1, 33, 31, 1, 1, 0}, activation},
      {{1, 2, 2, 16, 17, 1, 2, 0}, activation},
      {{7, 3, 3, 15, 33, 1, 1, 0}, activation},
      {{1, 9, 7, 5, 9, 1, 2, 0}, activation},
      {{2, 33, 33, 6, 7, 1, 2, 0}, activation},
      {{1, 1, 1, 3, 5, 3, 1, 1}, activation},
      {{7, 1, 1, 17, 9, 3, 2, 1}, activation},
      {{1, 2, 2, 16, 32, 3, 1, 1}, activation},
      {{7, 2, 2, 5, 6, 3, 2, 1}, activation},
      {{1, 3, 3, 35, 33, 3, 1, 1}, activation},
      {{7, 3, 3, 4, 8, 3, 2, 1}, activation},
      {{1, 33, 33, 3, 17, 3, 1, 1}, activation},
      {{2, 33, 33, 8, 9, 3, 2, 1}, activation},
      {{1, 97, 97, 2, 3, 3, 2, 1}, activation},
      {{1, 6, 11, 9, 15, 3, 1, 1}, activation},
      {{1, 11, 6, 9, 15, 3, 2, 1}, activation},
      {{1, 8, 8, 100, 70, 3, 1, 1}, activation},
      // deeper than a product takes in one go, 3x3 and 1x1
      {{1, 9, 8, 270, 35, 3, 2, 1}, activation},
      {{2, 5, 3, 2400, 40, 1, 1, 0}, activation},
      {{3, 5, 5, 300, 40, 1, 1, 0}, activation},
      {{1, 33, 33, 3, 8, 7, 2, 3}, image},
      {{7, 9, 8, 1, 5, 7, 2, 3}, image},
      {{1, 97, 97, 3, 17, 7, 2, 3}, image},
      {{2, 16, 17, 4, 33, 3, 1, 1}, image},
      {{1, 8, 8, 3, 16, 3, 1, 1}, image},
      // Maps of a few pixels and enough images: taps that meet padding are skipped (small_map.h). Up to 16 pixels, one to three
      // blocks of depths a tap, blocks of images that end in the middle of a tile, channels that no panel holds evenly.
      {{14, 1, 1, 33, 35, 3, 1, 1}, activation},
      {{113, 1, 1, 64, 32, 3, 1, 1}, activation},
      {{43, 2, 2, 40, 33, 3, 1, 1}, activation},
      {{13, 2, 2, 600, 31, 3, 1, 1}, activation},
      {{28, 3, 3, 290, 36, 3, 1, 1}, activation},
      {{27, 1, 3, 37, 64, 3, 1, 1}, activation},
      {{30, 2, 2, 64, 40, 3, 2, 1}, activation},
      {{31, 4, 4, 36, 34, 3, 2, 1}, activation},
      {{14, 3, 5, 32, 20, 3, 2, 1}, activation},
      {{14, 8, 7, 48, 32, 3, 2, 1}, activation},
      {{200, 2, 1, 32, 300, 3, 1, 1}, activation},
  };
}

// Plain loops over every tap; visit(y index, x index, w index) for each multiplication of the forward convolution.
template <class F>
void for_each_multiplication(const ConvolutionShape& s, F visit) {
  for (int64_t i = 0; i < s.images; ++i) {
    for (int32_t oy = 0; oy < s.out_height(); ++oy) {
      for (int32_t ox = 0; ox < s.out_width(); ++ox) {
        const int64_t out = (i * s.out_height() + oy) * s.out_width() + ox;
        for (int32_t r = 0; r < s.kernel; ++r) {
          for (int32_t q = 0; q < s.kernel; ++q) {
            const int32_t iy = oy * s.stride - s.padding + r, ix = ox * s.stride - s.padding + q;
            if (iy < 0 || ix < 0 || iy >= s.height || ix >= s.width) continue;
            const int64_t in = (i * s.height + iy) * s.width + ix;
            for (int32_t f = 0; f < s.filters; ++f) {
              for (int32_t c = 0; c < s.channels; ++c) {
                visit(size_t(out * s.filters + f), size_t(in * s.channels + c),
                      size_t(((f * s.channels + c) * s.kernel + r) * s.kernel + q));
              }
            }
          }
        }
      }
    }
  }
}

// An operand with its coefficients, and the values that it stands for.
struct Source {
  Floats data, partner, a, b, c, values;
  Operand operand;

  Source(uint64_t seed, int64_t rows, int64_t channels, Transform transform)
      : data(integers(seed, rows * channels, 3)),
        partner(integers(seed + 1, rows * channels, 3)),
        a(integers(seed + 2, channels, 2)),
        b(integers(seed + 3, channels, 2)),
        c(integers(seed + 4, channels, 2)),
        values(data) {
    operand = {data.data(), transform, transform == Transform::gradient ? partner.data() : nullptr,
               a.data(),    b.data(),  c.data()};
    if (transform == Transform::plain) return;
    for (size_t i = 0; i < data.size(); ++i) {
      const size_t k = i % size_t(channels);
      if (transform == Transform::norm_relu) values[i] = std::max(data[i] * a[k] + b[k], 0.0f);
      else values[i] = data[i] * a[k] + b[k] * partner[i] + c[k];
    }
  }
};

constexpr Transform transforms[] = {Transform::plain, Transform::norm_relu, Transform::gradient};

inline int64_t weight_count(const ConvolutionShape& s) { return int64_t(s.filters) * s.channels * s.kernel * s.kernel; }

}  // namespace swav::test
