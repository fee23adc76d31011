// Winograd's products against plain loops in double, within the rounding that the algorithm has.
#include <doctest/doctest.h>

#include <cfloat>
#include <cmath>
#include <string>

#include "base/parallel.h"
#include "kernel_samples.h"
#include "ops/convolution.h"
#include "worse.h"

using namespace swav;
using namespace swav::test;

namespace {

// Rounding of F(m x m, r x r) for values and weights of variance 1, in units of eps sqrt(depth): each of the 36 products
// carries the relative rounding of its factors, whose spread is the row norm of B^T and G, and goes into the output with the
// weight of A^T: sqrt(sum_j A_ij^2 |B_j|^2 |G_j|^2), for both dimensions.
double growth(const std::vector<std::vector<double>>& a, const std::vector<std::vector<double>>& g) {
  const double b_squares[6] = {42, 34, 34, 10, 10, 42};
  double worst = 0;
  for (const auto& row : a) {
    double total = 0;
    for (size_t j = 0; j < 6; ++j) {
      double g_squares = 0;
      for (double x : g[j]) g_squares += x * x;
      total += row[j] * row[j] * b_squares[j] * g_squares;
    }
    worst = worse(worst, total);
  }
  return worst;  // the square root of each dimension, multiplied
}

const std::vector<std::vector<double>> to_four = {
    {1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, -1, 8, -8, 1}};
const std::vector<std::vector<double>> to_three = {{1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, 0}, {0, 1, 1, 4, 4, 1}};
const double s = 1.0 / 6, t = 1.0 / 24;
const std::vector<std::vector<double>> of_three = {{0.25, 0, 0},      {s, s, s},         {s, s, s},
                                                   {t, 2 * t, 4 * t}, {t, 2 * t, 4 * t}, {0, 0, 1}};
const std::vector<std::vector<double>> of_four = {
    {0.25, 0, 0, 0}, {s, s, s, s}, {s, s, s, s}, {t, 2 * t, 4 * t, 8 * t}, {t, 2 * t, 4 * t, 8 * t}, {0, 0, 0, 1}};

// 6 standard deviations. One rounding has (eps / 2) / sqrt(3) of its value; a factor's transforms and the product come to about
// 8 a summand, and the partial sums, growing as sqrt(k), to depth^2 / 2 in all.
double tolerance(double factor, double depth) {
  return 6 * (FLT_EPSILON / 2 / std::sqrt(3.0)) * factor * std::sqrt(8 * depth + depth * depth / 2);
}

std::vector<ConvolutionShape> shapes() {
  return {{5, 8, 8, 32, 32, 3, 1, 1},
          {1, 40, 40, 64, 64, 3, 1, 1},
          {13, 7, 7, 48, 72, 3, 1, 1},
          {33, 4, 4, 40, 33, 3, 1, 1},
          {1, 33, 19, 35, 37, 3, 1, 1},
          {3, 14, 14, 300, 64, 3, 1, 1},
          {50, 3, 4, 64, 320, 3, 1, 1},
          {7, 12, 6, 100, 50, 3, 1, 1},
          // Weights that are transformed panel by panel: tiles in one chunk, and in two.
          {9, 7, 6, 520, 130, 3, 1, 1},
          {15, 7, 6, 2100, 33, 3, 1, 1}};
}

std::string text(const ConvolutionShape& shape) {
  return std::to_string(shape.images) + " images of " + std::to_string(shape.height) + "x" + std::to_string(shape.width) + "x" +
         std::to_string(shape.channels) + ", " + std::to_string(shape.filters) + " filters";
}

// Calls visit(y index, x index, w index) for every multiplication of the direct method.
template <class F>
void for_each_multiplication(const ConvolutionShape& shape, F visit) {
  for (int64_t out = 0; out < shape.out_rows(); ++out) {
    const int64_t image = out / (shape.height * shape.width), y = out / shape.width % shape.height, x = out % shape.width;
    for (int64_t tap = 0; tap < 9; ++tap) {
      const int64_t iy = y + tap / 3 - 1, ix = x + tap % 3 - 1;
      if (iy < 0 || ix < 0 || iy >= shape.height || ix >= shape.width) continue;
      const int64_t in = (image * shape.height + iy) * shape.width + ix;
      for (int64_t f = 0; f < shape.filters; ++f) {
        for (int64_t c = 0; c < shape.channels; ++c) {
          visit(size_t(out * shape.filters + f), size_t(in * shape.channels + c), size_t((f * shape.channels + c) * 9 + tap));
        }
      }
    }
  }
}

double largest_difference(const float* values, const std::vector<double>& expected) {
  double worst = 0;
  for (size_t i = 0; i < expected.size(); ++i) worst = worse(worst, std::abs(double(values[i]) - expected[i]));
  return worst;
}

struct Sample {
  ConvolutionShape shape;
  Floats x, w, dy;
  explicit Sample(const ConvolutionShape& of)
      : shape(of),
        x(normals(1, of.in_count())),
        w(normals(2, int64_t(of.filters) * of.channels * 9)),
        dy(normals(3, of.out_count())) {}
};

}  // namespace

