// Convolutions on maps of bfloat16: forward and both backward products, by every body of the tiles.
//
// Operands are small integers: values behind batch-norm up to 14 and weights up to 2 are bfloat16 themselves, and all sums
// exact in float. So results are those of plain loops, rounded once: the bound of an error is half a unit in the last place of
// a bfloat16, 2^-9 of the result, and it is met to the bit.
#include <doctest/doctest.h>

#include <atomic>

#include "convolution_cases.h"

using namespace swav;
using namespace swav::test;

namespace {

// An array between guards that no sum gives.
class Map {
 public:
  explicit Map(const Floats& values) : count_(values.size()), all_(values.size() + 2 * margin, guard) {
    for (size_t i = 0; i < count_; ++i) all_[margin + i] = to_bfloat16(values[i]);
  }
  bfloat16* data() { return all_.data() + margin; }
  Floats values() const { return widened({all_.begin() + margin, all_.begin() + margin + int64_t(count_)}); }
  bool margins_intact() const {
    const auto is_guard = [](bfloat16 x) { return x.bits == guard.bits; };
    return std::all_of(all_.begin(), all_.begin() + margin, is_guard) && std::all_of(all_.end() - margin, all_.end(), is_guard);
  }

 private:
  static constexpr int64_t margin = 33;
  static constexpr bfloat16 guard = {0x7f7f};
  size_t count_;
  std::vector<bfloat16> all_;
};

// The operand of a source with its maps in bfloat16.
struct HalfSource {
  std::vector<bfloat16> data, partner;
  Operand operand;
  HalfSource(const Source& source, const Floats& data_values)
      : data(rounded(data_values)), partner(rounded(source.partner)), operand(source.operand) {
    operand.data = data.data();
    if (operand.transform == Transform::gradient) operand.partner = partner.data();
  }
};

Convolution tiled(const Case& test, const TileKernels& body) {
  return Convolution(test.shape, test.input, true, Storage::bfloat16, body);
}

// What a forward product reads: framed where it is an image.
HalfSource forward_source(const Case& test, const Convolution& convolution, const Source& x) {
  HalfSource half(x, x.data);
  if (test.input != image) return half;
  half.data.resize(size_t(convolution.framed_count()));
  convolution.pad_image(x.data.data(), half.data.data());
  half.operand.data = half.data.data();
  return half;
}

void check_forward(const Case& test, const TileKernels& body, Transform transform) {
  const ConvolutionShape& s = test.shape;
  const Convolution convolution = tiled(test, body);
  // Maps of one and of four pixels skip taps, but where there is AMX.
  const bool tiny = body.tile.words == 1 && convolution.algorithm() == std::string("small-map");
  CHECK((tiny || convolution.algorithm() == std::string("tiles")));
  const Source x(1, s.images * s.height * s.width, s.channels, transform);
  const Floats w = integers(7, weight_count(s), 2);
  Floats expected(size_t(s.out_count()), 0.0f);
  for_each_multiplication(s, [&](size_t y, size_t in, size_t k) { expected[y] += x.values[in] * w[k]; });
  const HalfSource source = forward_source(test, convolution, x);
  Guarded<float> workspace(convolution.workspace());
  Map y(Floats(size_t(s.out_count()), 0.0f));
  std::vector<int> seen(size_t(s.out_count()), 0);
  const RowBlocks blocks = convolution.forward_blocks();
  convolution.forward(source.operand, w.data(), workspace.data(), y.data(),
                      [&](int64_t block, int64_t row0, int64_t row1, int64_t c0, int64_t c1) {
                        const bool placed = row0 == blocks.begin(block) && row1 == blocks.end(block);
                        for (int64_t r = row0; placed && r < row1; ++r) {
                          for (int64_t c = c0; c < c1; ++c) {
                            const size_t i = size_t(r * s.filters + c);
                            seen[i] += to_float(y.data()[i]) == to_float(to_bfloat16(expected[i])) ? 1 : 100;
                          }
                        }
                      });
  CHECK(y.values() == widened(rounded(expected)));
  CHECK(y.margins_intact());
  CHECK(workspace.margins_intact());
  CHECK(std::all_of(seen.begin(), seen.end(), [](int n) { return n == 1; }));
}

void check_backward_data(const Case& test, const TileKernels& body, Transform transform, bool accumulate) {
  const ConvolutionShape& s = test.shape;
  const Convolution convolution = tiled(test, body);
  const Source dy(11, s.out_rows(), s.filters, transform);
  const Floats w = integers(17, weight_count(s), 2), before = integers(18, s.in_count(), 9);
  Floats sums(size_t(s.in_count()), 0.0f);
  for_each_multiplication(s, [&](size_t y, size_t in, size_t k) { sums[in] += dy.values[y] * w[k]; });
  // With a stride the products of a pixel are those of its phase alone: each is added, and rounded, once.
  for (size_t i = 0; accumulate && i < sums.size(); ++i) sums[i] += before[i];
  const HalfSource source(dy, dy.data);
  Guarded<float> workspace(convolution.workspace());
  Map dx(before);
  std::atomic<int64_t> seen{0};
  convolution.backward_data(
      source.operand, w.data(), workspace.data(), dx.data(), accumulate,
      [&](int64_t, int64_t row0, int64_t row1, int64_t c0, int64_t c1) { seen += (row1 - row0) * (c1 - c0); });
  CHECK(dx.values() == widened(rounded(sums)));
  CHECK(dx.margins_intact());
  CHECK(workspace.margins_intact());
  CHECK(seen == s.in_count());
}

void check_backward_weights(const Case& test, const TileKernels& body, Transform x_transform, Transform dy_transform) {
  const ConvolutionShape& s = test.shape;
  const Convolution convolution = tiled(test, body);
  const Source x(21, s.images * s.height * s.width, s.channels, x_transform), dy(31, s.out_rows(), s.filters, dy_transform);
  const Floats before = integers(41, weight_count(s), 9);
  Floats expected = before;
  for_each_multiplication(s, [&](size_t y, size_t in, size_t k) { expected[k] += x.values[in] * dy.values[y]; });
  const HalfSource source = forward_source(test, convolution, x), target(dy, dy.data);
  Guarded<float> workspace(convolution.workspace()), d_weights(before);
  convolution.backward_weights(source.operand, target.operand, workspace.data(), d_weights.data());
  CHECK(d_weights.values() == expected);
  CHECK(d_weights.margins_intact());
  CHECK(workspace.margins_intact());
}

template <class Check>
void for_all(Check check) {
  const TileBodies all = tile_bodies();
  for (int i = 0; i < all.count; ++i) {
    CAPTURE(std::string(all.bodies[i]->name));
    for (const Case& test : cases()) {
      CAPTURE(test.text());
      check(test, *all.bodies[i]);
    }
  }
}

}  // namespace

