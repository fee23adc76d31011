// The collection of tricky files: each does what its manifest says.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <sstream>

#include "swav.h"
#include "test_data.h"

namespace {

struct Outcome {
  swav_status status;
  swav_image_info info{};
  double mean[3] = {};
  std::string message;
};

Outcome decode(const std::vector<uint8_t>& bytes) {
  Outcome outcome{};
  swav_image* image = nullptr;
  outcome.status = swav_image_decode(bytes.data(), bytes.size(), nullptr, &image);
  if (outcome.status != SWAV_OK) {
    outcome.message = swav_error_message();
    CHECK(image == nullptr);
    return outcome;
  }
  swav_image_describe(image, &outcome.info);
  const auto* samples = static_cast<const uint8_t*>(swav_image_samples(image));
  const int64_t count = int64_t(outcome.info.width) * outcome.info.height;
  for (int64_t i = 0; i < count * 3; ++i) outcome.mean[i % 3] += samples[i] / double(count);
  swav_image_destroy(image);
  return outcome;
}

void check_decoded(const Outcome& outcome, const std::map<std::string, std::string>& row) {
  if (row.at("upright_width").empty()) return;
  CHECK(std::to_string(outcome.info.width) == row.at("upright_width"));
  CHECK(std::to_string(outcome.info.height) == row.at("upright_height"));
  std::istringstream stated(row.at("rgb_mean"));
  // The manifest rounds to 0.05; libraries may differ by half a level in the mean; CMYK conversions differ more.
  const double tolerance = row.at("pillow_mode") == "CMYK" ? 4 : 0.6;
  for (double mean : outcome.mean) {
    double want;
    REQUIRE(bool(stated >> want));
    CHECK(std::abs(mean - want) <= tolerance);
  }
}

}  // namespace

TEST_CASE("every odd file does what its manifest says") {
  const auto files = test_data::read_tar(test_data::folder() + "/odd/odd.tar");
  const auto rows = test_data::read_csv(test_data::folder() + "/odd/manifest.csv");
  if (files.empty()) {
    MESSAGE("skipped: no odd.tar in " << test_data::folder());
    return;
  }
  REQUIRE(rows.size() == files.size());
  for (const auto& row : rows) {
    const std::string& name = row.at("file");
    CAPTURE(name);
    REQUIRE(files.count(name) == 1);
    const Outcome outcome = decode(files.at(name));
    CAPTURE(outcome.message);
    const std::string& expected = row.at("expect");
    if (expected == "ok") CHECK(outcome.status == SWAV_OK);
    if (expected == "fail") CHECK(outcome.status != SWAV_OK);
    if (outcome.status == SWAV_OK) {
      check_decoded(outcome, row);
      swav_image_info probed{};
      CHECK(swav_image_probe(files.at(name).data(), files.at(name).size(), &probed) == SWAV_OK);
      CHECK(probed.width == outcome.info.width);
      CHECK(probed.height == outcome.info.height);
    } else {
      CHECK(outcome.message.size() > 15);
      CHECK(outcome.status != SWAV_ERROR_INTERNAL);
    }
  }
}

TEST_CASE("a file cut anywhere is refused or decodes, and never crashes") {
  const auto files = test_data::read_tar(test_data::folder() + "/odd/odd.tar");
  if (files.empty()) {
    MESSAGE("skipped: no odd.tar in " << test_data::folder());
    return;
  }
  int refused = 0;
  for (const auto& [name, bytes] : files) {
    if (bytes.size() > 40000) continue;
    CAPTURE(name);
    for (int part = 1; part <= 16; ++part) {
      // A copy of exactly this length, so that a sanitizer sees every read past the end.
      const std::vector<uint8_t> cut(bytes.begin(), bytes.begin() + std::ptrdiff_t(bytes.size() * size_t(part) / 17));
      refused += decode(cut).status != SWAV_OK;
    }
  }
  CHECK(refused > 200);
}

TEST_CASE("inputs that fuzzing found end in pixels or a clear refusal") {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SWAV_FIXTURES "/image/found")) {
    CAPTURE(entry.path().string());
    const Outcome outcome = decode(test_data::read_file(entry.path().string()));
    CHECK(outcome.status != SWAV_ERROR_INTERNAL);
    CHECK((outcome.status == SWAV_OK) == outcome.message.empty());
    ++files;
  }
  CHECK(files > 0);
}

TEST_CASE("a progressive file with endless scans is refused by their number") {
  std::vector<uint8_t> bytes = test_data::read_file(SWAV_FIXTURES "/image/formats/progressive.jpg");
  // The last scan: from its marker (FF DA) to the end marker (FF D9).
  size_t scan = bytes.size() - 2;
  while (scan > 0 && !(bytes[scan] == 0xFF && bytes[scan + 1] == 0xDA)) --scan;
  REQUIRE(scan > 0);
  const std::vector<uint8_t> last(bytes.begin() + std::ptrdiff_t(scan), bytes.end() - 2);
  const auto repeated = [&](int times) {
    std::vector<uint8_t> file(bytes.begin(), bytes.end() - 2);
    for (int i = 0; i < times; ++i) file.insert(file.end(), last.begin(), last.end());
    file.insert(file.end(), {0xFF, 0xD9});
    return decode(file);
  };
  CHECK(repeated(20).status == SWAV_OK);
  const Outcome refused = repeated(200);
  CHECK(refused.status == SWAV_ERROR_LIMIT);
  CHECK(refused.message.find("scans") != std::string::npos);
}

TEST_CASE("a header that claims more pixels than its bytes can hold costs no memory and no time") {
  // 9000 x 9000 RGB in a file of 100 bytes, for each format whose header says the size.
  const std::vector<std::vector<uint8_t>> files = {
      {'B', 'M', 100, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0, 0x28, 0x23, 0, 0, 0x28, 0x23, 0, 0, 1, 0, 24, 0},
      {'P', '6', ' ', '9', '0', '0', '0', ' ', '9', '0', '0', '0', ' ', '2', '5', '5', '\n'},
      {'P', '3', ' ', '9', '0', '0', '0', ' ', '9', '0', '0', '0', ' ', '2', '5', '5', '\n'},
      {137, 80, 78, 71, 13, 10, 26, 10, 0,   0,   0,   13,  73, 72, 68, 82, 0,  0,  35, 40, 0,
       0,   35, 40, 8,  2,  0,  0,  0,  226, 183, 229, 237, 0,  0,  0,  10, 73, 68, 65, 84},  // PNG: IHDR and the head of an
                                                                                              // IDAT
  };
  for (std::vector<uint8_t> file : files) {
    CAPTURE(int(file[0]));
    file.resize(100);
    const Outcome outcome = decode(file);
    CHECK(outcome.status == SWAV_ERROR_FORMAT);
    const bool by_size = outcome.message.find(" bytes") != std::string::npos;  // the messages that compare bytes with the claim
    CHECK(by_size);
  }
}
