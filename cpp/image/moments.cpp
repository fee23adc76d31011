#include "image/moments.h"

#include <limits>

namespace swav::image {
namespace {

template <class T, int C>
void accumulate(const Image& image, double* mean, double* mean_square) {
  // 65535^2 times SWAV_MAX_PIXELS stays below 2^64: no sum can overflow.
  uint64_t sum[C] = {}, square[C] = {};
  const int64_t pixels = int64_t(image.width()) * image.height();
  const T* samples = image.row<T>(0);
  for (int64_t i = 0; i < pixels; ++i, samples += C) {
    for (int c = 0; c < C; ++c) {
      sum[c] += samples[c];
      square[c] += uint64_t(samples[c]) * samples[c];
    }
  }
  const double maximum = std::numeric_limits<T>::max(), count = double(pixels);
  for (int c = 0; c < C; ++c) {
    mean[c] = double(sum[c]) / (count * maximum);
    mean_square[c] = double(square[c]) / (count * maximum * maximum);
  }
}

}  // namespace

void moments(const Image& image, double* mean, double* mean_square) {
  const bool wide = image.info.bits == 16, color = image.channels() == 3;
  if (wide && color) return accumulate<uint16_t, 3>(image, mean, mean_square);
  if (wide) return accumulate<uint16_t, 1>(image, mean, mean_square);
  if (color) return accumulate<uint8_t, 3>(image, mean, mean_square);
  accumulate<uint8_t, 1>(image, mean, mean_square);
}

}  // namespace swav::image