TEST_CASE("a forward convolution in bfloat16 is that of plain loops, rounded once, by every body") {
  for_all([](const Case& test, const TileKernels& body) {
    for (Transform transform : transforms) {
      if (test.input == image && transform != Transform::plain) continue;
      CAPTURE(int(transform));
      check_forward(test, body, transform);
    }
  });
}

TEST_CASE("the backward of bfloat16 towards the data is that of plain loops, rounded once, written or added, by every body") {
  for_all([](const Case& test, const TileKernels& body) {
    if (test.input == image) return;
    for (Transform transform : {Transform::plain, Transform::gradient}) {
      CAPTURE(int(transform));
      check_backward_data(test, body, transform, transform == Transform::plain);
    }
    check_backward_data(test, body, Transform::plain, false);
  });
}

TEST_CASE("the backward of bfloat16 towards the weights equals plain loops and is added to what is there, by every body") {
  for_all([](const Case& test, const TileKernels& body) {
    check_backward_weights(test, body, test.input == image ? Transform::plain : Transform::norm_relu, Transform::gradient);
    check_backward_weights(test, body, Transform::plain, Transform::plain);
  });
}

TEST_CASE("convolutions of bfloat16 have the same bits by every body and its plain twin, whatever the values") {
  const Case test{{5, 9, 7, 40, 70, 3, 2, 1}, activation};
  const ConvolutionShape& s = test.shape;
  const std::vector<bfloat16> x = rounded(normals(1, s.in_count())), dy = rounded(normals(2, s.out_count()));
  const Floats w = normals(3, weight_count(s));
  const auto run = [&](const TileKernels& body) {
    const Convolution convolution = tiled(test, body);
    std::vector<bfloat16> y(size_t(s.out_count())), dx(size_t(s.in_count()));
    Floats workspace(size_t(convolution.workspace())), all(size_t(weight_count(s)), 0.0f);
    convolution.forward({x.data()}, w.data(), workspace.data(), y.data(), Epilogue());
    convolution.backward_data({dy.data()}, w.data(), workspace.data(), dx.data(), false, Epilogue());
    convolution.backward_weights({x.data()}, {dy.data()}, workspace.data(), all.data());
    for (const auto* map : {&y, &dx}) {
      for (float value : widened(*map)) all.push_back(value);
    }
    return all;
  };
  const TileBodies all = tile_bodies();
  for (int i = 0; i < all.count; ++i) CHECK(run(*all.bodies[i]) == run(plain_twin(*all.bodies[i])));
}

