// Convolutions and linear layers against plain loops. Small integers: every sum is exact, so results must be equal.
// Winograd's rounding has a file of its own, winograd_test.cpp.
#include <doctest/doctest.h>

#include <string>

#include "base/parallel.h"
#include "kernel_samples.h"
#include "ops/convolution.h"

using namespace swav;
using namespace swav::test;

namespace {

struct Case {
  ConvolutionShape shape;
  Convolution::Input input = Convolution::Input::activation;
  std::string text() const {
    const ConvolutionShape& s = shape;
    return std::to_string(s.images) + " images of " + std::to_string(s.height) + "x" + std::to_string(s.width) + "x" +
           std::to_string(s.channels) + ", " + std::to_string(s.filters) + " filters " + std::to_string(s.kernel) + "x" +
           std::to_string(s.kernel) + " stride " + std::to_string(s.stride) + " padding " + std::to_string(s.padding);
  }
};

constexpr auto activation = Convolution::Input::activation;
constexpr auto image = Convolution::Input::image;

// Images, height, width, channels, filters, kernel, stride, padding. Channels around the vector widths 4, 8, 16 and the tiles
// 8, 16, 32.
std::vector<Case> cases() {
  return {
      {{1, 1, 1, 3, 5, 1, 1, 0}, activation},
      {{7, 1, 1, 33, 31, 1, 1, 0}, activation},
      {{1, 2, 2, 16, 17, 1, 2, 0}, activation},
      {{7, 3, 3, 15, 33, 1, 1, 0}, activation},
      {{1, 9, 7, 5, 9, 1, 2, 0}, activation},
      {{2, 33, 33, 6, 7, 1, 2, 0}, activation},
      {{1, 1, 1, 3, 5, 3, 1, 1}, activation},
      {{7, 1, 1, 17, 9, 3, 2, 1}, activation},
      {{1, 2, 2, 16, 32, 3, 1, 1}, activation},
      {{7, 2, 2, 5, 6, 3, 2, 1}, activation},
      {{1, 3, 3, 35, 33, 3, 1, 1}, activation},
      {{7, 3, 3, 4, 8, 3, 2, 1}, activation},
      {{1, 33, 33, 3, 17, 3, 1, 1}, activation},
      {{2, 33, 33, 8, 9, 3, 2, 1}, activation},
      {{1, 97, 97, 2, 3, 3, 2, 1}, activation},
      {{1, 6, 11, 9, 15, 3, 1, 1}, activation},
      {{1, 11, 6, 9, 15, 3, 2, 1}, activation},
      {{1, 8, 8, 100, 70, 3, 1, 1}, activation},
      // deeper than a product takes in one go, 3x3 and 1x1
      {{1, 9, 8, 270, 35, 3, 2, 1}, activation},
      {{2, 5, 3, 2400, 40, 1, 1, 0}, activation},
      {{3, 5, 5, 300, 40, 1, 1, 0}, activation},
      {{1, 33, 33, 3, 8, 7, 2, 3}, image},
      {{7, 9, 8, 1, 5, 7, 2, 3}, image},
      {{1, 97, 97, 3, 17, 7, 2, 3}, image},
      {{2, 16, 17, 4, 33, 3, 1, 1}, image},
      {{1, 8, 8, 3, 16, 3, 1, 1}, image},
      // Maps of a few pixels and enough images: taps that meet padding are skipped (small_map.h). Up to 16 pixels, one to three
      // blocks of depths a tap, blocks of images that end in the middle of a tile, channels that no panel holds evenly.
      {{14, 1, 1, 33, 35, 3, 1, 1}, activation},
      {{113, 1, 1, 64, 32, 3, 1, 1}, activation},
      {{43, 2, 2, 40, 33, 3, 1, 1}, activation},
      {{13, 2, 2, 600, 31, 3, 1, 1}, activation},
      {{28, 3, 3, 290, 36, 3, 1, 1}, activation},
      {{27, 1, 3, 37, 64, 3, 1, 1}, activation},
      {{30, 2, 2, 64, 40, 3, 2, 1}, activation},
      {{31, 4, 4, 36, 34, 3, 2, 1}, activation},
      {{14, 3, 5, 32, 20, 3, 2, 1}, activation},
      {{14, 8, 7, 48, 32, 3, 2, 1}, activation},
      {{200, 2, 1, 32, 300, 3, 1, 1}, activation},
  };
}

// Plain loops over every tap; visit(y index, x index, w index) for each multiplication of the forward convolution.
template <class F>
void for_each_multiplication(const ConvolutionShape& s, F visit) {
  for (int64_t i = 0; i < s.images; ++i) {
    for (int32_t oy = 0; oy < s.out_height(); ++oy) {
      for (int32_t ox = 0; ox < s.out_width(); ++ox) {
        const int64_t out = (i * s.out_height() + oy) * s.out_width() + ox;
        for (int32_t r = 0; r < s.kernel; ++r) {
          for (int32_t q = 0; q < s.kernel; ++q) {
            const int32_t iy = oy * s.stride - s.padding + r, ix = ox * s.stride - s.padding + q;
            if (iy < 0 || ix < 0 || iy >= s.height || ix >= s.width) continue;
            const int64_t in = (i * s.height + iy) * s.width + ix;
            for (int32_t f = 0; f < s.filters; ++f) {
              for (int32_t c = 0; c < s.channels; ++c) {
                visit(size_t(out * s.filters + f), size_t(in * s.channels + c),
                      size_t(((f * s.channels + c) * s.kernel + r) * s.kernel + q));
              }
            }
          }
        }
      }
    }
  }
}

// An operand with its coefficients, and the values that it stands for.
struct Source {
  Floats data, partner, a, b, c, values;
  Operand operand;

