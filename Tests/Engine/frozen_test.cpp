// Frozen networks: their convolutions against plain loops, folded weights against the unfolded network, integers against
// floats.
#include <doctest/doctest.h>

#include <cfloat>
#include <cmath>

#include "base/cpu.h"
#include "base/parallel.h"
#include "network/frozen_backbone.h"
#include "training_bench.h"

using namespace swav;
using namespace swav::test;

namespace {

std::vector<Element> elements() {
  std::vector<Element> all = {Element::float32, Element::pairs, Element::bfloat16};
  if (current_isa() != Isa::avx512 || cpu_features().has(Feature::avx512_vnni)) all.push_back(Element::quads);
  return all;
}

// A map with memory of its own, zero everywhere at first.
struct OwnMap {
  FrozenMap map;
  std::vector<float> memory;  // aligned well enough; floats so that any element fits
  Element element;

  OwnMap(const FrozenMap& shape, Element e) : map(shape), memory(size_t(shape.bytes() / 4 + 1)), element(e) {
    map.data = reinterpret_cast<char*>(memory.data());
  }
  void set(int64_t i, int64_t y, int64_t x, int64_t c, int value) {
    char* place = map.at(i, y, x) + c * element_size(element);
    if (element == Element::float32) *reinterpret_cast<float*>(place) = float(value);
    if (element == Element::quads) *reinterpret_cast<uint8_t*>(place) = uint8_t(value);
    if (element == Element::pairs) *reinterpret_cast<uint16_t*>(place) = uint16_t(value);
    if (element == Element::bfloat16) *reinterpret_cast<bfloat16*>(place) = to_bfloat16(float(value));
  }
  int get(int64_t i, int64_t y, int64_t x, int64_t c) const {
    const char* place = map.at(i, y, x) + c * element_size(element);
    if (element == Element::float32) return int(*reinterpret_cast<const float*>(place));
    if (element == Element::quads) return *reinterpret_cast<const uint8_t*>(place);
    if (element == Element::bfloat16) return int(to_float(*reinterpret_cast<const bfloat16*>(place)));
    return *reinterpret_cast<const uint16_t*>(place);
  }
  void fill(uint64_t seed, int32_t channels, int most) {
    Random random(seed, Purpose::test);
    for (int64_t i = 0; i < map.images; ++i) {
      for (int64_t y = 0; y < map.height; ++y) {
        for (int64_t x = 0; x < map.width; ++x) {
          for (int32_t c = 0; c < channels; ++c) set(i, y, x, c, int(random.below(uint32_t(most + 1))));
        }
      }
    }
  }
};

struct Case {
  int64_t images;
  int32_t height, width, channels, filters, kernel, stride;
  int32_t side_channels, side_stride;  // of a projection on a second source; 0 channels: none
  bool residual;
  int32_t target_margin;
};

int weight_at(int window, int64_t filter, int32_t r, int32_t s, int64_t channel) {
  return int((filter * 7 + channel * 5 + r * 3 + s * 11 + window * 13) % 9) - 4;
}

void check_convolution(const Case& t, Element element, const TileKernels* body = nullptr) {
  const int32_t padding = t.kernel / 2, out_height = (t.height + 2 * padding - t.kernel) / t.stride + 1,
                out_width = (t.width + 2 * padding - t.kernel) / t.stride + 1;
  OwnMap source(FrozenMap(t.images, t.height, t.width, t.channels, padding, element), element);
  OwnMap side(FrozenMap(t.images, (out_height - 1) * std::max(1, t.side_stride) + 1,
                        (out_width - 1) * std::max(1, t.side_stride) + 1, std::max(1, t.side_channels), 0, element),
              element);
  OwnMap residual(FrozenMap(t.images, out_height, out_width, t.filters, 1, element), element);
  OwnMap target(FrozenMap(t.images, out_height, out_width, t.filters, t.target_margin, element), element);
  source.fill(1, t.channels, 3);
  side.fill(2, t.side_channels, 3);
  residual.fill(3, t.filters, 50);
  std::vector<FrozenWindow> windows = {{&source.map, t.kernel, t.stride, padding, t.channels}};
  if (t.side_channels > 0) windows.push_back({&side.map, 1, t.side_stride, 0, t.side_channels});
  const FrozenConvolution convolution(element, windows, t.filters, &target.map, t.residual ? &residual.map : nullptr, body);
  std::vector<float> packed(size_t(convolution.packed_bytes() / 4));
  const auto weight = [](int window, int64_t filter, int32_t r, int32_t s, int64_t c) {
    return float(weight_at(window, filter, r, s, c));
  };
  convolution.pack(weight, reinterpret_cast<char*>(packed.data()));
  const size_t columns = size_t(convolution.columns());
  std::vector<int32_t> bias(columns);
  Floats float_bias(columns), ones(columns, 1.0f);
  for (size_t f = 0; f < size_t(t.filters); ++f) float_bias[f] = float(bias[f] = int32_t(f % 17) - 5);
  convolution.run(reinterpret_cast<const char*>(packed.data()),
                  {float_bias.data(), true, {bias.data(), ones.data(), ones.data(), false}});
  int64_t wrong = 0;
  for (int64_t i = 0; i < t.images; ++i) {
    for (int32_t y = 0; y < out_height; ++y) {
      for (int32_t x = 0; x < out_width; ++x) {
        for (int32_t f = 0; f < t.filters; ++f) {
          int sum = bias[size_t(f)] + (t.residual ? residual.get(i, y, x, f) : 0);
          for (int32_t r = 0; r < t.kernel; ++r) {
            for (int32_t s = 0; s < t.kernel; ++s) {
              const int32_t sy = y * t.stride - padding + r, sx = x * t.stride - padding + s;
              if (sy < 0 || sx < 0 || sy >= t.height || sx >= t.width) continue;
              for (int32_t c = 0; c < t.channels; ++c) sum += source.get(i, sy, sx, c) * weight_at(0, f, r, s, c);
            }
          }
          for (int32_t c = 0; c < t.side_channels; ++c) {
            sum += side.get(i, y * t.side_stride, x * t.side_stride, c) * weight_at(1, f, 0, 0, c);
          }
          const bool clipped = element == Element::quads || element == Element::pairs;
          int expected = clipped ? std::clamp(sum, 0, 255) : std::max(sum, 0);
          if (element == Element::bfloat16) expected = int(to_float(to_bfloat16(float(expected))));
          wrong += target.get(i, y, x, f) != expected;
        }
      }
    }
  }
  CHECK_MESSAGE(wrong == 0, "element ", int(element), ": ", t.images, " images of ", t.height, "x", t.width, "x", t.channels,
                ", ", t.filters, " filters ", t.kernel, "x", t.kernel, " / ", t.stride, " side ", t.side_channels, " residual ",
                t.residual, " margin ", t.target_margin);
}

// Running statistics and scales as a trained network could have them.
void disturb(swav_network* network) {
  Random random(5, Purpose::test);
  swav_tensor t;
  for (int64_t i = 0; swav_network_tensor(network, i, &t) == SWAV_OK; ++i) {
    const std::string name = t.name;
    const bool variance = name.find("running_var") != std::string::npos,
               norm = name.find("bn") != std::string::npos || name.find("downsample.1") != std::string::npos;
    if (t.kind == SWAV_TENSOR_COUNTER || !norm) continue;
    Floats values(size_t(t.count));
    for (float& number : values) {
      const double value = variance || (t.kind == SWAV_TENSOR_PARAMETER && name.find("weight") != std::string::npos)
                               ? random.uniform(0.5, 1.5)
                               : random.uniform(-0.3, 0.3);
      number = float(value);
    }
    REQUIRE(swav_network_write_tensor(network, i, values.data(), t.count) == SWAV_OK);
  }
}

struct Frozen {
  swav_network* network = nullptr;
  explicit Frozen(const swav_network_config& config) {
    REQUIRE_MESSAGE(swav_network_create(&config, 3, &network) == SWAV_OK, swav_error_message());
    disturb(network);
  }
  ~Frozen() { swav_network_destroy(network); }
  Network& inner() { return *network->network; }
  Floats features(const Floats& images, int64_t count, int32_t side, Precision precision = Precision::float32) {
    Floats result(size_t(count * inner().description().feature_dim));
    const auto embed = precision == Precision::int8       ? swav_network_embed_int8
                       : precision == Precision::bfloat16 ? swav_network_embed_bfloat16
                                                          : swav_network_embed;
    REQUIRE_MESSAGE(embed(network, SWAV_OUTPUT_FEATURES, images.data(), count, side, side, result.data()) == SWAV_OK,
                    swav_error_message());
    return result;
  }
};

swav_network_config wide_network(int32_t depth, swav_stem stem, int32_t base) {
  swav_network_config c = small_network(depth, stem, 0);
  c.base_width = base;
  return c;
}

double cosine(const Floats& a, const Floats& b) {
  double aa = 0, bb = 0, ab = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    aa += double(a[i]) * double(a[i]), bb += double(b[i]) * double(b[i]), ab += double(a[i]) * double(b[i]);
  }
  return ab / std::sqrt(aa * bb);
}

