// JPEGs that end early, of every arrangement of scans; inks; samplings of which only a part is decoded.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/status.h"
#include "image/crop.h"
#include "image/plan.h"
#include "jpeg_samples.h"
#include "worse.h"

using namespace swav;
using namespace swav::image;
using jpeg_samples::Kind;
using jpeg_samples::Scans;

namespace {

using Bytes = std::vector<uint8_t>;

std::vector<Kind> kinds_of_scans() {
  std::vector<Kind> kinds = {{"baseline"},
                             {"gray", 1},
                             {"restarts", 3, {}, Scans::one, 2},
                             {"a scan a component", 3, {}, Scans::one_a_component},
                             {"progressive", 3, {}, Scans::progressive},
                             {"progressive gray", 1, {}, Scans::progressive},
                             {"progressive with restarts", 3, {}, Scans::progressive, 3}};
#if C_ARITH_CODING_SUPPORTED
  kinds.push_back({"arithmetic", 3, {}, Scans::one, 0, true});
  kinds.push_back({"arithmetic progressive", 3, {}, Scans::progressive, 0, true});
#endif
  return kinds;
}

Bytes sample(const Kind& kind, int width = 61, int height = 47) {
  return jpeg_samples::encode(kind, jpeg_samples::picture(width, height, kind.components).data(), width, height);
}

// The samples, or none and the message.
struct Outcome {
  Bytes samples;
  std::string message;
};

Outcome decoded(const Bytes& bytes) {
  // A copy of exactly this length, so that a sanitizer sees every read past the end.
  const Bytes copy(bytes);
  try {
    Image image;
    decode(copy.data(), copy.size(), default_decode_options(), image);
    return {{image.row<uint8_t>(0), image.row<uint8_t>(0) + image.size_bytes()}, ""};
  } catch (const Error& error) {
    CHECK(error.status() == SWAV_ERROR_FORMAT);
    return {{}, error.what()};
  }
}

swav_recipe recipe_of(swav_precision precision) {
  swav_recipe recipe = default_recipe();
  recipe.groups[0] = {1, 24, 0.14f, 1.0f};
  recipe.groups[1] = {2, 12, 0.05f, 0.14f};
  recipe.precision = precision;
  return recipe;
}

std::vector<float> crops_of(const Bytes& bytes, const swav_recipe& recipe, uint64_t sample) {
  std::vector<float> large(24 * 24 * 3), small(12 * 12 * 3), last(12 * 12 * 3);
  float* const outputs[3] = {large.data(), small.data(), last.data()};
  multicrop(bytes.data(), bytes.size(), default_decode_options(), recipe, 3, 1, sample, outputs);
  large.insert(large.end(), small.begin(), small.end());
  large.insert(large.end(), last.begin(), last.end());
  return large;
}

bool serves_crops(const Bytes& bytes) {
  for (uint64_t sample = 0; sample < 12; ++sample) {
    try {
      crops_of(bytes, recipe_of(SWAV_PRECISION_FAST), sample);
      return true;
    } catch (const Error&) {
    }
  }
  return false;
}

}  // namespace

TEST_CASE("a JPEG cut at any byte is refused, unless nothing but its end marker is missing") {
  for (const Kind& kind : kinds_of_scans()) {
    CAPTURE(kind.name);
    const Bytes whole = sample(kind);
    const Bytes expected = decoded(whole).samples;
    REQUIRE(!expected.empty());
    for (size_t size = 0; size < whole.size(); ++size) {
      const Outcome outcome = decoded(Bytes(whole.begin(), whole.begin() + std::ptrdiff_t(size)));
      CAPTURE(size);
      CAPTURE(outcome.message);
      const bool only_the_marker = size + 2 >= whole.size() && !kind.arithmetic;
      if (only_the_marker) {
        CHECK(outcome.samples == expected);
      } else {
        CHECK(outcome.samples.empty());
      }
    }
  }
}

TEST_CASE("multi-crop refuses a cut JPEG whichever crops are asked for") {
  for (const Kind& kind : kinds_of_scans()) {
    CAPTURE(kind.name);
    const Bytes whole = sample(kind);
    CHECK(serves_crops(whole));
    for (size_t size = jpeg_samples::first_scan(whole); size + 2 < whole.size(); size += 97)
      CHECK_FALSE(serves_crops(Bytes(whole.begin(), whole.begin() + std::ptrdiff_t(size))));
  }
}

