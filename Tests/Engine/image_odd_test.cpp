// The collection of tricky files: each does what its manifest says.
#include <doctest/doctest.h>

#include <cmath>
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
  if (files.empty()) return;
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
