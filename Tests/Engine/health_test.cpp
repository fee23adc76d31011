#include <doctest/doctest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <set>

#include "kernel_samples.h"
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

// The figures, each in a workspace of just the size that it asks for.
double entropy_of(const Floats& codes, int64_t rows, int64_t columns) {
  GuardedWorkspace space(code_entropy_workspace(rows));
  const double entropy = code_entropy(codes.data(), rows, columns, group_of_one(), space.data());
  CHECK(space.margin_intact());
  return entropy;
}

int64_t used_in(const Floats& codes, int64_t rows, int64_t columns) {
  GuardedWorkspace space(prototypes_used_workspace(rows, columns));
  const int64_t used = prototypes_used(codes.data(), rows, columns, group_of_one(), space.data());
  CHECK(space.margin_intact());
  return used;
}

double similarity_of(const Floats& embeddings, int64_t rows, int64_t dim) {
  GuardedWorkspace space(mean_similarity_workspace(dim));
  const double similarity = mean_similarity(embeddings.data(), rows, dim, group_of_one(), space.data());
  CHECK(space.margin_intact());
  return similarity;
}

}  // namespace

TEST_CASE("code entropy is 1 for uniform codes, 0 for one-hot codes, and the textbook's in between") {
  for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{1, 2}, {7, 15}, {5, 16}, {300, 33}, {2, 3000}}) {
    Floats q(size_t(rows * columns), 1.0f / float(columns));
    CHECK(entropy_of(q, rows, columns) == doctest::Approx(1.0).epsilon(1e-6));
    std::fill(q.begin(), q.end(), 0.0f);
    for (int64_t n = 0; n < rows; ++n) q[size_t(n * columns + n % columns)] = 1;
    CHECK(std::abs(entropy_of(q, rows, columns)) < 1e-6);
    q = positive_rows(3, rows, columns);
    double expected = 0;
    for (float v : q) expected -= double(v) * std::log(double(v)) / (double(rows) * std::log(double(columns)));
    // log to 2 eps of its value (at most 88) plus 16 eps of the sum.
    CHECK(std::abs(entropy_of(q, rows, columns) - expected) < 18 * double(FLT_EPSILON) * (1 + expected));
  }
  CHECK(entropy_of({1, 1}, 2, 1) == 0);
}

TEST_CASE("prototypes used counts distinct arg-max entries") {
  const int64_t rows = 150, columns = 37;
  const Floats q = positive_rows(4, rows, columns);
  std::set<int64_t> expected;
  for (int64_t n = 0; n < rows; ++n) {
    const auto row = q.begin() + n * columns;
    expected.insert(std::max_element(row, row + columns) - row);
  }
  CHECK(used_in(q, rows, columns) == int64_t(expected.size()));
  const Floats uniform(size_t(rows * columns), 0.1f);
  CHECK(used_in(uniform, rows, columns) == 1);
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
  CHECK(std::abs(similarity_of(z, rows, dim) - expected) < 1e-12);
  CHECK(similarity_of(z, 1, dim) == 0);
  Floats same;
  for (int n = 0; n < 5; ++n) same.insert(same.end(), z.begin(), z.begin() + dim);
  CHECK(similarity_of(same, 5, dim) == doctest::Approx(1.0).epsilon(1e-6));
}
