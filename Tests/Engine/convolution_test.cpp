// Convolutions and linear layers against plain loops. Small integers: every sum is exact, so results must be equal.
// Winograd's rounding has a file of its own, winograd_test.cpp.
#include <doctest/doctest.h>

#include "base/parallel.h"
#include "convolution_cases.h"

using namespace swav;
using namespace swav::test;

namespace {

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

TEST_CASE("output sizes of the network are 7, 5 and 3 for 224, 160 and 96 pixels") {
  for (const auto& [size, last] : {std::pair{224, 7}, std::pair{160, 5}, std::pair{96, 3}}) {
    int32_t side = ConvolutionShape{1, size, size, 3, 64, 7, 2, 3}.out_height();
    CHECK(side == size / 2);
    for (int reduction = 0; reduction < 4; ++reduction) side = ConvolutionShape{1, side, side, 64, 64, 3, 2, 1}.out_height();
    CHECK(side == last);
  }
}

TEST_CASE("a frame of one zero pixel before padding 2 equals padding 3, bit for bit") {
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