// Samples of 8 bits, normalised as the default input description says, smooth enough to look like a picture.
Floats pictures(uint64_t seed, int64_t count, int32_t side) {
  const swav_input_description input = default_input();
  Random random(seed, Purpose::test);
  Floats images;
  for (int64_t i = 0; i < count; ++i) {
    const double fx = random.uniform(0.02, 0.3), fy = random.uniform(0.02, 0.3), phase = random.uniform(0, 6);
    for (int32_t y = 0; y < side; ++y) {
      for (int32_t x = 0; x < side; ++x) {
        for (int c = 0; c < 3; ++c) {
          const double wave = 128 + 90 * std::sin(fx * x + fy * y + phase + c) + random.uniform(-30, 30);
          images.push_back(
              float((std::floor(std::clamp(wave, 0.0, 255.0)) / 255 - double(input.mean[c])) / double(input.std[c])));
        }
      }
    }
  }
  return images;
}

}  // namespace

TEST_CASE("frozen convolutions are plain loops, in floats and integers, at edge sizes, and by every body of tiles") {
  const int32_t tile = kernels().tile_columns;
  const std::vector<Case> cases = {
      {1, 5, 7, 3, 4, 3, 1, 0, 0, false, 0},
      {2, 9, 14, tile, tile, 3, 1, 0, 0, true, 1},
      {2, 15, 15, tile + 1, tile - 1, 3, 2, 0, 0, false, 1},
      {3, 7, 7, 2 * tile, tile, 1, 1, 0, 0, true, 0},
      {1, 1, 1, 5, 3, 1, 1, 0, 0, false, 0},
      {2, 7, 7, tile, tile + 3, 1, 1, 2 * tile, 2, false, 0},
      {1, 13, 29, 4, 2 * tile, 3, 1, 6, 2, false, 1},
      {5, 2, 2, 40, 33, 3, 1, 0, 0, true, 1},
      {1, 4, 4, 512, tile, 1, 1, 0, 0, false, 0},  // the padded pixel distance
      {1, 30, 31, 8, 8, 1, 2, 0, 0, false, 1},
  };
  for (const Case& t : cases) {
    for (Element element : elements()) check_convolution(t, element);
    const TileBodies all = tile_bodies();
    for (int i = 0; i < all.count; ++i) {
      const TileKernels* body = all.bodies[i];
      check_convolution(t, Element::bfloat16, body);
      // Maps have room for the columns of these tiles where a vector has 16 lanes.
      if (body->integer_product && tile == body->tile.columns) check_convolution(t, Element::quads, body);
    }
  }
}

