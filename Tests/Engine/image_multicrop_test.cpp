// Multi-crop decodes only what its crops need; that must not show.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "base/status.h"
#include "image/crop.h"
#include "image/encode.h"
#include "image/exif.h"
#include "image/heif_library.h"
#include "image/plan.h"
#include "test_data.h"

using namespace swav;
using namespace swav::image;

namespace {

swav_recipe small_recipe(int large, int small) {
  swav_recipe recipe = default_recipe();
  recipe.groups[0] = {1, large, 0.14f, 1.0f};
  recipe.groups[1] = {3, small, 0.05f, 0.14f};
  return recipe;
}

using Crops = std::vector<std::vector<float>>;

Crops room_for(const swav_recipe& recipe) {
  Crops crops;
  for (int v = 0; v < crop_count(recipe); ++v) {
    const size_t side = size_t(group_of(recipe, v).size);
    crops.emplace_back(side * side * size_t(recipe.channels), -99.0f);
  }
  return crops;
}

Crops multicrop_of(const std::vector<uint8_t>& bytes, const swav_recipe& recipe, uint64_t sample) {
  Crops crops = room_for(recipe);
  std::vector<float*> outputs;
  for (auto& crop : crops) outputs.push_back(crop.data());
  multicrop(bytes.data(), bytes.size(), default_decode_options(), recipe, 3, 1, sample, outputs.data());
  return crops;
}

Crops crop_by_crop(const std::vector<uint8_t>& bytes, const swav_recipe& recipe, uint64_t sample) {
  Image image;
  swav_decode_options options = default_decode_options();
  options.channels = recipe.channels;
  options.bits = decode_bits_for(recipe.channels);
  decode(bytes.data(), bytes.size(), options, image);
  Crops crops = room_for(recipe);
  for (int v = 0; v < crop_count(recipe); ++v) {
    execute_crop(image, sample_plan(recipe, 3, 1, sample, v, image.width(), image.height()), recipe, crops[size_t(v)].data());
  }
  return crops;
}

// A JPEG of slow waves, with an EXIF orientation.
std::vector<uint8_t> photo(int width, int height, int orientation) {
  std::vector<uint8_t> samples;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) samples.push_back(uint8_t(128 + 60 * std::sin(x * 0.021 + c) + 60 * std::cos(y * 0.017 - c)));
    }
  }
  std::vector<uint8_t> bytes = encode_jpeg(samples.data(), width, height, 3, 95);
  // APP1 with one TIFF entry: tag 0x0112, type 3, count 1.
  const std::vector<uint8_t> exif = {0xFF, 0xE1, 0, 34, 'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42, 0,
                                     0,    0,    8, 0,  1,   1,   18,  0,   3, 0, 0,   0,   1, 0,  uint8_t(orientation),
                                     0,    0,    0, 0,  0,   0};
  bytes.insert(bytes.begin() + 2, exif.begin(), exif.end());
  return bytes;
}

// Crops of `photo` by reduced and by whole decoding. Waves of at most 0.021 radians a pixel and amplitude 120: a mean over d <=
// 8 pixels instead of one lowers them by (0.021 d)^2 / 24, less than 0.15 levels, and each way rounds three times by 0.5.
// Shifted by half a pixel they would differ by 1.3 levels, of one sign in whole areas: the mean shows that. At the rim of the
// box the filter is cut off at a whole pixel here and a whole square there.
void check_close(const std::vector<float>& reduced, const std::vector<float>& whole, int size, const swav_recipe& recipe) {
  double mean = 0;
  for (int y = 1; y < size - 1; ++y) {
    for (int i = 3; i < (size - 1) * 3; ++i) {
      const size_t at = size_t(y * size * 3 + i);
      const double difference = double(reduced[at] - whole[at]) * 255 * double(recipe.std[i % 3]);
      CHECK(std::abs(difference) <= 0.15 + 3.0);
      mean += difference / ((size - 2) * (size - 2) * 3);
    }
  }
  CHECK(std::abs(mean) < 0.5);
}

}  // namespace

