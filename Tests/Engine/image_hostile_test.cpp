// TIFF, GIF, BMP, WebP and HEIC made to cost memory or time, or to lead a reader astray.
#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/status.h"
#include "image/decode.h"
#include "image/heif_library.h"
#include "jpeg_samples.h"
#include "test_data.h"

using namespace swav;
using namespace swav::image;

namespace {

using Bytes = std::vector<uint8_t>;

Bytes fixture(const std::string& name) { return test_data::read_file(SWAV_FIXTURES "/image/formats/" + name); }

struct Outcome {
  swav_status status = SWAV_OK;
  std::string message;
  swav_image_info info{};
};

Outcome decoded(const Bytes& bytes, const swav_decode_options& options = default_decode_options()) {
  const Bytes copy(bytes);
  Outcome outcome;
  try {
    Image image;
    decode(copy.data(), copy.size(), options, image);
    outcome.info = image.info;
  } catch (const Error& error) {
    outcome.status = error.status();
    outcome.message = error.what();
  }
  return outcome;
}

void put(Bytes& bytes, uint32_t value, int size) {
  for (int i = 0; i < size; ++i) bytes.push_back(uint8_t(value >> (8 * i)));
}

struct Entry {
  uint16_t tag;
  uint32_t value;
};

// A little-endian TIFF: data at 8, an even number of bytes, then a directory of numbers of 32 bits, whose end points to `next`.
Bytes tiff(const std::vector<Entry>& entries, uint32_t next = 0, const Bytes& data = Bytes(64, 0x55)) {
  Bytes bytes = {'I', 'I', 42, 0};
  put(bytes, uint32_t(8 + data.size()), 4);
  bytes.insert(bytes.end(), data.begin(), data.end());
  put(bytes, uint32_t(entries.size()), 2);
  for (const Entry& entry : entries) {
    put(bytes, entry.tag, 2);
    put(bytes, 4, 2);
    put(bytes, 1, 4);
    put(bytes, entry.value, 4);
  }
  put(bytes, next, 4);
  return bytes;
}

// Gray pictures of 8 bits, with one strip of 64 bytes.
std::vector<Entry> strips(uint32_t width, uint32_t height, uint32_t compression = 1) {
  return {{256, width}, {257, height}, {258, 8}, {259, compression}, {262, 1}, {273, 8}, {277, 1}, {278, height}, {279, 64}};
}

std::vector<Entry> tiles(uint32_t width, uint32_t height, uint32_t across, uint32_t down) {
  return {{256, width}, {257, height}, {258, 8}, {259, 1}, {262, 1}, {277, 1}, {322, across}, {323, down}, {324, 8}, {325, 64}};
}

}  // namespace

TEST_CASE("a TIFF of YCbCr is turned once, as its orientation says") {
  constexpr int side = 4;
  const auto levels = [](uint32_t orientation) {
    Bytes bytes = {'I', 'I', 42, 0, 72, 0, 0, 0};
    for (int i = 0; i < side * side; ++i) bytes.insert(bytes.end(), {uint8_t(20 + 12 * i), 128, 128});
    bytes.resize(72);
    bytes[60] = bytes[62] = bytes[64] = 8;  // bits of each sample
    // Tag, type (3: 16 bits, 4: 32), count, value.
    const uint32_t fields[][4] = {{256, 3, 1, side}, {257, 3, 1, side}, {258, 3, 3, 60},          {259, 3, 1, 1},
                                  {262, 3, 1, 6},    {273, 4, 1, 8},    {274, 3, 1, orientation}, {277, 3, 1, 3},
                                  {278, 3, 1, side}, {279, 4, 1, 48},   {530, 3, 2, 1 | 1 << 16}};
    put(bytes, uint32_t(std::size(fields)), 2);
    for (const auto& [tag, type, count, value] : fields) {
      put(bytes, tag, 2), put(bytes, type, 2), put(bytes, count, 4), put(bytes, value, 4);
    }
    put(bytes, 0, 4);
    swav_image* image = nullptr;
    REQUIRE_MESSAGE(swav_image_decode(bytes.data(), bytes.size(), nullptr, &image) == SWAV_OK, swav_error_message());
    const auto* samples = static_cast<const uint8_t*>(swav_image_samples(image));
    Bytes found;
    for (int i = 0; i < side * side; ++i) found.push_back(samples[3 * i]);
    swav_image_destroy(image);
    return found;
  };
  const Bytes upright = levels(1);
  CHECK(std::is_sorted(upright.begin(), upright.end()));
  CHECK(upright.front() < upright.back());
  const int last = side - 1;
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const auto at = [&](int row, int column) { return upright[size_t(row * side + column)]; };
      const auto i = size_t(y * side + x);
      CHECK(levels(2)[i] == at(y, last - x));
      CHECK(levels(3)[i] == at(last - y, last - x));
      CHECK(levels(4)[i] == at(last - y, x));
      CHECK(levels(6)[i] == at(last - x, y));
      CHECK(levels(8)[i] == at(x, last - y));
    }
  }
}