TEST_CASE("a frozen convolution of bfloat16 has the same bits by every body in the order of vectors, whatever the values") {
  const int32_t channels = 41, filters = 70, height = 9, width = 7;
  const Floats weights = normals(2, filters * 9 * channels);
  const auto run = [&](const TileKernels* body) {
    OwnMap source(FrozenMap(3, height, width, channels, 1, Element::bfloat16), Element::bfloat16);
    OwnMap target(FrozenMap(3, height, width, filters, 1, Element::bfloat16), Element::bfloat16);
    source.fill(1, channels, 200);
    const FrozenConvolution convolution(Element::bfloat16, {{&source.map, 3, 1, 1, channels}}, filters, &target.map, nullptr,
                                        body);
    std::vector<char> packed(size_t(convolution.packed_bytes()));
    convolution.pack(
        [&](int, int64_t f, int32_t r, int32_t s, int64_t c) { return weights[size_t(((f * 3 + r) * 3 + s) * channels + c)]; },
        packed.data());
    const Floats bias(size_t(convolution.columns()), 0.25f);
    convolution.run(packed.data(), {bias.data(), true, {}});
    return std::string(reinterpret_cast<const char*>(target.memory.data()), target.memory.size() * 4);
  };
  const TileBodies all = tile_bodies();
  for (int i = 0; i < all.count; ++i) {
    const TileKernels& body = *all.bodies[i];
    if (body.tile.words == 1) CHECK_MESSAGE(run(&body) == run(&plain_twin(body)), body.name);
  }
}