TEST_CASE("winograd: forward, backward towards data and weights equal plain loops within the algorithm's rounding") {
  for (const ConvolutionShape& shape : shapes()) {
    CAPTURE(text(shape));
    const Sample sample(shape);
    const Convolution convolution(shape);
    REQUIRE(convolution.algorithm() == std::string("winograd"));
    std::vector<double> y(sample.dy.size()), dx(sample.x.size()), dw(sample.w.size());
    for_each_multiplication(shape, [&](size_t out, size_t in, size_t k) {
      y[out] += double(sample.x[in]) * double(sample.w[k]);
      dx[in] += double(sample.dy[out]) * double(sample.w[k]);
      dw[k] += double(sample.dy[out]) * double(sample.x[in]);
    });
    Guarded<float> workspace(convolution.workspace()), out(shape.out_count()), d_in(shape.in_count());
    Guarded<float> d_weights(Floats(sample.w.size(), 0.0f));
    int64_t seen = 0;
    convolution.forward({sample.x.data()}, sample.w.data(), workspace.data(), out.data(),
                        [&](int64_t block, int64_t row0, int64_t row1, int64_t c0, int64_t c1) {
                          const RowBlocks blocks = convolution.forward_blocks();
                          if (row0 != blocks.begin(block) || row1 != blocks.end(block)) return;
                          __atomic_fetch_add(&seen, (row1 - row0) * (c1 - c0), __ATOMIC_RELAXED);
                        });
    CHECK(seen == shape.out_count());
    CHECK(largest_difference(out.data(), y) <= tolerance(growth(to_four, of_three), shape.channels));
    convolution.backward_data({sample.dy.data()}, sample.w.data(), workspace.data(), d_in.data(), false, Epilogue());
    CHECK(largest_difference(d_in.data(), dx) <= tolerance(growth(to_four, of_three), shape.filters));
    convolution.backward_weights({sample.x.data()}, {sample.dy.data()}, workspace.data(), d_weights.data());
    const double tiles = double(shape.images) * double((shape.height + 3) / 4 * ((shape.width + 3) / 4));
    CHECK(largest_difference(d_weights.data(), dw) <= tolerance(growth(to_three, of_four), tiles));
    CHECK(workspace.margins_intact());
    CHECK(out.margins_intact());
    CHECK(d_in.margins_intact());
    CHECK(d_weights.margins_intact());
  }
}

