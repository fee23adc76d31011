// Equality with Pillow: golden files made by Tests/Fixtures/make_image_fixtures.py.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "image/color.h"
#include "image/crop.h"
#include "image/heif_library.h"
#include "test_data.h"

using namespace swav::image;

namespace {

const std::string fixtures = SWAV_FIXTURES "/image/";

// The picture of make_image_fixtures.py.
Image picture(int width, int height) {
  Image image;
  image.allocate(width, height, 3, 8, SWAV_FORMAT_UNKNOWN);
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      for (int64_t c = 0; c < 3; ++c) {
        const int64_t rise = (x * (5 + c) + y * (3 + 2 * c)) % 256, slant = ((x * 2 - y * 3 + 40 * c) % 192 + 192) % 192;
        const int64_t noise = ((x * 73856093 ^ y * 19349663 ^ c * 83492791) & 0xFFFFFFFF) >> 7 & 31;
        image.row<uint8_t>(int(y))[x * 3 + c] =
            uint8_t(std::min<int64_t>(255, std::abs(rise - 128) + std::abs(slant - 96) + noise));
      }
    }
  }
  return image;
}

using Row = std::map<std::string, std::string>;

swav_crop_plan plan_of(const Row& row) {
  const auto integer = [&](const char* name) { return std::stoi(row.at(name)); };
  const auto real = [&](const char* name) { return float(std::stod(row.at(name))); };
  swav_crop_plan p{};
  p.left = integer("left");
  p.top = integer("top");
  p.width = integer("width");
  p.height = integer("height");
  p.resized_width = integer("resized_width");
  p.resized_height = integer("resized_height");
  p.offset_x = integer("offset_x");
  p.offset_y = integer("offset_y");
  p.size = integer("size");
  p.flip = integer("flip");
  p.jitter = integer("jitter");
  for (size_t i = 0; i < 4; ++i) p.color_order[i] = uint8_t(row.at("order")[i] - '0');
  p.color_factor[SWAV_COLOR_BRIGHTNESS] = real("brightness");
  p.color_factor[SWAV_COLOR_CONTRAST] = real("contrast");
  p.color_factor[SWAV_COLOR_SATURATION] = real("saturation");
  p.color_factor[SWAV_COLOR_HUE] = real("hue");
  p.grayscale = integer("grayscale");
  p.blur = integer("blur");
  p.sigma = real("sigma");
  return p;
}

uint32_t crc32(const std::vector<uint8_t>& bytes) {
  uint32_t crc = ~0u;
  for (uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
  }
  return ~crc;
}

int largest_difference(const uint8_t* a, const uint8_t* b, size_t count) {
  int worst = 0;
  for (size_t i = 0; i < count; ++i) worst = std::max(worst, std::abs(int(a[i]) - int(b[i])));
  return worst;
}

}  // namespace

TEST_CASE("each operation and random chains equal Pillow's to the bit") {
  const auto rows = test_data::read_csv(fixtures + "plans.csv");
  const auto golden = test_data::read_file(fixtures + "plans.bin");
  REQUIRE(rows.size() > 80);
  const Image image = picture(61, 47);
  size_t at = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    CAPTURE(i);
    const swav_crop_plan plan = plan_of(rows[i]);
    std::vector<uint8_t> samples(size_t(plan.size * plan.size * 3));
    render_crop(image, plan, samples.data());
    REQUIRE(at + samples.size() <= golden.size());
    CHECK(largest_difference(samples.data(), golden.data() + at, samples.size()) == 0);
    at += samples.size();
  }
  CHECK(at == golden.size());
}

TEST_CASE("crops of real photos equal Pillow's to the bit") {
  const auto photos = test_data::read_tar(test_data::folder() + "/photos-fullsize/photos-fullsize.tar");
  if (photos.empty()) {
    MESSAGE("skipped: no photos-fullsize.tar in " << test_data::folder());
    return;
  }
  Image image;
  std::string decoded;
  for (const Row& row : test_data::read_csv(fixtures + "photos.csv")) {
    const std::string& name = row.at("file");
    CAPTURE(name);
    if (decoded != name) {
      decode(photos.at(name).data(), photos.at(name).size(), default_decode_options(), image);
      decoded = name;
    }
    const swav_crop_plan plan = plan_of(row);
    std::vector<uint8_t> samples(size_t(plan.size * plan.size * 3));
    render_crop(image, plan, samples.data());
    CHECK(std::to_string(crc32(samples)) == row.at("crc32"));
  }
}

TEST_CASE("hue shifts of 52^3 colours equal Pillow's to the bit, and wrap around the circle") {
  std::vector<uint8_t> colors;
  for (int r = 0; r < 256; r += 5) {
    for (int g = 0; g < 256; g += 5) {
      for (int b = 0; b < 256; b += 5) colors.insert(colors.end(), {uint8_t(r), uint8_t(g), uint8_t(b)});
    }
  }
  const auto rows = test_data::read_csv(fixtures + "hue.csv");
  REQUIRE(rows.size() == 7);
  for (const Row& row : rows) {
    std::vector<uint8_t> shifted = colors;
    adjust_hue(shifted.data(), int64_t(shifted.size() / 3), 3, float(std::stod(row.at("shift"))));
    CAPTURE(row.at("shift"));
    CHECK(std::to_string(crc32(shifted)) == row.at("crc32"));
  }
}