TEST_CASE("folding batch-norm into the weights leaves the features, within the rounding of the sums") {
  for (const auto& [config, count, side] : {std::tuple{wide_network(50, SWAV_STEM_IMAGENET, 16), int64_t{3}, 64},
                                            std::tuple{wide_network(18, SWAV_STEM_IMAGENET, 32), int64_t{9}, 61},
                                            std::tuple{wide_network(34, SWAV_STEM_SMALL, 6), int64_t{1}, 33},
                                            std::tuple{wide_network(50, SWAV_STEM_SMALL, 8), int64_t{7}, 17}}) {
    CAPTURE(config.depth);
    CAPTURE(side);
    Frozen frozen(config);
    const Floats images = normals(8, count * side * side * 3);
    const Floats folded = frozen.features(images, count, side);
    InferencePlan unfolded(frozen.inner().description(), frozen.inner().parameters(), count, side, side);
    Floats expected(folded.size());
    unfolded.run(images.data(), Statistics::running, SWAV_OUTPUT_FEATURES, expected.data());
    double largest = 0, error = 0;
    for (float v : expected) largest = std::max(largest, std::abs(double(v)));
    for (size_t i = 0; i < folded.size(); ++i) error = std::max(error, std::abs(double(folded[i]) - double(expected[i])));
    // Each of two networks of at most 53 layers rounds a few times a layer; Winograd's transforms, which are in one of them or
    // in both, lose four bits more (ops/winograd.h).
    CHECK(error <= 2 * 53 * 16 * FLT_EPSILON * largest);
    CHECK(error > 0);  // it is another computation
  }
}

TEST_CASE("frozen features do not depend on the number of threads, nor integers on how they are stored") {
  Frozen frozen(wide_network(50, SWAV_STEM_IMAGENET, 16));
  const int64_t count = 5;
  const int32_t side = 75;
  const Floats images = pictures(1, count, side);
  REQUIRE(swav_network_calibrate(frozen.network, images.data(), count, side, side) == SWAV_OK);
  for (const Precision precision : {Precision::float32, Precision::int8, Precision::bfloat16}) {
    REQUIRE(swav_set_threads(1) == SWAV_OK);
    const Floats one = frozen.features(images, count, side, precision);
    for (int threads : {2, 3, 7}) {
      REQUIRE(swav_set_threads(threads) == SWAV_OK);
      CHECK(frozen.features(images, count, side, precision) == one);
    }
    REQUIRE(swav_set_threads(0) == SWAV_OK);
    if (precision != Precision::int8) continue;
    // One image has the bits that it has in a batch: sums of integers have no order.
    const Floats last(images.end() - side * side * 3, images.end()), alone = frozen.features(last, 1, side, precision);
    CHECK(std::equal(alone.begin(), alone.end(), one.end() - int64_t(alone.size())));
  }
}

TEST_CASE("integers are stored as pairs or quads with the same features") {
  const swav_network_config config = wide_network(18, SWAV_STEM_IMAGENET, 8);
  Frozen frozen(config);
  const Description& d = frozen.inner().description();
  const int64_t count = 2;
  const int32_t side = 50;
  const Floats images = pictures(2, count, side);
  ActivationRanges ranges;
  FrozenGraph direct(d, count, side, side, Element::float32, true);
  for (const FrozenStep& step : direct.steps()) {
    ranges.largest.emplace_back(size_t(direct.maps()[size_t(step.target)].channels), 3.0f);
  }
  std::vector<Floats> results;
  for (Element element : elements()) {
    if (element == Element::float32 || element == Element::bfloat16) continue;
    auto graph = std::make_unique<FrozenGraph>(d, count, side, side, element, false);
    auto weights = std::make_shared<const FrozenWeights>(*graph, frozen.inner().parameters(), ranges, default_input());
    FrozenBackbone backbone(std::move(graph), weights);
    results.emplace_back(size_t(count * d.feature_dim));
    backbone.run(images.data(), d.feature_dim, results.back().data());
  }
  for (const Floats& result : results) CHECK(result == results[0]);
}

TEST_CASE("features in integers point where those in floats do") {
  for (const auto& [depth, stem, base] : {std::tuple{50, SWAV_STEM_IMAGENET, 16}, std::tuple{18, SWAV_STEM_SMALL, 16}}) {
    Frozen frozen(wide_network(depth, stem, base));
    const int64_t count = 6;
    const int32_t side = 64;
    const Floats seen = pictures(3, 16, side), images = pictures(4, count, side);
    const Floats exact = frozen.features(images, count, side);
    REQUIRE(swav_network_calibrate(frozen.network, seen.data(), 16, side, side) == SWAV_OK);
    const Floats integers = frozen.features(images, count, side, Precision::int8);
    // An activation of a typical size, a fifth of the largest, has a rounding error of (1 / 255) / sqrt(12) / (1 / 5) = 0.6 %,
    // a weight of the same kind 1.1 %: 1.3 % a layer, and in sqrt(53) independent layers 9 %: a cosine of 1 - 0.09^2 / 2.
    CHECK(cosine(exact, integers) > 0.996);
    CHECK(integers != exact);
    // Neither is a state of the network: the other one is as it was.
    CHECK(frozen.features(images, count, side) == exact);
    CHECK(frozen.features(images, count, side, Precision::int8) == integers);
  }
}