TEST_CASE("a small TIFF of plain strips or tiles decodes, and so do the twins of hostile ones below") {
  CHECK(decoded(tiff(strips(8, 8))).status == SWAV_OK);
  CHECK(decoded(tiff(tiles(8, 4, 16, 4))).status == SWAV_OK);
}

TEST_CASE(
    "a TIFF whose JPEG is smaller than its strip or tile, or ends early, is damaged; what was decoded before is not in it") {
  const Bytes white(64 * 64, 0xff), gray = jpeg_samples::picture(64, 64, 1);
  const auto jpeg = [&](const Bytes& samples, int width, int height) {
    Bytes bytes = jpeg_samples::encode({"gray", 1}, samples.data(), width, height);
    bytes.resize((bytes.size() + 1) / 2 * 2);
    return bytes;
  };
  const auto of = [](const Bytes& data, bool tiled) {
    const auto size = uint32_t(data.size());
    if (!tiled)
      return tiff({{256, 64}, {257, 64}, {258, 8}, {259, 7}, {262, 1}, {273, 8}, {277, 1}, {278, 64}, {279, size}}, 0, data);
    return tiff({{256, 64}, {257, 64}, {258, 8}, {259, 7}, {262, 1}, {277, 1}, {322, 64}, {323, 64}, {324, 8}, {325, size}}, 0,
                data);
  };
  const Bytes whole = jpeg(gray, 64, 64);
  for (const bool tiled : {false, true}) {
    CAPTURE(tiled);
    CHECK(decoded(of(jpeg(white, 64, 64), tiled)).status == SWAV_OK);
    CHECK(decoded(of(whole, tiled)).status == SWAV_OK);
    for (const auto& [width, height] : {std::pair(16, 64), {64, 16}, {16, 16}})
      CHECK(decoded(of(jpeg(white, width, height), tiled)).status == SWAV_ERROR_FORMAT);
    const Outcome early = decoded(of(Bytes(whole.begin(), whole.begin() + int64_t(whole.size() / 4 * 2)), tiled));
    CHECK(early.status == SWAV_ERROR_FORMAT);
    CHECK_MESSAGE(early.message.find("remature end") != std::string::npos, early.message);
  }
}

