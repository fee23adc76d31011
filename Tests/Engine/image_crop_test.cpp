// Pixels of the image stage through the C interface: encoding and decoding, crops, normalisation, multi-crop.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "base/random.h"
#include "swav.h"

namespace {

struct Destroy {
  void operator()(swav_image* image) const { swav_image_destroy(image); }
};
using ImagePointer = std::unique_ptr<swav_image, Destroy>;

// A smooth picture with some noise: what a camera gives.
std::vector<uint8_t> picture(int width, int height, int channels) {
  swav::Random random(7, swav::Purpose::test, uint64_t(width), uint64_t(height), uint64_t(channels));
  std::vector<uint8_t> samples(size_t(width) * size_t(height) * size_t(channels));
  size_t i = 0;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < channels; ++c) {
        const double wave = std::sin(x * 0.07 + c) * std::cos(y * 0.05 - c);
        samples[i++] = uint8_t(120 + 90 * wave + random.uniform() * 20);
      }
    }
  }
  return samples;
}

ImagePointer create(const void* samples, int width, int height, int channels, int bits) {
  swav_image* image = nullptr;
  REQUIRE(swav_image_create(samples, width, height, channels, bits, &image) == SWAV_OK);
  return ImagePointer(image);
}

ImagePointer decode(const std::vector<uint8_t>& bytes, const swav_decode_options* options = nullptr) {
  swav_image* image = nullptr;
  REQUIRE_MESSAGE(swav_image_decode(bytes.data(), bytes.size(), options, &image) == SWAV_OK, swav_error_message());
  return ImagePointer(image);
}

std::vector<uint8_t> encode_jpeg(const std::vector<uint8_t>& samples, int width, int height, int channels, int quality) {
  size_t size = 0;
  CHECK(swav_image_encode_jpeg(samples.data(), width, height, channels, quality, nullptr, 0, &size) == SWAV_ERROR_LIMIT);
  std::vector<uint8_t> bytes(size);
  REQUIRE(swav_image_encode_jpeg(samples.data(), width, height, channels, quality, bytes.data(), size, &size) == SWAV_OK);
  return bytes;
}

const uint8_t* samples_of(const ImagePointer& image) { return static_cast<const uint8_t*>(swav_image_samples(image.get())); }

}  // namespace

TEST_CASE("PNG gives back what went in, for gray and RGB and for sides of 1") {
  for (int channels : {1, 3}) {
    for (int width : {1, 7, 64}) {
      const std::vector<uint8_t> samples = picture(width, 33, channels);
      size_t size = 0;
      CHECK(swav_image_encode_png(samples.data(), width, 33, channels, nullptr, 0, &size) == SWAV_ERROR_LIMIT);
      std::vector<uint8_t> bytes(size);
      REQUIRE(swav_image_encode_png(samples.data(), width, 33, channels, bytes.data(), size, &size) == SWAV_OK);
      swav_decode_options options = swav_decode_options_default();
      options.channels = 0;
      const ImagePointer image = decode(bytes, &options);
      swav_image_info info;
      REQUIRE(swav_image_describe(image.get(), &info) == SWAV_OK);
      CHECK(info.width == width);
      CHECK(info.height == 33);
      CHECK(info.channels == channels);
      CHECK(info.format == SWAV_FORMAT_PNG);
      CHECK(std::memcmp(samples_of(image), samples.data(), samples.size()) == 0);
    }
  }
}

TEST_CASE("JPEG comes back close to what went in") {
  for (int channels : {1, 3}) {
    const std::vector<uint8_t> samples = picture(90, 70, channels);
    const std::vector<uint8_t> bytes = encode_jpeg(samples, 90, 70, channels, 95);
    swav_decode_options options = swav_decode_options_default();
    options.channels = 0;
    const ImagePointer image = decode(bytes, &options);
    double error = 0;
    for (size_t i = 0; i < samples.size(); ++i) error += std::abs(double(samples_of(image)[i]) - samples[i]);
    // Quality 95 quantises in steps of up to 12, most below 4: an error of a quarter step on average. Colour at half resolution
    // also loses most of the noise between channels, uniform of width 20, whose mean deviation is 5.
    CHECK(error / double(samples.size()) < (channels == 1 ? 3.0 : 3.0 + 5.0));
    swav_image_info info;
    CHECK(swav_image_probe(bytes.data(), bytes.size(), &info) == SWAV_OK);
    CHECK(info.channels == channels);
    CHECK(info.format == SWAV_FORMAT_JPEG);
  }
}

