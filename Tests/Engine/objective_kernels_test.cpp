// Each kernel of objective.h and update.h against a plain loop in double, on every instruction set of this machine, at sizes
// around the vectors, with guards behind what may be written.
#include <doctest/doctest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <vector>

#include "base/random.h"
#include "kernels/kernels.h"
#include "worse.h"

using namespace swav;

namespace {

using Floats = std::vector<float>;

constexpr float guard = 12345.5f;
constexpr double eps = double(FLT_EPSILON);

// Numbers in [low, high), and `spare` guards after them.
Floats sample(uint64_t seed, int64_t n, double low, double high) {
  Random random(seed, Purpose::test);
  Floats x;
  for (int64_t i = 0; i < n; ++i) x.push_back(float(random.uniform(low, high)));
  x.insert(x.end(), 40, guard);
  return x;
}

void check_guards(const Floats& x, int64_t n) {
  CHECK(std::all_of(x.begin() + n, x.end(), [](float v) { return v == guard; }));
}

// body(kernels, n) for every instruction set and for sizes around one, two and sixteen of its vectors (the blocks of row sums).
template <class F>
void for_each_size(F body) {
  for (Isa isa : every_isa) {
    if (!runs(isa)) continue;
    const Kernels& kernel = kernels(isa);
    const int64_t v = kernel.lanes;
    for (const int64_t n : {int64_t{1}, v - 1, v, v + 1, 2 * v - 1, 2 * v, 16 * v - 1, 16 * v, 16 * v + 1, 33 * v + 3}) {
      CAPTURE(kernel.isa);
      CAPTURE(n);
      body(kernel, n);
    }
  }
}

// Largest of |a - b| / (scale + |b|) over [0, n).
template <class F>
double worst(const Floats& a, int64_t n, double scale, F expected) {
  double result = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double b = expected(size_t(i)), error = std::abs(double(a[size_t(i)]) - b) / (scale + std::abs(b));
    result = std::isnan(error) ? INFINITY : std::max(result, error);
  }
  return result;
}

}  // namespace

TEST_CASE("row_max and column_max find the largest, and column_max reports what is not finite") {
  for_each_size([](const Kernels& kernel, int64_t n) {
    const Floats x = sample(1, n, -9, 2);
    CHECK(kernel.row_max(x.data(), n) == *std::max_element(x.begin(), x.begin() + n));
    const Floats before = sample(2, n, -9, 2);
    Floats m = before;
    CHECK(kernel.column_max(x.data(), m.data(), n) == 0);
    CHECK(worst(m, n, 0, [&](size_t i) { return double(std::max(before[i], x[i])); }) == 0);
    check_guards(m, n);
    for (const float bad : {NAN, INFINITY, -INFINITY}) {
      Floats y = x;
      y[size_t(n - 1)] = bad;
      CHECK_FALSE(kernel.column_max(y.data(), m.data(), n) == 0);
    }
  });
}

TEST_CASE("column_moments adds differences and their squares") {
  for_each_size([](const Kernels& kernel, int64_t n) {
    const Floats x = sample(3, n, -2, 2), origin = sample(4, n, -2, 2), s0 = sample(5, n, -1, 1), q0 = sample(6, n, 0, 1);
    Floats s = s0, q = q0;
    kernel.column_moments(x.data(), origin.data(), s.data(), q.data(), n);
    CHECK(worst(s, n, 4, [&](size_t i) { return double(s0[i]) + (double(x[i]) - double(origin[i])); }) < 2 * eps);
    CHECK(worst(q, n, 4, [&](size_t i) { return double(q0[i]) + std::pow(double(x[i]) - double(origin[i]), 2); }) < 3 * eps);
    check_guards(s, n);
    check_guards(q, n);
  });
}

TEST_CASE("exponentials are within 2e-7 of the argument as rounded, and vanish far below zero") {
  for_each_size([](const Kernels& kernel, int64_t n) {
    // Arguments t in [-87, 0]: two roundings of t move exp by 87 eps.
    const double bound = 87 * eps + 2e-7;
    const Floats x = sample(7, n, -4, 0), shift = sample(8, n, 0, 0.3), y0 = sample(9, n, 0, 1);
    const float scale = 20;
    const auto e = [&](size_t i) { return std::exp((double(x[i]) - double(shift[i])) * double(scale)); };
    Floats y = y0;
    kernel.exp_accumulate(x.data(), shift.data(), scale, y.data(), n);
    CHECK(worst(y, n, 1e-30, [&](size_t i) { return double(y0[i]) + e(i); }) < bound);
    check_guards(y, n);
    y = y0;
    kernel.exp_multiply(x.data(), shift.data(), scale, y.data(), n);
    CHECK(worst(y, n, 1e-30, [&](size_t i) { return double(y0[i]) * e(i); }) < bound);
    check_guards(y, n);
    y.assign(y0.begin(), y0.end());
    const Floats far(size_t(n + 40), -1000.0f), zero(size_t(n + 40), 0.0f);
    kernel.exp_multiply(far.data(), zero.data(), 1, y.data(), n);
    CHECK(worst(y, n, 1, [](size_t) { return 0.0; }) == 0);
    Floats one(size_t(n), 0.0f);
    kernel.exp_accumulate(zero.data(), zero.data(), 1, one.data(), n);
    CHECK(worst(one, n, 0, [](size_t) { return 1.0; }) == 0);  // exp(0) is exact
  });
}