TEST_CASE("fax lines that end early are of this picture alone") {
  // Data of a tile whose lines libtiff gives up, with a warning only, and leaves as they were.
  const Bytes data = {0xff, 0x00, 0x00, 0x01, 0xff, 0xff};
  const Bytes fax =
      tiff({{256, 64}, {257, 64}, {258, 1}, {259, 4}, {262, 0}, {277, 1}, {322, 64}, {323, 64}, {324, 8}, {325, 6}}, 0, data);
  const auto samples = [&](const Bytes& bytes) {
    Image image;
    Bytes found;
    try {
      decode(bytes.data(), bytes.size(), default_decode_options(), image);
    } catch (const Error&) {
      return found;
    }
    for (int y = 0; y < image.height(); ++y) found.insert(found.end(), image.row<uint8_t>(y), image.row<uint8_t>(y) + 64);
    return found;
  };
  const Bytes first = samples(fax);
  REQUIRE(first.size() == 64 * 64);
  for (const uint8_t other : {0x55, 0xaa}) {
    // Another picture leaves its bytes in the memory of this thread.
    Bytes plain(64 * 64, other);
    CHECK(decoded(
              tiff({{256, 64}, {257, 64}, {258, 8}, {259, 1}, {262, 1}, {277, 1}, {322, 64}, {323, 64}, {324, 8}, {325, 4096}},
                   0, plain))
              .status == SWAV_OK);
    CHECK(samples(fax) == first);
  }
}

TEST_CASE("a TIFF that claims more pixels than allowed is refused by its size, and one that lacks them by its data") {
  CHECK(decoded(tiff(strips(60000, 60000))).status == SWAV_ERROR_LIMIT);
  CHECK(decoded(tiff(strips(0xFFFFFFFF, 1))).status == SWAV_ERROR_LIMIT);
  CHECK(decoded(tiff(strips(0xFFFFFFFF, 0xFFFFFFFF))).status != SWAV_OK);
  for (const uint32_t compression : {1u, 5u, 8u, 32773u, 3u, 4u, 7u, 34925u, 50000u}) {
    CAPTURE(compression);
    const Outcome outcome = decoded(tiff(strips(13000, 13000, compression)));
    const bool refused = outcome.status == SWAV_ERROR_FORMAT || outcome.status == SWAV_ERROR_UNSUPPORTED;
    CHECK(refused);
  }
  CHECK(decoded(tiff(strips(0, 8))).status == SWAV_ERROR_FORMAT);
}

TEST_CASE("tiles that are much larger than their picture are refused before their memory is taken") {
  for (const auto& [across, down] : {std::pair{1u << 20, 16u}, {16u, 1u << 20}, {1u << 30, 1u << 30}, {65536u, 65536u}}) {
    const Outcome outcome = decoded(tiff(tiles(8, 4, across, down)));
    CHECK(outcome.status == SWAV_ERROR_FORMAT);
  }
  CHECK(decoded(tiff(tiles(8, 4, 0, 0))).status == SWAV_ERROR_FORMAT);
}

TEST_CASE("a TIFF that lists fewer strips or tiles than the picture has is refused") {
  CHECK(decoded(tiff(tiles(8, 8, 16, 4))).message.find("tile 1 is missing") != std::string::npos);
  std::vector<Entry> entries = strips(8, 8);
  entries[7].value = 4;  // rows a strip
  CHECK(decoded(tiff(entries)).message.find("strip 1 is missing") != std::string::npos);
}

TEST_CASE("a TIFF whose directories go round in a circle is read once") {
  const Outcome outcome = decoded(tiff(strips(8, 8), 72));
  CHECK(outcome.status == SWAV_OK);
  CHECK(outcome.info.has_more);
}

TEST_CASE("a TIFF of samples that no picture has is refused by what it has") {
  const auto with = [](uint16_t tag, uint32_t value) {
    std::vector<Entry> entries = strips(2, 2);
    for (Entry& entry : entries) {
      if (entry.tag == tag) entry.value = value;
    }
    if (tag == 339) entries.push_back({339, value});
    if (tag == 254) entries.insert(entries.begin(), {254, value}), entries.push_back({330, 8});
    return decoded(tiff(entries));
  };
  for (const auto& [tag, value, word] : {std::tuple<uint16_t, uint32_t, const char*>{258, 32, "32 bits"},
                                         {258, 17, "17 bits"},
                                         {277, 9, "9 samples"},
                                         {277, 65535, "samples"},
                                         {339, 3, "floating point"},
                                         {339, 2, "sign"},
                                         {262, 8, "photometric interpretation 8"},
                                         {262, 32803, "photometric interpretation 32803"},
                                         {259, 6, "compression 6"},
                                         {259, 12345, "compression 12345"},
                                         {254, 1, "thumbnail"}}) {
    const Outcome outcome = with(tag, value);
    CAPTURE(word);
    CAPTURE(outcome.message);
    CHECK(outcome.status == SWAV_ERROR_UNSUPPORTED);
    CHECK(outcome.message.find(word) != std::string::npos);
  }
}