TEST_CASE("limits are checked against the header") {
  const std::vector<uint8_t> bytes = encode_jpeg(picture(90, 70, 3), 90, 70, 3, 90);
  swav_decode_options options = swav_decode_options_default();
  swav_image* image = nullptr;
  options.max_pixels = 90 * 70 - 1;
  CHECK(swav_image_decode(bytes.data(), bytes.size(), &options, &image) == SWAV_ERROR_LIMIT);
  options.max_pixels = 90 * 70;
  options.max_dimension = 89;
  CHECK(swav_image_decode(bytes.data(), bytes.size(), &options, &image) == SWAV_ERROR_LIMIT);
  options.max_dimension = 90;
  decode(bytes, &options);
}

TEST_CASE("an image of one colour stays that colour through resize and blur") {
  for (int channels : {1, 3}) {
    const std::vector<uint8_t> samples(size_t(50 * 40 * channels), 77);
    const ImagePointer image = create(samples.data(), 50, 40, channels, 8);
    swav_crop_plan plan;
    REQUIRE(swav_crop_plan_whole(31, 50, 40, &plan) == SWAV_OK);
    plan.blur = true;
    for (float sigma : {0.1f, 1.0f, 2.0f, 30.0f}) {
      plan.sigma = sigma;
      std::vector<uint8_t> out(size_t(31 * 31 * channels));
      REQUIRE(swav_crop_render(image.get(), &plan, out.data()) == SWAV_OK);
      for (uint8_t v : out) CHECK(v == 77);
    }
  }
}

TEST_CASE("16-bit crops agree with 8-bit crops of the same picture") {
  const std::vector<uint8_t> narrow = picture(60, 50, 1);
  std::vector<uint16_t> wide(narrow.size());
  for (size_t i = 0; i < narrow.size(); ++i) wide[i] = uint16_t(narrow[i] * 257);
  const ImagePointer a = create(narrow.data(), 60, 50, 1, 8), b = create(wide.data(), 60, 50, 1, 16);
  swav_recipe recipe = swav_recipe_default();
  recipe.channels = 1;
  recipe.groups[0] = {4, 24, 0.2f, 1.0f};
  recipe.group_count = 1;
  for (int crop = 0; crop < 4; ++crop) {
    swav_crop_plan plan;
    REQUIRE(swav_crop_plan_sample(&recipe, 1, 0, 0, crop, 60, 50, &plan) == SWAV_OK);
    std::vector<float> x(24 * 24), y(24 * 24);
    REQUIRE(swav_crop_execute(a.get(), &plan, &recipe, x.data()) == SWAV_OK);
    REQUIRE(swav_crop_execute(b.get(), &plan, &recipe, y.data()) == SWAV_OK);
    // The 8-bit chain rounds or truncates after each of at most 11 steps (2 of resize, brightness, contrast, 6 of blur), each
    // off by at most 1 level; brightness and contrast multiply by at most 1.8 each what stands before them.
    const double levels = (2 * 1.8 + 1) * 1.8 + 1 + 6;
    for (size_t i = 0; i < x.size(); ++i) CHECK(std::abs(x[i] - y[i]) <= levels / 255 / recipe.std[0]);
  }
}

