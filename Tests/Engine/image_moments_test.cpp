// Mean and mean square of the channels.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "swav.h"

namespace {

// Plain loops in double. The engine's sums are exact integers; here each of n additions rounds by at most half an ulp of the
// sum, so the mean is off by at most n * 2^-53 relative, and everything lies in 0..1.
template <class T>
void check_moments(int width, int height, int channels) {
  const int64_t pixels = int64_t(width) * height;
  const double maximum = std::numeric_limits<T>::max();
  std::vector<T> samples(size_t(pixels * channels));
  uint32_t state = 12345;
  for (auto& sample : samples) sample = T((state = state * 1664525 + 1013904223) >> 13);
  swav_image* image = nullptr;
  REQUIRE(swav_image_create(samples.data(), width, height, channels, int(sizeof(T) * 8), &image) == SWAV_OK);
  double mean[3] = {-1, -1, -1}, square[3] = {-1, -1, -1};
  CHECK(swav_image_moments(image, mean, square) == SWAV_OK);
  swav_image_destroy(image);
  for (int c = 0; c < channels; ++c) {
    double sum = 0, sum_of_squares = 0;
    for (int64_t i = 0; i < pixels; ++i) {
      const double share = samples[size_t(i * channels + c)] / maximum;
      sum += share;
      sum_of_squares += share * share;
    }
    const double tolerance = double(pixels + 4) * std::numeric_limits<double>::epsilon();
    CHECK(std::abs(mean[c] - sum / double(pixels)) <= tolerance);
    CHECK(std::abs(square[c] - sum_of_squares / double(pixels)) <= tolerance);
  }
  for (int c = channels; c < 3; ++c) CHECK(mean[c] == -1);  // nothing is written past the channels
}

}  // namespace

TEST_CASE("moments are those of plain sums, for 1 and 3 channels of 8 and 16 bits") {
  for (int channels : {1, 3}) {
    for (int width : {1, 7, 64}) {
      CAPTURE(channels);
      CAPTURE(width);
      check_moments<uint8_t>(width, 5, channels);
      check_moments<uint16_t>(width, 5, channels);
    }
  }
}

TEST_CASE("moments of the brightest picture are 1") {
  const std::vector<uint16_t> white(1000 * 700, 65535);
  swav_image* image = nullptr;
  REQUIRE(swav_image_create(white.data(), 1000, 700, 1, 16, &image) == SWAV_OK);
  double mean = 0, square = 0;
  CHECK(swav_image_moments(image, &mean, &square) == SWAV_OK);
  CHECK(mean == 1.0);
  CHECK(square == 1.0);
  CHECK(swav_image_moments(image, nullptr, &square) == SWAV_ERROR_ARGUMENT);
  swav_image_destroy(image);
}