TEST_CASE("every format and variant decodes to Pillow's pixels, upright") {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(fixtures + "formats")) {
    const std::string path = entry.path().string();
    if (path.find(".expected.png") != std::string::npos) continue;
    CAPTURE(path);
    ++files;
    if (test_data::is_heif(path) && !HeifLibrary::is_there()) continue;
    const auto bytes = test_data::read_file(path), expected_bytes = test_data::read_file(path + ".expected.png");
    Image image, expected;
    decode(bytes.data(), bytes.size(), default_decode_options(), image);
    decode(expected_bytes.data(), expected_bytes.size(), default_decode_options(), expected);
    REQUIRE(image.width() == expected.width());
    REQUIRE(image.height() == expected.height());
    // None where the format is lossless. Lossy decoders of other versions may round differently: 2 levels for JPEG, also in
    // TIFF, WebP, HEIC and AVIF. Of chroma at half the resolution libheif repeats samples where libavif interpolates: half a
    // pixel of 1.5 levels, times 1.8 from chroma to blue, is 1.3 levels more.
    const auto has = [&](const char* part) { return path.find(part) != std::string::npos; };
    const bool lossy = has(".jpg") || has("jpeg.tif") || has(".webp") || test_data::is_heif(path);
    const int tolerance = !lossy ? 0 : has("slow_420.") ? 3 : 2;
    CHECK(largest_difference(image.row<uint8_t>(0), expected.row<uint8_t>(0), image.size_bytes()) <= tolerance);
    const swav_image_info probed = probe(bytes.data(), bytes.size());
    CHECK(probed.width == image.width());
    CHECK(probed.height == image.height());
    CHECK(probed.format == image.info.format);
  }
  CHECK(files == 150);
}

TEST_CASE("16-bit samples stay when asked for, and reduce by 257 otherwise") {
  for (const char* name : {"gray16.png", "gray16.pgm"}) {
    CAPTURE(name);
    const auto bytes = test_data::read_file(fixtures + "formats/" + name);
    swav_decode_options options = default_decode_options();
    options.channels = options.bits = 0;
    Image wide, narrow;
    decode(bytes.data(), bytes.size(), options, wide);
    CHECK(wide.info.bits == 16);
    CHECK(wide.channels() == 1);
    options.bits = 8;
    decode(bytes.data(), bytes.size(), options, narrow);
    CHECK(narrow.info.bits == 8);
    for (int y = 0; y < wide.height(); ++y) {
      for (int x = 0; x < wide.width(); ++x) {
        CHECK((wide.row<uint16_t>(y)[x] - 99) % 250 == 0);  // as the script made them
        CHECK(std::abs(wide.row<uint16_t>(y)[x] / 257.0 - narrow.row<uint8_t>(y)[x]) <= 0.5);
      }
    }
  }
}

TEST_CASE("transparency is dropped by default and laid over a background when one is given") {
  const auto bytes = test_data::read_file(fixtures + "formats/rgba.png");
  Image plain, blended;
  decode(bytes.data(), bytes.size(), default_decode_options(), plain);
  swav_decode_options options = default_decode_options();
  options.background[0] = 1;
  options.background[1] = 0;
  options.background[2] = 0.5f;
  decode(bytes.data(), bytes.size(), options, blended);
  const Image alpha_source = [] {  // the script's alpha: the picture's first channel
    return picture(45, 38);
  }();
  const double background[3] = {255, 0, 128};
  for (int y = 0; y < 38; ++y) {
    for (int i = 0; i < 45 * 3; ++i) {
      const double alpha = alpha_source.row<uint8_t>(y)[i / 3 * 3] / 255.0;
      const double want = plain.row<uint8_t>(y)[i] * alpha + background[i % 3] * (1 - alpha);
      CHECK(std::abs(blended.row<uint8_t>(y)[i] - want) <= 0.5 + 1e-9);
    }
  }
}

TEST_CASE("gray over a coloured background is as bright as the same picture in colour") {
  swav_decode_options options = default_decode_options();
  options.background[0] = 1;
  options.background[1] = 0;
  options.background[2] = 0.25f;
  for (const char* name : {"formats/gray_alpha.png", "formats/gray_alpha.tif"}) {
    const auto bytes = test_data::read_file(fixtures + name);
    Image gray, color;
    options.channels = 1;
    decode(bytes.data(), bytes.size(), options, gray);
    options.channels = 3;
    decode(bytes.data(), bytes.size(), options, color);
    for (int y = 0; y < gray.height(); ++y) {
      for (int x = 0; x < gray.width(); ++x) {
        const uint8_t* c = color.row<uint8_t>(y) + 3 * x;
        // Luminance of what was laid over and rounded, or of the background, rounded, before.
        CHECK(std::abs(gray.row<uint8_t>(y)[x] - (0.299 * c[0] + 0.587 * c[1] + 0.114 * c[2])) <= 1.5);
      }
    }
  }
}