TEST_CASE("exp keeps its accuracy over its whole range") {
  for_each_size([](const Kernels& kernel, int64_t n) {
    Floats x = sample(10, n, -87, 88), y(size_t(n), 0.0f);
    const Floats zero(size_t(n), 0.0f);
    kernel.exp_accumulate(x.data(), zero.data(), 1, y.data(), n);
    CHECK(worst(y, n, 0, [&](size_t i) { return std::exp(double(x[i])); }) < 2e-7);
  });
}

TEST_CASE("potential_exp and potential_max take the pair of potentials, in place too") {
  for_each_size([](const Kernels& kernel, int64_t n) {
    const Floats x = sample(11, n, -1, 1), high = sample(12, n, 1, 2), low = sample(13, n, -0.1, 0.1);
    const float scale = 20, shift = -12;
    const auto t = [&](size_t i) { return (double(x[i]) - double(high[i])) * double(scale) - double(low[i]); };
    double largest = -1e30, total = 0;
    for (int64_t i = 0; i < n; ++i) {
      largest = std::max(largest, t(size_t(i)));
      total += std::exp(t(size_t(i)) - double(shift));
    }
    // t in [-61, 1]: three roundings.
    CHECK(std::abs(double(kernel.potential_max(x.data(), high.data(), low.data(), scale, n)) - largest) < 3 * eps * 61);
    const double bound = 3 * eps * 61 + 2e-7;
    Floats y(x.size(), guard);
    const double sum = kernel.potential_exp(x.data(), high.data(), low.data(), scale, shift, y.data(), n);
    CHECK(worst(y, n, 1e-30, [&](size_t i) { return std::exp(t(i) - double(shift)); }) < bound);
    CHECK(sum == doctest::Approx(total).epsilon(bound + 16 * eps));
    check_guards(y, n);
    Floats in_place = x;
    CHECK(kernel.potential_exp(in_place.data(), high.data(), low.data(), scale, shift, in_place.data(), n) == sum);
    CHECK(std::equal(in_place.begin(), in_place.begin() + n, y.begin()));
  });
}

TEST_CASE("add_scaled, scale_row and combine_rows are the linear combinations that they say") {
  for_each_size([](const Kernels& kernel, int64_t n) {
    const Floats x = sample(14, n, -2, 2), y0 = sample(15, n, -2, 2);
    Floats y = y0;
    kernel.add_scaled(x.data(), 0.3f, y.data(), n);
    CHECK(worst(y, n, 2, [&](size_t i) { return double(y0[i]) + double(x[i]) * double(0.3f); }) < eps);
    check_guards(y, n);
    y = x;
    kernel.scale_row(y.data(), 0.3f, y.data(), n);
    CHECK(worst(y, n, 0, [&](size_t i) { return double(x[i]) * double(0.3f); }) < eps);
    check_guards(y, n);
    y = y0;
    kernel.combine_rows(x.data(), 0.3f, y.data(), -1.7f, y.data(), n);
    CHECK(worst(y, n, 4, [&](size_t i) { return double(x[i]) * double(0.3f) - double(y0[i]) * double(1.7f); }) < 2 * eps);
    check_guards(y, n);
  });
}

TEST_CASE("softmax_cross gives the exponentials and the three sums") {
  for_each_size([](const Kernels& kernel, int64_t n) {
    const Floats x = sample(16, n, -1, 1), q = sample(17, n, 0, 1);
    const float shift = 1, scale = 10;
    double sums[3], expected[3] = {}, magnitude = 0;
    const auto t = [&](size_t i) { return (double(x[i]) - double(shift)) * double(scale); };
    for (int64_t i = 0; i < n; ++i) {
      expected[0] += std::exp(t(size_t(i)));
      expected[1] += double(q[size_t(i)]) * t(size_t(i));
      expected[2] += double(q[size_t(i)]);
      magnitude += double(q[size_t(i)]) * 20;
    }
    Floats y(x.size(), guard);
    kernel.softmax_cross(x.data(), q.data(), shift, scale, y.data(), sums, n);
    const double bound = 2 * eps * 20 + 2e-7;  // t in [-20, 0], two roundings
    CHECK(worst(y, n, 0, [&](size_t i) { return std::exp(t(i)); }) < bound);
    CHECK(sums[0] == doctest::Approx(expected[0]).epsilon(bound + 16 * eps));
    CHECK(std::abs(sums[1] - expected[1]) < 18 * eps * magnitude);
    CHECK(sums[2] == doctest::Approx(expected[2]).epsilon(16 * eps));
    check_guards(y, n);
  });
}