TEST_CASE("features in bfloat16 are those in floats, within the rounding of 53 layers") {
  for (const auto& [depth, stem, base, side] :
       {std::tuple{50, SWAV_STEM_IMAGENET, 16, 75}, {18, SWAV_STEM_SMALL, 16, 40}, {18, SWAV_STEM_SMALL, 10, 40}}) {
    CAPTURE(base);  // 80 features of base 10 are no whole tiles
    Frozen frozen(wide_network(depth, stem, base));
    const int64_t count = 3;
    const Floats images = pictures(4, count, side), exact = frozen.features(images, count, side);
    const Floats rounded = frozen.features(images, count, side, Precision::bfloat16);
    // A weight and an activation are off by 2^-9 / sqrt(3) of themselves each, independently: a sum by 0.16 %, and after
    // sqrt(53) layers by 1.2 %, a cosine of 1 - 0.012^2 / 2. Residual sums keep errors of before: twice that.
    CHECK(cosine(exact, rounded) > 1 - 2 * 0.012 * 0.012);
    CHECK(rounded != exact);
    CHECK(frozen.features(images, count, side) == exact);
    CHECK(frozen.features(images, count, side, Precision::bfloat16) == rounded);
  }
}

TEST_CASE("calibration is asked for, is forgotten when weights change, and does not depend on how images come") {
  Frozen frozen(wide_network(18, SWAV_STEM_IMAGENET, 4));
  const int32_t side = 40;
  const int64_t count = 5;
  const Floats images = pictures(5, count, side);
  Floats result(size_t(count * frozen.inner().description().feature_dim));
  const auto embed = [&] {
    return swav_network_embed_int8(frozen.network, SWAV_OUTPUT_FEATURES, images.data(), count, side, side, result.data());
  };
  CHECK(embed() == SWAV_ERROR_ARGUMENT);
  CHECK(std::string(swav_error_message()) ==
        "embedding in integers is asked for, and nothing has been calibrated; calibrate on some images first");
  CHECK(swav_network_calibrate(frozen.network, images.data(), 0, side, side) == SWAV_ERROR_ARGUMENT);
  REQUIRE(swav_network_calibrate(frozen.network, images.data(), count, side, side) == SWAV_OK);
  REQUIRE(embed() == SWAV_OK);
  const Floats together = result;
  const Floats before = values_of(frozen.network, "conv1.weight");
  REQUIRE(embed() == SWAV_OK);  // looking is not changing
  CHECK(result == together);
  Floats other = before;
  other[0] += 1;
  set_values(frozen.network, "conv1.weight", other);
  CHECK(embed() == SWAV_ERROR_ARGUMENT);
  CHECK(std::string(swav_error_message()).find("the weights changed after the calibration") != std::string::npos);
  REQUIRE(swav_network_calibrate(frozen.network, images.data(), 1, side, side) == SWAV_OK);
  REQUIRE(embed() == SWAV_OK);
  CHECK(result != together);
  set_values(frozen.network, "conv1.weight", before);
  const int64_t pixels = side * side * 3;
  for (int64_t i : {4, 0, 3, 1, 2}) {  // one by one, in another order
    REQUIRE(swav_network_calibrate(frozen.network, images.data() + i * pixels, 1, side, side) == SWAV_OK);
  }
  REQUIRE(embed() == SWAV_OK);
  CHECK(result == together);
}

TEST_CASE("features follow the weights: a changed tensor changes them") {
  Frozen frozen(wide_network(18, SWAV_STEM_SMALL, 4));
  const Floats images = pictures(6, 2, 16), before = frozen.features(images, 2, 16);
  Floats bias = values_of(frozen.network, "layer4.1.bn2.bias");
  for (float& value : bias) value += 0.5f;
  set_values(frozen.network, "layer4.1.bn2.bias", bias);
  const Floats after = frozen.features(images, 2, 16);
  for (size_t i = 0; i < after.size(); ++i) CHECK(after[i] >= before[i]);
  CHECK(after != before);
}
