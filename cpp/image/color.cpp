#include "image/color.h"

#include <algorithm>
#include <cmath>
#include <limits>

// Products and sums below are rounded one by one, as in Pillow's builds; a fused multiply-add could change a truncation.
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

namespace swav::image {
namespace {

template <class T>
constexpr int maximum = std::numeric_limits<T>::max();

// Pillow's ImagingBlend for one sample: float arithmetic, truncation.
template <class T>
T blend(int degenerate, int sample, float factor) {
  const float product = factor * float(sample - degenerate);
  const float value = float(degenerate) + product;
  if (value <= 0) return 0;
  if (value >= float(maximum<T>)) return maximum<T>;
  return T(value);
}

// A blend with a constant image is a function of the sample alone; for 8 bit it becomes a table.
template <class T>
void blend_with_constant(T* samples, int64_t count, int degenerate, float factor) {
  if (factor == 1) return;
  if constexpr (sizeof(T) == 1) {
    T table[256];
    for (int i = 0; i < 256; ++i) table[i] = blend<T>(degenerate, i, factor);
    for (int64_t i = 0; i < count; ++i) samples[i] = table[samples[i]];
  } else {
    for (int64_t i = 0; i < count; ++i) samples[i] = blend<T>(degenerate, samples[i], factor);
  }
}

template <class T>
struct Pixel {
  T a, b, c;
};

// Pillow's rgb2hsv: float where it is float there, double where its literals make it double.
template <class T>
Pixel<T> hsv_of(T r, T g, T b) {
  const T high = std::max(r, std::max(g, b)), low = std::min(r, std::min(g, b));
  if (high == low) return {0, 0, high};
  const float chroma = float(high - low);
  const float s = chroma / float(high);
  const float rc = float(high - r) / chroma, gc = float(high - g) / chroma, bc = float(high - b) / chroma;
  float h;
  if (r == high) {
    h = bc - gc;
  } else if (g == high) {
    h = float(2.0 + double(rc) - double(bc));
  } else {
    h = float(4.0 + double(gc) - double(rc));
  }
  h = float(std::fmod(double(h) / 6.0 + 1.0, 1.0));
  return {T(std::clamp(int(double(h) * maximum<T>), 0, maximum<T>)), T(std::clamp(int(double(s) * maximum<T>), 0, maximum<T>)),
          high};
}

template <class T>
Pixel<T> rgb_of(T h, T s, T v) {
  if (s == 0) return {v, v, v};
  const double position = double(float(h)) * 6.0 / maximum<T>;
  const int sector = int(std::floor(position));
  const float f = float(position - double(float(sector)));
  const float fs = float(double(float(s)) / maximum<T>);
  const auto level = [v](double part) { return T(std::clamp(int(std::round(double(float(v)) * part)), 0, maximum<T>)); };
  const T p = level(1.0 - double(fs));
  const T q = level(1.0 - double(fs * f));
  const T t = level(1.0 - double(fs) * (1.0 - double(f)));
  switch (sector % 6) {
    case 0: return {v, t, p};
    case 1: return {q, v, p};
    case 2: return {p, v, t};
    case 3: return {p, q, v};
    case 4: return {t, p, v};
    default: return {v, p, q};
  }
}

}  // namespace

template <class T>
void adjust_brightness(T* pixels, int64_t count, int channels, float factor) {
  blend_with_constant(pixels, count * channels, 0, factor);
}

template <class T>
void adjust_contrast(T* pixels, int64_t count, int channels, float factor) {
  if (factor == 1) return;
  uint64_t total = 0;
  if (channels == 1) {
    for (int64_t i = 0; i < count; ++i) total += pixels[i];
  } else {
    for (int64_t i = 0; i < count; ++i) total += luminance(pixels[i * 3], pixels[i * 3 + 1], pixels[i * 3 + 2]);
  }
  const int mean = int(double(total) / double(count) + 0.5);
  blend_with_constant(pixels, count * channels, mean, factor);
}

template <class T>
void adjust_saturation(T* pixels, int64_t count, int channels, float factor) {
  if (factor == 1 || channels != 3) return;
  for (int64_t i = 0; i < count; ++i) {
    T* const p = pixels + i * 3;
    const int gray = luminance(p[0], p[1], p[2]);
    for (int c = 0; c < 3; ++c) p[c] = blend<T>(gray, p[c], factor);
  }
}

template <class T>
void adjust_hue(T* pixels, int64_t count, int channels, float shift) {
  if (channels != 3) return;
  const int steps = int(double(shift) * maximum<T>);
  for (int64_t i = 0; i < count; ++i) {
    T* const p = pixels + i * 3;
    const Pixel<T> hsv = hsv_of(p[0], p[1], p[2]);
    const Pixel<T> rgb = rgb_of(T(hsv.a + steps), hsv.b, hsv.c);
    p[0] = rgb.a;
    p[1] = rgb.b;
    p[2] = rgb.c;
  }
}

template <class T>
void to_grayscale(T* pixels, int64_t count, int channels) {
  if (channels != 3) return;
  for (int64_t i = 0; i < count; ++i) {
    T* const p = pixels + i * 3;
    p[0] = p[1] = p[2] = luminance(p[0], p[1], p[2]);
  }
}

template <class T>
void flip_rows(T* pixels, int width, int height, int channels) {
  for (int y = 0; y < height; ++y) {
    T* const row = pixels + int64_t(y) * width * channels;
    for (int left = 0, right = width - 1; left < right; ++left, --right) {
      for (int c = 0; c < channels; ++c) std::swap(row[left * channels + c], row[right * channels + c]);
    }
  }
}

#define SWAV_INSTANTIATE(T)                                    \
  template void adjust_brightness<T>(T*, int64_t, int, float); \
  template void adjust_contrast<T>(T*, int64_t, int, float);   \
  template void adjust_saturation<T>(T*, int64_t, int, float); \
  template void adjust_hue<T>(T*, int64_t, int, float);        \
  template void to_grayscale<T>(T*, int64_t, int);             \
  template void flip_rows<T>(T*, int, int, int);
SWAV_INSTANTIATE(uint8_t)
SWAV_INSTANTIATE(uint16_t)
#undef SWAV_INSTANTIATE

}  // namespace swav::image
