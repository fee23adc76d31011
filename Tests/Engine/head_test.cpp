// The head's row operations, and facts about its embeddings and prototypes.
#include <doctest/doctest.h>

#include <cfloat>
#include <cmath>

#include "kernel_samples.h"
#include "network/head.h"
#include "ops/linear.h"

using namespace swav;
using namespace swav::test;

namespace {

double dot(const float* a, const float* b, int64_t n) {
  double total = 0;
  for (int64_t i = 0; i < n; ++i) total += double(a[i]) * double(b[i]);
  return total;
}

// A head alone, with parameters, gradients and memory of its own.
struct HeadBench {
  Description description;
  Parameters parameters;
  Floats gradients;
  Head head;
  Arena arena;
  Workspace workspace;

  HeadBench(const swav_network_config& config, int64_t rows)
      : description(describe(config)),
        parameters(description),
        gradients(size_t(parameters.size())),
        head(description, rows, Head::Purpose::training) {
    parameters.initialize(3);
    WorkspaceSize size;
    head.include(size);
    arena.lay_out([&] {
      workspace = size.take(arena);
      head.take(arena);
    });
    head.bind(parameters, gradients.data());
  }
};

swav_network_config head_config(int32_t hidden) {
  swav_network_config c = swav_network_config_default();
  c.depth = 18;
  c.base_width = 2;
  c.hidden = hidden;
  c.dim = 5;
  c.head_count = 2;
  c.prototypes[0] = 7;
  c.prototypes[1] = 33;
  return c;
}

}  // namespace

TEST_CASE("rows get unit norm within 1e-6, and a row of zeros stays zero instead of becoming NaN") {
  for (int64_t n : {1, 3, 128, 131}) {
    const int64_t rows = 35;
    Floats x = normals(1, rows * n, 1);
    for (int64_t i = 0; i < n; ++i) x[size_t(2 * n + i)] = 0, x[size_t(3 * n + i)] *= 1e-18f, x[size_t(4 * n + i)] *= 1e18f;
    Guarded<float> unit(rows * n), norms(rows);
    normalize_rows(x.data(), rows, n, unit.data(), norms.data());
    CHECK(unit.margins_intact());
    CHECK(norms.margins_intact());
    for (int64_t r = 0; r < rows; ++r) {
      const double length = std::sqrt(dot(&unit.data()[r * n], &unit.data()[r * n], n)),
                   from = std::sqrt(dot(&x[size_t(r * n)], &x[size_t(r * n)], n));
      if (r == 2) CHECK(length == 0);
      else if (r == 3) CHECK(std::abs(length - from / 1e-12) <= 1e-6 * from / 1e-12);  // under the floor of 1e-12
      else CHECK(std::abs(length - 1) <= 1e-6);
      CHECK(double(norms[r]) == doctest::Approx(std::max(from, 1e-12)).epsilon(FLT_EPSILON));
    }
  }
}

TEST_CASE("the backward of unit norm equals finite differences in double, and is linear under the floor") {
  const int64_t rows = 6, n = 11;
  Floats x = normals(1, rows * n), d = normals(2, rows * n);
  for (int64_t i = 0; i < n; ++i) x[size_t(5 * n + i)] = 0;
  Floats unit(x.size()), norms(static_cast<size_t>(rows)), dx(x.size());
  normalize_rows(x.data(), rows, n, unit.data(), norms.data());
  normalize_rows_backward(d.data(), unit.data(), norms.data(), rows, n, dx.data());
  const auto objective = [&](int64_t r, const Doubles& row) {
    double square = 0, total = 0;
    for (double v : row) square += v * v;
    for (int64_t i = 0; i < n; ++i) total += row[size_t(i)] / std::max(std::sqrt(square), 1e-12) * double(d[size_t(r * n + i)]);
    return total;
  };
  for (int64_t r = 0; r < rows; ++r) {
    const double h = r == 5 ? 1e-14 : 1e-6;  // the last row stays under the floor
    for (int64_t i = 0; i < n; ++i) {
      Doubles up(x.begin() + r * n, x.begin() + (r + 1) * n), down = up;
      up[size_t(i)] += h;
      down[size_t(i)] -= h;
      const double slope = (objective(r, up) - objective(r, down)) / (2 * h), scale = r == 5 ? 1e12 : 1;
      CHECK(std::abs(double(dx[size_t(r * n + i)]) - slope) <= (8 * FLT_EPSILON * 3 + 1e-8) * scale);
    }
  }
}

TEST_CASE("the gradient of a bias is the sum over rows, added") {
  for (int64_t n : {1, 31, 32, 33, 128}) {
    const int64_t rows = 21;
    const Floats d = integers(1, rows * n, 9);
    Guarded<float> bias(Floats(size_t(n), 5.0f));
    bias_backward(d.data(), rows, n, bias.data());
    for (int64_t c = 0; c < n; ++c) {
      float total = 5;
      for (int64_t r = 0; r < rows; ++r) total += d[size_t(r * n + c)];
      CHECK(bias[c] == total);
    }
    CHECK(bias.margins_intact());
  }
}

TEST_CASE("scores are cosines in [-1, 1] once prototypes are renormalised, for a head with and without a hidden layer") {
  for (int32_t hidden : {0, 9}) {
    const int64_t rows = 20;
    HeadBench bench(head_config(hidden), rows);
    const Floats features = normals(5, rows * bench.description.feature_dim);
    for (int32_t h = 0; h < 2; ++h) {
      Floats norms(size_t(bench.head.prototypes(h)));
      float* prototypes = bench.head.prototype_values(h);
      normalize_rows(prototypes, bench.head.prototypes(h), 5, prototypes, norms.data());
    }
    bench.head.forward(features.data(), Statistics::batch, group_of_one(), bench.workspace);
    bench.head.forward_scores(bench.workspace);
    for (int32_t h = 0; h < 2; ++h) {
      const float* prototypes = bench.parameters.value(bench.description.prototypes[size_t(h)].name + ".weight");
      for (int64_t k = 0; k < bench.head.prototypes(h); ++k) {
        CHECK(std::abs(dot(prototypes + k * 5, prototypes + k * 5, 5) - 1) <= 4 * FLT_EPSILON);
        for (int64_t r = 0; r < rows; ++r) {
          const double cosine = dot(bench.head.embeddings() + r * 5, prototypes + k * 5, 5);
          const double score = double(bench.head.scores(h)[r * bench.head.prototypes(h) + k]);
          CHECK(std::abs(score - cosine) <= 5 * FLT_EPSILON);  // 5 products of at most 1 in all
          CHECK(std::abs(score) <= 1 + 5 * FLT_EPSILON);
        }
      }
    }
  }
}
