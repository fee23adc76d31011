// What is said of a picture besides its pixels, and what becomes of files that end early or claim too much.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/status.h"
#include "image/decode.h"
#include "image/exif.h"
#include "image/heif_library.h"
#include "image/png_chunks.h"
#include "test_data.h"

using namespace swav;
using namespace swav::image;

namespace {

using Bytes = std::vector<uint8_t>;
const std::string formats = SWAV_FIXTURES "/image/formats/";

Bytes fixture(const std::string& name) { return test_data::read_file(formats + name); }

// Those that can be read here.
std::vector<std::string> fixtures() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(formats)) {
    const std::string name = entry.path().filename().string();
    if (name.find(".expected.png") != name.npos) continue;
    if (!test_data::is_heif(name) || HeifLibrary::is_there()) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

// The samples of a copy of exactly this length, so that a sanitizer sees every read past the end; none when it is refused.
Bytes decoded(const Bytes& bytes) {
  const Bytes copy(bytes);
  try {
    Image image;
    decode(copy.data(), copy.size(), default_decode_options(), image);
    return {image.row<uint8_t>(0), image.row<uint8_t>(0) + image.size_bytes()};
  } catch (const Error& error) {
    CHECK(error.status() != SWAV_ERROR_INTERNAL);
    CHECK(std::string(error.what()).size() > 15);
    return {};
  }
}

bool is_one_of(const std::string& name, const std::vector<std::string>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void append_u32(Bytes& bytes, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(uint8_t(value >> shift));
}

// A chunk of a PNG; its checksum is wrong.
void append_chunk(Bytes& png, const char* type, size_t size) {
  append_u32(png, uint32_t(size));
  png.insert(png.end(), type, type + 4);
  png.resize(png.size() + size + 4);
}

// Whether a PNG of this length ends between chunks, or so early in one that its kind is not known.
bool ends_between_chunks(const Bytes& png, size_t size) {
  for (size_t at = 8; at + 8 <= png.size();) {
    if (size >= at && size < at + 8) return true;
    at += 12 + (size_t(png[at]) << 24 | size_t(png[at + 1]) << 16 | size_t(png[at + 2]) << 8 | png[at + 3]);
  }
  return false;
}

}  // namespace

TEST_CASE("probe and decode say which files have transparency, inks and further frames") {
  const std::vector<std::string> with_alpha = {"palette_transparent.png",
                                               "rgba.png",
                                               "gray_alpha.png",
                                               "rgba.webp",
                                               "rgba.bmp",
                                               "rgba.tif",
                                               "gray_alpha.tif",
                                               "alpha_multiplied.tif",
                                               "alpha_straight.tif",
                                               "alpha_planes.tif",
                                               "alpha_unsaid.tif",
                                               "rgba.avif",
                                               "rgba.heic",
                                               "transparent.gif",
                                               "offset_transparent.gif"};
  const std::vector<std::string> with_more = {"animated.png",     "animated_apart.png", "animated.webp", "animated_lossy.webp",
                                              "small_frame.webp", "animated.gif",       "pages.tif"};
  for (const std::string& name : fixtures()) {
    CAPTURE(name);
    const Bytes bytes = fixture(name);
    Image image;
    decode(bytes.data(), bytes.size(), default_decode_options(), image);
    for (const swav_image_info& info : {probe(bytes.data(), bytes.size()), image.info}) {
      CHECK(info.has_alpha == is_one_of(name, with_alpha));
      CHECK(info.has_more == is_one_of(name, with_more));
      CHECK(info.inks == (name == "cmyk.jpg" ? SWAV_INKS_INVERTED : name == "cmyk.tif" ? SWAV_INKS_PLAIN : SWAV_INKS_NONE));
    }
  }
}

TEST_CASE("a fixture of any format cut anywhere is refused, or gives the very picture") {
  for (const std::string& name : fixtures()) {
    CAPTURE(name);
    const Bytes whole = fixture(name), expected = decoded(whole);
    // The last number of a text cannot be told from a shorter one.
    const size_t unclear = name == "text.ppm" ? 4 : 0;
    const size_t step = std::max<size_t>(1, whole.size() / 80);
    for (size_t size = 0; size + unclear < whole.size(); size += size + 24 < whole.size() ? step : 1) {
      CAPTURE(size);
      // Where a PNG seems to lack nothing but its last chunk it passes, without a chunk that says the orientation, too.
      if (name.ends_with(".png") && ends_between_chunks(whole, size)) continue;
      const Bytes samples = decoded(Bytes(whole.begin(), whole.begin() + std::ptrdiff_t(size)));
      CHECK((samples.empty() || samples == expected));
    }
  }
}

TEST_CASE("orientation stored as any type of number counts, and one that means nothing is upright") {
  const auto entry = [](uint16_t type, uint32_t count, uint32_t value) {
    Bytes bytes = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, uint8_t(type)};
    append_u32(bytes, count);
    append_u32(bytes, type == 3 || type == 8 ? value << 16 : value);
    append_u32(bytes, 0);
    return exif_orientation(bytes.data(), bytes.size());
  };
  for (const uint16_t type : {3, 4, 8, 9}) CHECK(entry(type, 1, 6) == 6);
  CHECK(entry(3, 1, 0) == 1);
  CHECK(entry(4, 1, 9) == 1);
  CHECK(entry(3, 2, 6) == 1);
  CHECK(entry(2, 1, 6) == 1);
  CHECK(exif_orientation(nullptr, 0) == 0);
}