TEST_CASE("row_entropy is -sum q ln q, with 0 ln 0 = 0") {
  for_each_size([](const Kernels& kernel, int64_t n) {
    Floats q = sample(18, n, 0, 1);
    for (int64_t i = 0; i < n; i += 3) q[size_t(i)] *= 1e-20f;
    for (int64_t i = 1; i < n; i += 5) q[size_t(i)] = 0;
    q[size_t(n / 2)] = 1;
    double expected = 0;
    for (int64_t i = 0; i < n; ++i) expected -= q[size_t(i)] > 0 ? double(q[size_t(i)]) * std::log(double(q[size_t(i)])) : 0;
    CHECK(std::abs(kernel.row_entropy(q.data(), n) - expected) < 18 * eps * (1 + expected) + double(n) * 88 * 1.2e-38);
  });
}

TEST_CASE("sum_squares neither overflows nor underflows, and is finite exactly when every number is") {
  for_each_size([](const Kernels& kernel, int64_t n) {
    for (const double magnitude : {1e-30, 1.0, 1e30}) {
      const Floats x = sample(19, n, -magnitude, magnitude);
      double expected = 0;
      for (int64_t i = 0; i < n; ++i) expected += double(x[size_t(i)]) * double(x[size_t(i)]);
      CHECK(kernel.sum_squares(x.data(), n) == doctest::Approx(expected).epsilon(1e-13));
    }
    Floats x = sample(20, n, -1, 1);
    x[size_t(n - 1)] = INFINITY;
    CHECK_FALSE(std::isfinite(kernel.sum_squares(x.data(), n)));
    CHECK(kernel.sum_squares(x.data(), 0) == 0);
  });
}

TEST_CASE("momentum_step and adam_step equal their formulas") {
  for_each_size([](const Kernels& kernel, int64_t n) {
    const Floats p0 = sample(21, n, -1, 1), g = sample(22, n, -1, 1), m0 = sample(23, n, -1, 1), v0 = sample(24, n, 0, 1);
    Floats p = p0, m = m0, v = v0;
    kernel.momentum_step(p.data(), g.data(), m.data(), 0.1f, 0.9f, 0.5f, 0.25f, n);
    const auto momentum = [&](size_t i) { return double(0.9f) * double(m0[i]) + 0.5 * (double(g[i]) + 0.25 * double(p0[i])); };
    CHECK(worst(m, n, 2, momentum) < 3 * eps);
    CHECK(worst(p, n, 2, [&](size_t i) { return double(p0[i]) - double(0.1f) * momentum(i); }) < 2 * eps);
    p = p0;
    m = m0;
    const float f[8] = {0.99f, 0.1f, 0.9f, 0.1f, 0.999f, 0.001f, 1.5f, 1e-3f};
    kernel.adam_step(p.data(), g.data(), m.data(), v.data(), f, n);
    const auto first = [&](size_t i) { return double(f[2]) * double(m0[i]) + double(f[3]) * double(g[i]); };
    const auto second = [&](size_t i) { return double(f[4]) * double(v0[i]) + double(f[5]) * double(g[i]) * double(g[i]); };
    CHECK(worst(m, n, 2, first) < 3 * eps);
    CHECK(worst(v, n, 0, second) < 4 * eps);
    // |m| / sqrt(v) grows where v is small: relative to the size of the step.
    const auto step = [&](size_t i) { return double(f[1]) * first(i) / (std::sqrt(second(i)) * double(f[6]) + double(f[7])); };
    double error = 0;
    for (size_t i = 0; i < size_t(n); ++i) {
      const double expected = double(f[0]) * double(p0[i]) - step(i);
      const double scale = 2 + double(f[1]) * 2 / (std::sqrt(second(i)) * double(f[6]) + double(f[7]));
      error = worse(error, std::abs(double(p[i]) - expected) / scale);
    }
    CHECK(error < 8 * eps);
    check_guards(p, n);
    check_guards(m, n);
    check_guards(v, n);
  });
}