TEST_CASE("Winograd and small maps in float32 stay on maps of bfloat16 beside vectors, and give way to the tiles of AMX") {
  const TileBodies all = tile_bodies();
  for (int i = 0; i < all.count; ++i) {
    const TileKernels& body = *all.bodies[i];
    const auto algorithm = [&](const ConvolutionShape& s) {
      return std::string(Convolution(s, activation, false, Storage::bfloat16, body).algorithm());
    };
    CHECK(algorithm({16, 56, 56, 64, 64, 3, 1, 1}) == (body.tile.words > 1 ? "tiles" : "winograd"));
    CHECK(algorithm({16, 56, 56, 64, 64, 3, 2, 1}) == "tiles");
    CHECK(algorithm({16, 56, 56, 64, 64, 1, 1, 0}) == "tiles");
    CHECK(algorithm({128, 2, 2, 64, 64, 3, 1, 1}) == (body.tile.words > 1 ? "tiles" : "small-map"));
    CHECK(algorithm({256, 1, 1, 64, 64, 3, 1, 1}) == (body.tile.words > 1 ? "tiles" : "small-map"));
  }
}

// Transforms round as those of floats do (winograd_test.cpp); on maps of bfloat16 the result is rounded once more, to 2^-9 of
// itself. So it is what the float maps give, rounded, but where that lies beside the middle of two bfloat16.
TEST_CASE("Winograd on maps of bfloat16 gives what it gives on the same maps of floats, rounded") {
  const ConvolutionShape s{6, 10, 9, 64, 48, 3, 1, 1};
  const Source x(1, s.in_count() / s.channels, s.channels, Transform::norm_relu),
      dy(5, s.out_rows(), s.filters, Transform::gradient);
  const HalfSource half_x(x, x.data), half_dy(dy, dy.data);
  const Floats w = normals(3, weight_count(s)), before = integers(4, s.in_count(), 9);
  const Convolution halves(s, activation, false, Storage::bfloat16, plain_twin(*tile_bodies().bodies[tile_bodies().count - 1]));
  const Convolution floats(s, activation);
  REQUIRE(halves.algorithm() == std::string("winograd"));
  REQUIRE(floats.algorithm() == std::string("winograd"));
  Floats workspace(size_t(std::max(halves.workspace(), floats.workspace())));
  Map y(Floats(size_t(s.out_count()), 0.0f)), dx(before);
  Floats y_floats(size_t(s.out_count())), dx_floats = before, dw(size_t(weight_count(s)), 0.0f), dw_floats = dw;
  halves.forward(half_x.operand, w.data(), workspace.data(), y.data(), Epilogue());
  floats.forward(x.operand, w.data(), workspace.data(), y_floats.data(), Epilogue());
  CHECK(y.values() == widened(rounded(y_floats)));
  halves.backward_data(half_dy.operand, w.data(), workspace.data(), dx.data(), true, Epilogue());
  floats.backward_data(dy.operand, w.data(), workspace.data(), dx_floats.data(), true, Epilogue());
  CHECK(dx.values() == widened(rounded(dx_floats)));
  halves.backward_weights(half_x.operand, half_dy.operand, workspace.data(), dw.data());
  floats.backward_weights(x.operand, dy.operand, workspace.data(), dw_floats.data());
  CHECK(dw == dw_floats);
}
