#include "image/blur.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace swav::image {
namespace {

// A blurred line of `count` elements of `width` samples each: elements are the pixels of a row (width = channels) or
// whole rows (width = row length), so that one routine serves both axes. Pass 1 of 3 reads `in`; in and out may not overlap.
template <class T>
void box_line(const T* in, int count, int64_t width, const BoxPass& pass, std::vector<uint64_t>& sums, T* out) {
  const auto at = [&](int i) { return in + int64_t(std::clamp(i, 0, count - 1)) * width; };
  const int r = pass.radius;
  // Sum of the inner box around element -1; at each step one element enters and one leaves.
  sums.assign(size_t(width), 0);
  uint64_t* const sum = sums.data();
  for (int i = -r - 1; i <= r - 1; ++i) {
    const T* element = at(i);
    for (int64_t x = 0; x < width; ++x) sum[x] += element[x];
  }
  for (int i = 0; i < count; ++i) {
    const T* const entering = at(i + r);
    const T* const leaving = at(i - r - 1);
    const T* const after = at(i + r + 1);
    T* const result = out + int64_t(i) * width;
    for (int64_t x = 0; x < width; ++x) {
      sum[x] += uint64_t(entering[x]) - leaving[x];
      result[x] = T((sum[x] * pass.inner + uint64_t(leaving[x] + after[x]) * pass.outer + (1 << 23)) >> 24);
    }
  }
}

}  // namespace

BoxPass box_pass(float sigma) {
  // Pillow computes in float what is float here.
  const float variance = sigma * sigma / 3;
  const float length = float(std::sqrt(12.0 * double(variance) + 1.0));
  const float whole = float(std::floor((double(length) - 1.0) / 2.0));
  float part = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance);
  part /= 6 * (variance - (whole + 1) * (whole + 1));
  const float radius = whole + part;
  BoxPass pass;
  pass.radius = int(radius);
  pass.inner = uint32_t(float(1 << 24) / (radius * 2 + 1));
  pass.outer = ((1u << 24) - uint32_t(pass.radius * 2 + 1) * pass.inner) / 2;
  return pass;
}

template <class T>
void gaussian_blur(T* pixels, int width, int height, int channels, float sigma, BlurScratch& scratch) {
  if (sigma == 0) return;
  const BoxPass pass = box_pass(sigma);
  const int64_t row = int64_t(width) * channels;
  T* const other = scratch.rows.reserve_as<T>(size_t(row) * size_t(height));
  for (int y = 0; y < height; ++y) {
    T* const a = pixels + y * row;
    T* const b = other + y * row;
    box_line(a, width, channels, pass, scratch.sums, b);
    box_line(b, width, channels, pass, scratch.sums, a);
    box_line(a, width, channels, pass, scratch.sums, b);
  }
  box_line(other, height, row, pass, scratch.sums, pixels);
  box_line(pixels, height, row, pass, scratch.sums, other);
  box_line(other, height, row, pass, scratch.sums, pixels);
}

template void gaussian_blur<uint8_t>(uint8_t*, int, int, int, float, BlurScratch&);
template void gaussian_blur<uint16_t>(uint16_t*, int, int, int, float, BlurScratch&);

}  // namespace swav::image