TEST_CASE("normalised pixels are (sample / 255 - mean) / std, rows of pixels with interleaved channels") {
  const std::vector<uint8_t> samples = picture(40, 40, 3);
  const ImagePointer image = create(samples.data(), 40, 40, 3, 8);
  swav_crop_plan plan;
  REQUIRE(swav_crop_plan_whole(40, 40, 40, &plan) == SWAV_OK);
  const swav_recipe recipe = swav_recipe_default();
  std::vector<float> pixels(samples.size());
  REQUIRE(swav_crop_execute(image.get(), &plan, &recipe, pixels.data()) == SWAV_OK);
  for (size_t i = 0; i < samples.size(); ++i) {
    const double want = (samples[i] / 255.0 - double(recipe.mean[i % 3])) / double(recipe.std[i % 3]);
    CHECK(std::abs(pixels[i] - want) <= 4 * 6e-8 * (1 + std::abs(want)) / recipe.std[i % 3]);  // four roundings
  }
}

TEST_CASE("multi-crop equals decoding and executing crop by crop, from any thread") {
  const std::vector<uint8_t> bytes = encode_jpeg(picture(200, 150, 3), 200, 150, 3, 90);
  swav_recipe recipe = swav_recipe_default();
  recipe.groups[0].size = 64;
  recipe.groups[1].size = 33;
  const ImagePointer image = decode(bytes);
  const auto multicrop = [&] {
    std::vector<std::vector<float>> crops;
    std::vector<float*> pointers;
    for (int v = 0; v < 8; ++v) crops.emplace_back(size_t(v < 2 ? 64 * 64 * 3 : 33 * 33 * 3));
    for (auto& crop : crops) pointers.push_back(crop.data());
    CHECK(swav_multicrop(bytes.data(), bytes.size(), nullptr, &recipe, 5, 6, 7, pointers.data()) == SWAV_OK);
    return crops;
  };
  const auto crops = multicrop();
  for (int v = 0; v < 8; ++v) {
    swav_crop_plan plan;
    REQUIRE(swav_crop_plan_sample(&recipe, 5, 6, 7, v, 200, 150, &plan) == SWAV_OK);
    std::vector<float> alone(crops[size_t(v)].size());
    REQUIRE(swav_crop_execute(image.get(), &plan, &recipe, alone.data()) == SWAV_OK);
    CHECK(alone == crops[size_t(v)]);
  }
  std::vector<std::thread> threads;
  std::vector<std::vector<std::vector<float>>> results(4);
  for (auto& result : results) threads.emplace_back([&] { result = multicrop(); });
  for (auto& thread : threads) thread.join();
  for (auto& result : results) CHECK(result == crops);
}

TEST_CASE("a plan that does not fit its image is refused, and nothing is written") {
  const std::vector<uint8_t> samples = picture(40, 30, 3);
  const ImagePointer image = create(samples.data(), 40, 30, 3, 8);
  swav_crop_plan good;
  REQUIRE(swav_crop_plan_whole(8, 40, 30, &good) == SWAV_OK);
  const auto refused = [&](auto change) {
    swav_crop_plan plan = good;
    change(plan);
    std::vector<uint8_t> out(8 * 8 * 3, 9);
    CHECK(swav_crop_render(image.get(), &plan, out.data()) == SWAV_ERROR_ARGUMENT);
    CHECK(out == std::vector<uint8_t>(8 * 8 * 3, 9));
  };
  refused([](swav_crop_plan& p) { p.left = 1; });
  refused([](swav_crop_plan& p) { p.top = -1; });
  refused([](swav_crop_plan& p) { p.height = 31; });
  refused([](swav_crop_plan& p) { p.width = 0; });
  refused([](swav_crop_plan& p) { p.resized_width = 7; });
  refused([](swav_crop_plan& p) { p.offset_y = 1; });
  refused([](swav_crop_plan& p) {
    p.blur = true;
    p.sigma = NAN;
  });
  refused([](swav_crop_plan& p) {
    p.jitter = true;
    p.color_order[0] = 1;
  });
  refused([](swav_crop_plan& p) {
    p.jitter = true;
    p.color_factor[SWAV_COLOR_HUE] = 0.7f;
  });
  swav_recipe recipe = swav_recipe_default();
  recipe.channels = 1;
  std::vector<float> pixels(8 * 8 * 3);
  CHECK(swav_crop_execute(image.get(), &good, &recipe, pixels.data()) == SWAV_ERROR_ARGUMENT);
}