  Source(uint64_t seed, int64_t rows, int64_t channels, Transform transform)
      : data(integers(seed, rows * channels, 3)),
        partner(integers(seed + 1, rows * channels, 3)),
        a(integers(seed + 2, channels, 2)),
        b(integers(seed + 3, channels, 2)),
        c(integers(seed + 4, channels, 2)),
        values(data) {
    operand = {data.data(), transform, transform == Transform::gradient ? partner.data() : nullptr,
               a.data(),    b.data(),  c.data()};
    if (transform == Transform::plain) return;
    for (size_t i = 0; i < data.size(); ++i) {
      const size_t k = i % size_t(channels);
      if (transform == Transform::norm_relu) values[i] = std::max(data[i] * a[k] + b[k], 0.0f);
      else values[i] = data[i] * a[k] + b[k] * partner[i] + c[k];
    }
  }
};

constexpr Transform transforms[] = {Transform::plain, Transform::norm_relu, Transform::gradient};

int64_t weight_count(const ConvolutionShape& s) { return int64_t(s.filters) * s.channels * s.kernel * s.kernel; }

// Sees every element of a matrix [rows][columns] once, complete, in the blocks that were announced.
class Witness {
 public:
  Witness(const Guarded<float>& matrix, const Floats& expected, int64_t columns, RowBlocks blocks)
      : matrix_(matrix), expected_(expected), columns_(columns), blocks_(blocks), seen_(expected.size(), 0) {}

  void operator()(int64_t block, int64_t row0, int64_t row1, int64_t column0, int64_t column1) {
    const bool placed = row0 == blocks_.begin(block) && row1 == blocks_.end(block) && row1 * columns_ <= int64_t(seen_.size());
    for (int64_t r = row0; placed && r < row1; ++r) {
      for (int64_t c = column0; c < column1; ++c) {
        const size_t i = size_t(r * columns_ + c);
        seen_[i] += matrix_[int64_t(i)] == expected_[i] ? 1 : 100;
      }
    }
  }
  bool saw_all_once() const {
    return std::all_of(seen_.begin(), seen_.end(), [](int n) { return n == 1; });
  }

