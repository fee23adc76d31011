#include <doctest/doctest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <set>

#include "objective/health.h"
#include "score_samples.h"

using namespace swav;
using namespace swav::test;

namespace {

Floats positive_rows(uint64_t seed, int64_t rows, int64_t columns) {
  Random random(seed, Purpose::test);
  Floats q(size_t(rows * columns));
  for (int64_t n = 0; n < rows; ++n) {
    double sum = 0;
    for (int64_t k = 0; k < columns; ++k) sum += double(q[size_t(n * columns + k)] = float(std::exp(3 * random.normal())));
    for (int64_t k = 0; k < columns; ++k) q[size_t(n * columns + k)] = float(double(q[size_t(n * columns + k)]) / sum);
  }
  return q;
}

Floats workspace(int64_t rows, int64_t columns) { return Floats(size_t(health_workspace(rows, columns))); }

}  // namespace

TEST_CASE("code entropy is 1 for uniform codes, 0 for one-hot codes, and the textbook's in between") {
  for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{1, 2}, {7, 15}, {5, 16}, {300, 33}, {2, 3000}}) {
    Floats space = workspace(rows, columns), q(size_t(rows * columns), 1.0f / float(columns));
    CHECK(code_entropy(q.data(), rows, columns, space.data()) == doctest::Approx(1.0).epsilon(1e-6));
    std::fill(q.begin(), q.end(), 0.0f);
    for (int64_t n = 0; n < rows; ++n) q[size_t(n * columns + n % columns)] = 1;
    CHECK(std::abs(code_entropy(q.data(), rows, columns, space.data())) < 1e-6);
    q = positive_rows(3, rows, columns);
    double expected = 0;
    for (float v : q) expected -= double(v) * std::log(double(v)) / (double(rows) * std::log(double(columns)));
    // log to 2 eps of its value (at most 88) plus 16 eps of the sum.
    CHECK(std::abs(code_entropy(q.data(), rows, columns, space.data()) - expected) < 18 * double(FLT_EPSILON) * (1 + expected));
  }
  const float one[2] = {1, 1};
  Floats space = workspace(2, 1);
  CHECK(code_entropy(one, 2, 1, space.data()) == 0);
}

TEST_CASE("prototypes used counts distinct arg-max entries") {
  const int64_t rows = 150, columns = 37;
  const Floats q = positive_rows(4, rows, columns);
  std::set<int64_t> expected;
  for (int64_t n = 0; n < rows; ++n) {
    const auto row = q.begin() + n * columns;
    expected.insert(std::max_element(row, row + columns) - row);
  }
  Floats space = workspace(rows, columns);
  CHECK(prototypes_used(q.data(), rows, columns, space.data()) == int64_t(expected.size()));
  const Floats uniform(size_t(rows * columns), 0.1f);
  CHECK(prototypes_used(uniform.data(), rows, columns, space.data()) == 1);
}

TEST_CASE("mean similarity is the mean cosine over all pairs of different images") {
  const int64_t rows = 19, dim = 24;
  const Floats z = unit_vectors(5, rows, dim);
  double expected = 0;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < rows; ++j) {
      for (int64_t d = 0; d < dim && i != j; ++d) {
        expected += double(z[size_t(i * dim + d)]) * double(z[size_t(j * dim + d)]) / double(rows * (rows - 1));
      }
    }
  }
  CHECK(std::abs(mean_similarity(z.data(), rows, dim) - expected) < 1e-12);
  CHECK(mean_similarity(z.data(), 1, dim) == 0);
  Floats same;
  for (int n = 0; n < 5; ++n) same.insert(same.end(), z.begin(), z.begin() + dim);
  CHECK(mean_similarity(same.data(), 5, dim) == doctest::Approx(1.0).epsilon(1e-6));
}