TEST_CASE("orientation of XMP is read from attributes and elements, and is 0 where there is none") {
  const auto read = [](const std::string& text) {
    return xmp_orientation(reinterpret_cast<const uint8_t*>(text.data()), text.size());
  };
  CHECK(read("<a tiff:Orientation=\"6\">") == 6);
  CHECK(read("<a tiff:Orientation='3'>") == 3);
  CHECK(read("<tiff:Orientation>8</tiff:Orientation>") == 8);
  CHECK(read("tiff:Orientation is \"5\" <tiff:Orientation>7<") == 7);
  CHECK(read("<tiff:Orientation>9<") == 1);
  CHECK(read("tiff:Orientation=\"") == 0);
  CHECK(read("tiff:Orientation") == 0);
  CHECK(read("") == 0);
}

TEST_CASE("a PNG of nothing but texts, or whose text unpacks to a thousand times its size, costs little") {
  Bytes png = {137, 80, 78, 71, 13, 10, 26, 10};
  for (int i = 0; i < 200000; ++i) append_chunk(png, "zTXt", 40);
  CHECK(png_facts(png.data(), png.size()).orientation.value() == 1);
  // A length that reaches far beyond the end.
  append_u32(png, 0xFFFFFFFF);
  png.insert(png.end(), {'e', 'X', 'I', 'f', 1, 2, 3, 4, 5, 6, 7, 8});
  CHECK(png_facts(png.data(), png.size()).orientation.value() == 1);
}

TEST_CASE("a WebP whose second half is zeros is refused") {
  // Pixels of noise, as the encoder is not at hand: the data of a lossy frame, lengthened by zeros in its chunk.
  Bytes file = fixture("lossy.webp");
  REQUIRE(std::string(file.begin() + 12, file.begin() + 16) == "VP8 ");
  const size_t size = file.size() + 4096;
  file.resize(size);
  const auto put = [&](size_t at, size_t value) {
    for (int i = 0; i < 4; ++i) file[at + size_t(i)] = uint8_t(value >> (8 * i));
  };
  put(4, size - 8);
  put(16, size - 20);
  CHECK(decoded(file).empty());
  file.back() = 1;
  CHECK(!decoded(file).empty());
}

TEST_CASE("a picture of more pixels or longer sides than the options allow is refused as too large") {
  swav_decode_options options = default_decode_options();
  CHECK(options.max_pixels == 2 * 89478485);
  CHECK_NOTHROW(check_limits(12000, 7600, options));  // a panorama of 91 megapixels
  CHECK_NOTHROW(check_limits(100000, 500, options));
  const Bytes file = fixture("rgb.png");
  Image image;
  const auto status = [&] {
    try {
      decode(file.data(), file.size(), options, image);
      return SWAV_OK;
    } catch (const Error& error) {
      return error.status();
    }
  };
  options.max_pixels = 45 * 38;
  CHECK(status() == SWAV_OK);
  options.max_pixels = 45 * 38 - 1;
  CHECK(status() == SWAV_ERROR_LIMIT);
  options = default_decode_options();
  options.max_dimension = 44;
  CHECK(status() == SWAV_ERROR_LIMIT);
  options = default_decode_options();
  options.max_pixels = int64_t{SWAV_MAX_PIXELS} + 1;
  CHECK(status() == SWAV_ERROR_ARGUMENT);
}