TEST_CASE("regions of every orientation go to the stored picture and back") {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    CAPTURE(orientation);
    Image image, scratch;
    image.allocate(5, 3, 1, 8, SWAV_FORMAT_UNKNOWN);
    for (int i = 0; i < 15; ++i) image.row<uint8_t>(0)[i] = uint8_t(i);
    make_upright(image, orientation, scratch);
    for (int y = 0; y < image.height(); ++y) {
      for (int x = 0; x < image.width(); ++x) {
        const Region stored = stored_region({x, y, 1, 1}, orientation, 5, 3);
        CHECK(image.row<uint8_t>(y)[x] == stored.top * 5 + stored.left);
        const Region back = upright_region(stored, orientation, 5, 3);
        CHECK(back.left == x);
        CHECK(back.top == y);
      }
    }
  }
}

TEST_CASE("multi-crop of every format equals decoding all of it, to the bit") {
  for (const auto& entry : std::filesystem::directory_iterator(SWAV_FIXTURES "/image/formats")) {
    if (test_data::is_heif(entry.path().string()) && !HeifLibrary::is_there()) continue;
    const auto bytes = test_data::read_file(entry.path().string());
    CAPTURE(entry.path().string());
    for (int channels : {1, 3}) {
      swav_recipe recipe = small_recipe(19, 7);
      recipe.channels = channels;
      for (uint64_t sample = 0; sample < 8; ++sample)
        CHECK(multicrop_of(bytes, recipe, sample) == crop_by_crop(bytes, recipe, sample));
    }
  }
}

TEST_CASE("multi-crop of photos equals decoding all of them, to the bit") {
  const auto photos = test_data::read_tar(test_data::folder() + "/photos-fullsize/photos-fullsize.tar", 25);
  if (photos.empty()) MESSAGE("skipped: no photos-fullsize.tar in " << test_data::folder());
  // Outputs large enough that no reduced decoding takes part.
  const swav_recipe recipe = small_recipe(224, 96);
  uint64_t sample = 0;
  for (const auto& [name, bytes] : photos) {
    CAPTURE(name);
    CHECK(multicrop_of(bytes, recipe, sample) == crop_by_crop(bytes, recipe, sample));
    ++sample;
  }
}

TEST_CASE("reduced decoding of large pictures gives nearly the crops of the whole, for every orientation") {
  swav_recipe recipe = small_recipe(17, 10);
  recipe.jitter_probability = recipe.grayscale_probability = recipe.blur_probability = 0;
  for (int orientation = 1; orientation <= 8; ++orientation) {
    CAPTURE(orientation);
    const std::vector<uint8_t> bytes = photo(801, 603, orientation);  // boxes of 130 pixels and more: one eighth to a half
    for (uint64_t sample = 0; sample < 4; ++sample) {
      const Crops reduced = multicrop_of(bytes, recipe, sample), whole = crop_by_crop(bytes, recipe, sample);
      for (size_t v = 0; v < whole.size(); ++v) check_close(reduced[v], whole[v], group_of(recipe, int(v)).size, recipe);
    }
  }
}

