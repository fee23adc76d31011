// Samples (kernel_rows.h) of the kernels of the image stage: on bytes, whole vectors at a time.
#include <algorithm>

#include "kernel_rows.h"

namespace swav::test {
namespace {

constexpr int radius = 3;

}  // namespace

SWAV_SAMPLE(image_transpose) {
  const uint8_t* from = m.numbers<uint8_t>(n * n, 0, 255);
  uint8_t* to = m.out<uint8_t>(n * n);
  return [=] { k.image_transpose(from, n, n, n, to, n); };
}

// Each line of the result is a mean of three lines: 22 bits of weights that add up to one.
SWAV_SAMPLE(image_resample) {
  constexpr int64_t count = 5;
  const int64_t stride = n + image_slack;
  const uint8_t* lines = m.numbers<uint8_t>((count + 2) * stride, 0, 255);
  int32_t *start = m.unseen<int32_t>(count), *length = m.unseen<int32_t>(count), *weight = m.unseen<int32_t>(3 * count);
  uint8_t *wide = m.unseen<uint8_t>(count * stride), *out = m.out<uint8_t>(count * n);
  return [=] {
    for (int64_t i = 0; i < count; ++i) {
      start[i] = int32_t(i), length[i] = 3;
      weight[3 * i] = 1 << 20, weight[3 * i + 1] = 1 << 21, weight[3 * i + 2] = 1 << 20;
    }
    k.image_resample(lines, stride, start, length, weight, 3, count, n, wide, stride);
    for (int64_t i = 0; i < count; ++i) std::copy_n(wide + i * stride, n, out + i * n);
  };
}

SWAV_SAMPLE(image_box_row) {
  const uint8_t* in = m.numbers<uint8_t>(n + 2 * (radius + 1) + image_slack, 0, 255);
  uint8_t* out = m.out<uint8_t>(n, image_slack);
  return [=] { k.image_box_row(in + radius + 1, radius, (1 << 24) / 8, (1 << 24) / 16, out, n); };
}

SWAV_SAMPLE(image_box_column) {
  constexpr int64_t count = 2 * radius + 3;
  const int64_t stride = n + image_slack;
  const uint8_t* const* rows = m.rows(m.numbers<uint8_t>(count * stride, 0, 255), count, stride);
  uint8_t* out = m.out<uint8_t>(n, image_slack);
  return [=] { k.image_box_column(rows, radius, (1 << 24) / 8, (1 << 24) / 16, out, n); };
}

SWAV_SAMPLE(image_blend) {
  uint8_t* samples = m.out<uint8_t>(n, image_slack);
  return [=] { k.image_blend(samples, 128.0f, 0.5f, n); };
}

SWAV_SAMPLE(image_luminance_sum) {
  const uint8_t* plane = m.numbers<uint8_t>(3 * n, 0, 255);
  int64_t* sum = m.out<int64_t>(1);
  return [=] { *sum = k.image_luminance_sum(plane, plane + n, plane + 2 * n, n); };
}

SWAV_SAMPLE(image_saturate) {
  uint8_t *r = m.out<uint8_t>(n, image_slack), *g = m.out<uint8_t>(n, image_slack), *b = m.out<uint8_t>(n, image_slack);
  return [=] { k.image_saturate(r, g, b, 0.5f, n); };
}

SWAV_SAMPLE(image_gray) {
  const uint8_t *r = m.numbers<uint8_t>(n, 0, 255), *g = m.numbers<uint8_t>(n, 0, 255), *b = m.numbers<uint8_t>(n, 0, 255);
  uint8_t* gray = m.out<uint8_t>(n, image_slack);
  return [=] { k.image_gray(r, g, b, gray, n); };
}

SWAV_SAMPLE(image_hue) {
  uint8_t *r = m.out<uint8_t>(n, image_slack), *g = m.out<uint8_t>(n, image_slack), *b = m.out<uint8_t>(n, image_slack);
  return [=] { k.image_hue(r, g, b, 40, n); };
}

SWAV_SAMPLE(image_normalise_rgb) {
  const uint8_t *r = m.numbers<uint8_t>(n, 0, 255), *g = m.numbers<uint8_t>(n, 0, 255), *b = m.numbers<uint8_t>(n, 0, 255);
  const float *scale = m.fractions(3), *shift = m.floats(3);
  float* pixels = m.out<float>(3 * n);
  return [=] { k.image_normalise_rgb(r, g, b, scale, shift, pixels, n); };
}

SWAV_SAMPLE(image_normalise) {
  const uint8_t* samples = m.numbers<uint8_t>(n, 0, 255);
  float* pixels = m.out<float>(n);
  return [=] { k.image_normalise(samples, 0.125f, -1.0f, pixels, n); };
}

}  // namespace swav::test
