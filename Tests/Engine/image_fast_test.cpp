// The fast path of a crop against its exact twin.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"
#include "image/crop.h"
#include "image/plan.h"
#include "test_data.h"

using namespace swav;
using namespace swav::image;

namespace {

Image noisy_image(int width, int height, int channels) {
  Image image;
  image.allocate(width, height, channels, 8, SWAV_FORMAT_UNKNOWN);
  Random random(5, Purpose::test, uint64_t(width), uint64_t(height));
  for (size_t i = 0; i < image.size_bytes(); ++i) image.row<uint8_t>(0)[i] = uint8_t(random.next_bits());
  return image;
}

// Differences between the two paths, in levels of 0..255.
std::vector<float> differences(const Image& image, const swav_crop_plan& plan, swav_recipe recipe) {
  const size_t count = size_t(plan.size) * size_t(plan.size) * size_t(recipe.channels);
  std::vector<float> fast(count), exact(count);
  recipe.precision = SWAV_PRECISION_FAST;
  execute_crop(image, plan, recipe, fast.data());
  recipe.precision = SWAV_PRECISION_EXACT;
  execute_crop(image, plan, recipe, exact.data());
  for (size_t i = 0; i < count; ++i) fast[i] = std::abs(fast[i] - exact[i]) * recipe.std[i % size_t(recipe.channels)] * 255;
  return fast;
}

// Normalising in one multiply-add instead of two divisions and a subtraction: 6 roundings of values up to 255 / 0.22 levels.
constexpr float rounding_only = 6 * 255 / 0.22f * 6e-8f;

}  // namespace

TEST_CASE("without jitter the fast path has the twin's samples, whatever the sizes") {
  const swav_recipe published = default_recipe();
  for (int trial = 0; trial < 400; ++trial) {
    Random random(6, Purpose::test, uint64_t(trial));
    const int channels = random.below(3) ? 3 : 1;
    const int width = 1 + int(random.below(90)), height = 1 + int(random.below(90));
    swav_recipe recipe = published;
    recipe.channels = channels;
    recipe.jitter_probability = 0;
    recipe.group_count = 1;
    recipe.groups[0] = {1, 1 + int(random.below(70)), 0.02f, 1.0f};
    recipe.max_sigma = random.below(4) ? 2.0f : 60.0f;
    const Image image = noisy_image(width, height, channels);
    swav_crop_plan plan = sample_plan(recipe, 1, 0, uint64_t(trial), 0, width, height);
    if (trial % 5 == 0) plan = centre_plan(recipe.groups[0].size, width, height);
    CAPTURE(trial);
    CAPTURE(width);
    CAPTURE(height);
    CAPTURE(plan.size);
    const std::vector<float> difference = differences(image, plan, recipe);
    CHECK(*std::max_element(difference.begin(), difference.end()) <= rounding_only);
  }
}

TEST_CASE("a whole chain differs from the twin by 0.003 levels on average and 1 level at the 99.9th percentile of photos") {
  const auto photos = test_data::read_tar(test_data::folder() + "/photos-fullsize/photos-fullsize.tar", 30);
  if (photos.empty()) {
    MESSAGE("skipped: no photos-fullsize.tar in " << test_data::folder());
    return;
  }
  const swav_recipe recipe = default_recipe();
  std::vector<float> all;
  uint64_t sample = 0;
  for (const auto& [name, bytes] : photos) {
    Image image;
    decode(bytes.data(), bytes.size(), default_decode_options(), image);
    for (int crop = 0; crop < 8; ++crop) {
      const auto difference =
          differences(image, sample_plan(recipe, 1, 0, sample, crop, image.width(), image.height()), recipe);
      all.insert(all.end(), difference.begin(), difference.end());
    }
    ++sample;
  }
  double mean = 0;
  for (float d : all) mean += d / double(all.size());
  const auto percentile = all.begin() + std::ptrdiff_t(double(all.size()) * 0.999);
  std::nth_element(all.begin(), percentile, all.end());
  CAPTURE(mean);
  CAPTURE(*percentile);
  // Measured over 150 photos: mean 0.0032, 99.9th percentile 1; twice that is allowed for other processors and photos.
  CHECK(mean < 0.0064);
  CHECK(*percentile < 2.001f);
}