TEST_CASE("a JPEG whose second half is zeros is refused") {
  for (const Kind& kind : kinds_of_scans()) {
    CAPTURE(kind.name);
    Bytes file = sample(kind, 301, 203);
    const size_t scan = jpeg_samples::first_scan(file);
    for (const double part : {0.1, 0.5, 0.9, 0.99}) {
      CAPTURE(part);
      Bytes half = file;
      std::fill(half.begin() + std::ptrdiff_t(double(scan) + double(file.size() - scan) * part), half.end(), uint8_t(0));
      CHECK(decoded(half).samples.empty());
      CHECK_FALSE(serves_crops(half));
    }
  }
}

TEST_CASE("zeros behind the end marker, and other bytes there, are of no matter") {
  for (const Kind& kind : kinds_of_scans()) {
    CAPTURE(kind.name);
    const Bytes whole = sample(kind);
    Bytes padded = whole, noisy = whole;
    padded.resize(padded.size() + 5000);
    for (int i = 0; i < 300; ++i) noisy.push_back(uint8_t(i * 37));
    CHECK(decoded(padded).samples == decoded(whole).samples);
    CHECK(decoded(noisy).samples == decoded(whole).samples);
  }
}

TEST_CASE("inks are inverted where Adobe's marker says so, and taken as they are without it") {
  // Pure cyan, magenta, yellow and black, full ink being 255; with the marker the same inverted.
  const int width = 32, height = 8;
  const uint8_t inks[4][4] = {{255, 0, 0, 0}, {0, 255, 0, 0}, {0, 0, 255, 0}, {0, 0, 0, 255}};
  const int colors[4][3] = {{0, 255, 255}, {255, 0, 255}, {255, 255, 0}, {0, 0, 0}};
  for (const bool adobe : {false, true}) {
    CAPTURE(adobe);
    Bytes samples;
    for (int i = 0; i < width * height * 4; ++i) {
      const uint8_t ink = inks[i / 4 % width / 8][i % 4];
      samples.push_back(adobe ? uint8_t(255 - ink) : ink);
    }
    const Kind kind = {"cmyk", 4, {}, Scans::one, 0, false, adobe};
    const Bytes file = jpeg_samples::encode(kind, samples.data(), width, height, 100);
    Image image;
    decode(file.data(), file.size(), default_decode_options(), image);
    CHECK(image.info.inks == (adobe ? SWAV_INKS_INVERTED : SWAV_INKS_PLAIN));
    CHECK(probe(file.data(), file.size()).inks == image.info.inks);
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) CHECK(std::abs(image.row<uint8_t>(4)[x * 3 + c] - colors[x / 8][c]) <= 2);
    }
  }
}

TEST_CASE("decoding a part of a JPEG of any sampling gives the samples of the whole") {
  const std::vector<std::pair<std::string, std::vector<std::pair<int, int>>>> samplings = {
      {"4:4:4", {{1, 1}, {1, 1}, {1, 1}}},
      {"4:2:2", {{2, 1}, {1, 1}, {1, 1}}},
      {"4:2:0", {{2, 2}, {1, 1}, {1, 1}}},
      {"4:4:0", {{1, 2}, {1, 1}, {1, 1}}},
      {"4:1:1", {{4, 1}, {1, 1}, {1, 1}}},
      {"4:1:0", {{4, 2}, {1, 1}, {1, 1}}},
      {"1x4", {{1, 4}, {1, 1}, {1, 1}}},
      {"2x2 2x1", {{2, 2}, {2, 1}, {1, 1}}},
      {"gray 2x2", {{2, 2}}},
      {"gray 1x2", {{1, 2}}},
      {"gray 4x1", {{4, 1}}}};
  const swav_recipe fast = recipe_of(SWAV_PRECISION_FAST), exact = recipe_of(SWAV_PRECISION_EXACT);
  for (const auto& [name, sampling] : samplings) {
    for (const Scans scans : {Scans::one, Scans::progressive}) {
      for (const auto& [width, height] : {std::pair{97, 83}, std::pair{96, 96}}) {
        CAPTURE(name);
        CAPTURE(int(scans));
        CAPTURE(width);
        const Bytes file = sample({name, int(sampling.size()), sampling, scans}, width, height);
        for (uint64_t sample = 0; sample < 12; ++sample) {
          swav_recipe plain = fast;
          plain.jitter_probability = 0;
          swav_recipe twin = exact;
          twin.jitter_probability = 0;
          const std::vector<float> part = crops_of(file, plain, sample), whole = crops_of(file, twin, sample);
          // Without jitter both paths have the same samples; normalising rounds otherwise: 6 roundings of 255 / 0.22 levels.
          double worst = 0;
          for (size_t i = 0; i < part.size(); ++i) worst = worse(worst, std::abs(part[i] - whole[i]) * 0.228f * 255);
          CHECK(worst <= 6 * 255 / 0.22f * 6e-8f);
        }
      }
    }
  }
}