 private:
  const Guarded<float>& matrix_;
  const Floats& expected_;
  int64_t columns_;
  RowBlocks blocks_;
  std::vector<int> seen_;
};

void check_forward(const Case& test, Transform transform) {
  const ConvolutionShape& s = test.shape;
  const Convolution convolution(s, test.input, true);
  const Source x(1, s.images * s.height * s.width, s.channels, transform);
  const Floats w = integers(7, weight_count(s), 2);
  Floats expected(size_t(s.out_count()), 0.0f);
  for_each_multiplication(s, [&](size_t y, size_t in, size_t k) { expected[y] += x.values[in] * w[k]; });

  Operand operand = x.operand;
  Guarded<float> frame(convolution.framed_count());
  if (test.input == image) {
    convolution.pad_image(x.data.data(), frame.data());
    CHECK(frame.margins_intact());
    operand.data = frame.data();
  }
  Guarded<float> workspace(convolution.workspace()), y(s.out_count());
  Witness witness(y, expected, s.filters, convolution.forward_blocks());
  convolution.forward(operand, w.data(), workspace.data(), y.data(), witness);
  CHECK(y.values() == expected);
  CHECK(y.margins_intact());
  CHECK(workspace.margins_intact());
  CHECK(witness.saw_all_once());
}

void check_backward_data(const Case& test, Transform transform, bool accumulate) {
  const ConvolutionShape& s = test.shape;
  const Convolution convolution(s, test.input, true);
  const Source dy(11, s.out_rows(), s.filters, transform);
  const Floats w = integers(17, weight_count(s), 2), before = integers(18, s.in_count(), 9);
  Floats expected(size_t(s.in_count()), 0.0f);
  for_each_multiplication(s, [&](size_t y, size_t in, size_t k) { expected[in] += dy.values[y] * w[k]; });
  for (size_t i = 0; accumulate && i < expected.size(); ++i) expected[i] += before[i];

  Guarded<float> workspace(convolution.workspace()), dx(before);
  Witness witness(dx, expected, s.channels, convolution.backward_blocks());
  convolution.backward_data(dy.operand, w.data(), workspace.data(), dx.data(), accumulate, witness);
  CHECK(dx.values() == expected);
  CHECK(dx.margins_intact());
  CHECK(workspace.margins_intact());
  CHECK(witness.saw_all_once());
}

void check_backward_weights(const Case& test, Transform x_transform, Transform dy_transform) {
  const ConvolutionShape& s = test.shape;
  const Convolution convolution(s, test.input, true);
  const Source x(21, s.images * s.height * s.width, s.channels, x_transform), dy(31, s.out_rows(), s.filters, dy_transform);
  const Floats before = integers(41, weight_count(s), 9);
  Floats expected = before;
  for_each_multiplication(s, [&](size_t y, size_t in, size_t k) { expected[k] += x.values[in] * dy.values[y]; });

  Operand operand = x.operand;
  Floats frame(size_t(convolution.framed_count()));
  if (test.input == image) {
    convolution.pad_image(x.data.data(), frame.data());
    operand.data = frame.data();
  }
  Guarded<float> workspace(convolution.workspace()), d_weights(before);
  convolution.backward_weights(operand, dy.operand, workspace.data(), d_weights.data());
  CHECK(d_weights.values() == expected);
  CHECK(d_weights.margins_intact());
  CHECK(workspace.margins_intact());
}

}  // namespace

TEST_CASE("a forward convolution equals plain loops, and its epilogue sees every value once, complete") {
  for (const Case& test : cases()) {
    CAPTURE(test.text());
    for (Transform transform : transforms) {
      CAPTURE(int(transform));
      if (test.input == image && transform != Transform::plain) continue;  // images have no batch-norm before them
      check_forward(test, transform);
    }
  }
}