TEST_CASE("a GIF whose screen is larger than its bytes can fill is refused, and one with a frame of no size") {
  Bytes gif = fixture("rgb.gif");
  gif[6] = gif[8] = 0xFF;
  gif[7] = gif[9] = 0x2F;  // 12287 x 12287 pixels
  const Outcome outcome = decoded(gif);
  CHECK(outcome.status == SWAV_ERROR_FORMAT);
  CHECK(outcome.message.find("cannot hold") != std::string::npos);
  CHECK(decoded({'G', 'I', 'F', '8', '9', 'a', 4, 0, 4, 0, 0, 0, 0, ';'}).message.find("no frame") != std::string::npos);
}

TEST_CASE("run lengths that never fill a row end with the data") {
  Bytes bmp = fixture("rle8.bmp");
  const size_t pixels = size_t(bmp[10]) | size_t(bmp[11]) << 8;
  bmp.resize(pixels);
  CHECK(decoded(bmp).status == SWAV_ERROR_FORMAT);
  for (int i = 0; i < 4000; ++i) bmp.insert(bmp.end(), {0, 2, 255, 0});  // jumps to the right
  CHECK(decoded(bmp).status == SWAV_ERROR_FORMAT);
  bmp.insert(bmp.end(), {0, 1});  // the end of the picture
  CHECK(decoded(bmp).status == SWAV_OK);
}

TEST_CASE("HEIC and AVIF are refused with the name of the package where libheif is not installed, and decode where it is") {
  const Outcome outcome = decoded(fixture("rgb_444.avif"));
  if (HeifLibrary::is_there()) {
    CHECK(outcome.status == SWAV_OK);
    CHECK(outcome.info.format == SWAV_FORMAT_AVIF);
  } else {
    CHECK(outcome.status == SWAV_ERROR_UNSUPPORTED);
    CHECK(outcome.message.find("libheif1") != std::string::npos);
  }
  const Bytes video = {0, 0, 0, 24, 'f', 't', 'y', 'p', 'i', 's', 'o', 'm', 0, 0, 0, 0, 'i', 's', 'o', 'm', 'a', 'v', 'c', '1'};
  CHECK(decoded(video).message.find("video") != std::string::npos);
}

TEST_CASE("several threads decode every format at once and have the same pixels") {
  const std::vector<std::string> names = {"tiles.tif", "planes.tif", "rgb_jpeg.tif", "ycbcr.tif", "interlaced.gif", "rle4.bmp"};
  std::vector<Bytes> files;
  for (const std::string& name : names) files.push_back(fixture(name));
  const auto all = [&] {
    Bytes pixels;
    for (int round = 0; round < 20; ++round) {
      pixels.clear();
      for (const Bytes& file : files) {
        Image image;
        decode(file.data(), file.size(), default_decode_options(), image);
        pixels.insert(pixels.end(), image.row<uint8_t>(0), image.row<uint8_t>(0) + image.size_bytes());
      }
    }
    return pixels;
  };
  const Bytes alone = all();
  std::vector<Bytes> together(4);
  std::vector<std::thread> threads;
  for (Bytes& pixels : together) threads.emplace_back([&] { pixels = all(); });
  for (std::thread& thread : threads) thread.join();
  for (const Bytes& pixels : together) CHECK(pixels == alone);
}