TEST_CASE("multi-crop reads the tiles of a TIFF that some crop touches, and no others") {
  // Tiles of 32 x 16 pixels, deflated; the first one is spoilt.
  std::vector<uint8_t> bytes = test_data::read_file(SWAV_FIXTURES "/image/formats/tiles_deflate.tif");
  const std::vector<uint8_t> whole = bytes;
  bytes[8] ^= 0xFF;
  bytes[9] ^= 0xFF;
  Image image;
  CHECK_THROWS_AS(decode(bytes.data(), bytes.size(), default_decode_options(), image), Error);
  swav_recipe recipe = small_recipe(9, 5);
  recipe.groups[0].max_scale = 0.2f;
  recipe.group_count = 1;
  int served = 0, refused = 0;
  for (uint64_t sample = 0; sample < 60; ++sample) {
    const swav_crop_plan plan = sample_plan(recipe, 3, 1, sample, 0, 45, 38);
    const bool touched = plan.left < 32 && plan.top < 16;
    try {
      const bool same = multicrop_of(bytes, recipe, sample) == multicrop_of(whole, recipe, sample);
      CHECK(same);
      CHECK_FALSE(touched);
      ++served;
    } catch (const Error& error) {
      CHECK(error.status() == SWAV_ERROR_FORMAT);
      CHECK(touched);
      ++refused;
    }
  }
  CHECK(served > 0);
  CHECK(refused > 0);
}

TEST_CASE("twelve bits of a scan, stored in sixteen, reach the crops of one channel and not those of three") {
  // A slow ramp through the lowest sixteenth of the range.
  const int width = 96, height = 80;
  std::string header = "P5\n96 80\n65535\n";
  std::vector<uint8_t> bytes(header.begin(), header.end());
  for (int i = 0; i < width * height; ++i) {
    const int value = i % width * 40 + i / width * 3;
    bytes.push_back(uint8_t(value >> 8));
    bytes.push_back(uint8_t(value & 255));
  }
  swav_recipe recipe = small_recipe(40, 20);
  recipe.jitter_probability = recipe.blur_probability = recipe.grayscale_probability = 0;
  for (float& mean : recipe.mean) mean = 0;
  for (float& std : recipe.std) std = 1;
  const auto levels = [&](int channels) {
    recipe.channels = channels;
    std::vector<float> pixels = multicrop_of(bytes, recipe, 0)[0];
    std::sort(pixels.begin(), pixels.end());
    return std::unique(pixels.begin(), pixels.end()) - pixels.begin();
  };
  CHECK(levels(3) <= 17);  // 4096 / 257, and one for the rounding
  CHECK(levels(1) > 500);
}

TEST_CASE("of colour jitter, brightness and contrast change a crop of one channel; saturation, hue and grayscale do not") {
  std::vector<uint8_t> samples;
  for (int i = 0; i < 60 * 50; ++i) samples.push_back(uint8_t(60 + i * 37 % 120));
  Image image;
  image.allocate(60, 50, 1, 8, SWAV_FORMAT_UNKNOWN);
  std::copy(samples.begin(), samples.end(), image.row<uint8_t>(0));
  swav_recipe recipe = small_recipe(32, 16);
  recipe.channels = 1;
  for (swav_precision precision : {SWAV_PRECISION_FAST, SWAV_PRECISION_EXACT}) {
    recipe.precision = precision;
    const auto crop = [&](auto change) {
      swav_crop_plan plan = whole_plan(32, 60, 50);
      for (int i = 0; i < 4; ++i) plan.color_order[i] = uint8_t(i), plan.color_factor[i] = i == SWAV_COLOR_HUE ? 0.0f : 1.0f;
      change(plan);
      std::vector<float> pixels(32 * 32);
      execute_crop(image, plan, recipe, pixels.data());
      return pixels;
    };
    const auto plain = crop([](auto&) {});
    const auto jittered = [&](int operation, float factor) {
      return crop([&](swav_crop_plan& p) { p.jitter = true, p.color_factor[operation] = factor; });
    };
    CHECK(jittered(SWAV_COLOR_BRIGHTNESS, 1.3f) != plain);
    CHECK(jittered(SWAV_COLOR_CONTRAST, 1.3f) != plain);
    CHECK(jittered(SWAV_COLOR_SATURATION, 1.7f) == plain);
    CHECK(jittered(SWAV_COLOR_HUE, 0.2f) == plain);
    CHECK(crop([](swav_crop_plan& p) { p.grayscale = true; }) == plain);
  }
}