TEST_CASE("the backward towards the data equals plain loops, written or added") {
  for (const Case& test : cases()) {
    if (test.input == image) continue;  // nobody asks for the gradient of an image
    CAPTURE(test.text());
    for (Transform transform : transforms) {
      CAPTURE(int(transform));
      check_backward_data(test, transform, false);
      check_backward_data(test, transform, true);
    }
  }
}

TEST_CASE("the backward towards the weights equals plain loops and is added to what is there") {
  for (const Case& test : cases()) {
    CAPTURE(test.text());
    for (Transform x : transforms) {
      for (Transform dy : transforms) {
        if (test.input == image && x != Transform::plain) continue;
        CAPTURE(int(x));
        CAPTURE(int(dy));
        check_backward_weights(test, x, dy);
      }
    }
  }
}

TEST_CASE("maps of a few pixels skip padding where many images share a pixel, and keep to the walk over pixels elsewhere") {
  const auto algorithm = [](const ConvolutionShape& s) { return std::string(Convolution(s, activation, true).algorithm()); };
  CHECK(algorithm({128, 2, 2, 512, 512, 3, 1, 1}) == "small-map");
  CHECK(algorithm({256, 1, 1, 512, 512, 3, 1, 1}) == "small-map");
  CHECK(algorithm({128, 4, 4, 256, 512, 3, 2, 1}) == "small-map");
  CHECK(algorithm({1, 2, 2, 512, 512, 3, 1, 1}) == "direct");      // a tile of images would be nearly empty
  CHECK(algorithm({128, 2, 2, 512, 512, 1, 1, 0}) == "direct");    // no padding
  CHECK(algorithm({128, 14, 14, 256, 256, 3, 1, 1}) == "direct");  // little padding
  CHECK(algorithm({128, 2, 2, 293, 64, 3, 1, 1}) == "direct");     // a prime number of channels beyond a panel
}

TEST_CASE("a linear layer is a convolution of maps of one pixel") {
  for (int64_t rows : {int64_t(1), int64_t(13), int64_t(113), int64_t(500)}) {
    const Case test{{rows, 1, 1, 37, 65, 1, 1, 0}, activation};
    CAPTURE(test.text());
    check_forward(test, Transform::norm_relu);
    check_backward_data(test, Transform::gradient, false);
    check_backward_weights(test, Transform::norm_relu, Transform::plain);
  }
}

TEST_CASE("fact 17: output sizes of the network are 7, 5 and 3 for 224, 160 and 96 pixels") {
  for (const auto& [size, last] : {std::pair{224, 7}, std::pair{160, 5}, std::pair{96, 3}}) {
    int32_t side = ConvolutionShape{1, size, size, 3, 64, 7, 2, 3}.out_height();
    CHECK(side == size / 2);
    for (int reduction = 0; reduction < 4; ++reduction) side = ConvolutionShape{1, side, side, 64, 64, 3, 2, 1}.out_height();
    CHECK(side == last);
  }
}

TEST_CASE("fact 17: a frame of one zero pixel before padding 2 equals padding 3, bit for bit") {
  const ConvolutionShape three{2, 33, 33, 3, 9, 7, 2, 3}, two{2, 35, 35, 3, 9, 7, 2, 2}, frame_only{2, 33, 33, 3, 9, 1, 1, 1};
  const Floats x = normals(1, three.in_count()), w = normals(2, weight_count(three));
  const auto run = [&](const ConvolutionShape& s, const Floats& input) {
    const Convolution convolution(s, image);
    Floats frame(size_t(convolution.framed_count())), workspace(size_t(convolution.workspace())), y(size_t(s.out_count()));
    convolution.pad_image(input.data(), frame.data());
    convolution.forward({frame.data()}, w.data(), workspace.data(), y.data(), Epilogue());
    return y;
  };
  const Convolution framing(frame_only, image);
  Floats framed(size_t(framing.framed_count()));
  framing.pad_image(x.data(), framed.data());
  CHECK(run(three, x) == run(two, framed));
}