TEST_CASE("winograd: batch-norm on the way in gives the bits of batch-norm before, and accumulation adds") {
  const ConvolutionShape shape{5, 12, 9, 45, 34, 3, 1, 1};
  const Sample sample(shape);
  const Convolution convolution(shape);
  REQUIRE(convolution.algorithm() == std::string("winograd"));
  const Floats a = normals(4, 64), b = normals(5, 64), c = normals(6, 64), partner = normals(7, shape.in_count());
  Floats relu(sample.x.size()), gradient(sample.x.size());
  for (size_t i = 0; i < relu.size(); ++i) {
    const size_t k = i % size_t(shape.channels);
    relu[i] = std::max(std::fma(sample.x[i], a[k], b[k]), 0.0f);
    gradient[i] = std::fma(sample.x[i], a[k], std::fma(partner[i], b[k], c[k]));
  }
  Floats workspace(size_t(convolution.workspace())), expected(sample.dy.size()), out(sample.dy.size());
  const auto close = [&](const Operand& operand, const Floats& before) {
    convolution.forward({before.data()}, sample.w.data(), workspace.data(), expected.data(), Epilogue());
    convolution.forward(operand, sample.w.data(), workspace.data(), out.data(), Epilogue());
    double worst = 0;
    for (size_t i = 0; i < out.size(); ++i) worst = worse(worst, std::abs(double(out[i]) - double(expected[i])));
    // Without fused multiply-add (the baseline) an input differs by a rounding of values of about 4.
    CHECK(worst <= 4 * tolerance(growth(to_four, of_three), shape.channels));
  };
  close({sample.x.data(), Transform::norm_relu, nullptr, a.data(), b.data(), nullptr}, relu);
  close({sample.x.data(), Transform::gradient, partner.data(), a.data(), b.data(), c.data()}, gradient);

  const Floats before = normals(8, shape.in_count());
  Floats alone(before.size()), added = before;
  convolution.backward_data({sample.dy.data()}, sample.w.data(), workspace.data(), alone.data(), false, Epilogue());
  convolution.backward_data({sample.dy.data()}, sample.w.data(), workspace.data(), added.data(), true, Epilogue());
  bool equal = true;
  for (size_t i = 0; i < added.size(); ++i) equal = equal && added[i] == alone[i] + before[i];
  CHECK(equal);
}

TEST_CASE("winograd is chosen for 3x3 of stride 1 on maps that it suits, and never when direct is asked for") {
  CHECK(Convolution({16, 56, 56, 64, 64, 3, 1, 1}).algorithm() == std::string("winograd"));
  CHECK(Convolution({16, 56, 56, 64, 64, 3, 2, 1}).algorithm() == std::string("direct"));
  CHECK(Convolution({16, 56, 56, 64, 64, 1, 1, 0}).algorithm() == std::string("direct"));
  CHECK(Convolution({16, 2, 2, 512, 512, 3, 1, 1}).algorithm() != std::string("winograd"));
  CHECK(Convolution({16, 56, 56, 64, 64, 3, 1, 1}, Convolution::Input::activation, true).algorithm() == std::string("direct"));
}

TEST_CASE("winograd: the three products give the same bits on 1, 2, 3 and 5 threads") {
  for (const ConvolutionShape& shape : shapes()) {
    CAPTURE(text(shape));
    const Sample sample(shape);
    const Convolution convolution(shape);
    REQUIRE(convolution.algorithm() == std::string("winograd"));
    const auto run = [&](int threads) {
      parallel::set_threads(threads);
      Floats workspace(size_t(convolution.workspace()));
      std::vector<Floats> results{Floats(size_t(shape.out_count())), Floats(size_t(shape.in_count())),
                                  Floats(sample.w.size(), 0.5f)};
      convolution.forward({sample.x.data()}, sample.w.data(), workspace.data(), results[0].data(), Epilogue());
      convolution.backward_data({sample.dy.data()}, sample.w.data(), workspace.data(), results[1].data(), false, Epilogue());
      convolution.backward_weights({sample.x.data()}, {sample.dy.data()}, workspace.data(), results[2].data());
      parallel::set_threads(0);
      return results;
    };
    const std::vector<Floats> one = run(1);
    for (int threads : {2, 3, 5}) CHECK(run(threads) == one);
  }
}
