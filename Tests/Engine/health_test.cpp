#include <doctest/doctest.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <set>

#include "kernel_samples.h"
#include "objective/codes.h"
#include "objective/health.h"
#include "objective/usage.h"
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
  GuardedWorkspace space(prototypes_used_workspace(rows));
  Guarded<float> flags(columns);
  const int64_t used = prototypes_used(codes.data(), rows, columns, group_of_one(), flags.data(), space.data());
  CHECK(space.margin_intact());
  CHECK(flags.margins_intact());
  int64_t count = 0;
  for (float flag : flags.values()) count += flag == 1;
  CHECK(count == used);
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

TEST_CASE("prediction entropy is that of softmax(scores / temperature) over ln K") {
  for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{1, 2}, {7, 15}, {300, 33}, {2, 3000}}) {
    const Floats scores = random_scores(7, rows, columns);
    double expected = 0;
    for (int64_t n = 0; n < rows; ++n) {
      Doubles x;
      for (int64_t k = 0; k < columns; ++k) x.push_back(double(scores[size_t(n * columns + k)]) / double(0.1f));
      const double normalizer = log_sum_exp(x);
      for (double v : x) expected -= std::exp(v - normalizer) * (v - normalizer) / (double(rows) * std::log(double(columns)));
    }
    GuardedWorkspace space(prediction_entropy_workspace(rows, columns));
    const double entropy = prediction_entropy(scores.data(), rows, columns, 0.1f, group_of_one(), space.data());
    CHECK(space.margin_intact());
    CHECK(std::abs(entropy - expected) < 40 * double(FLT_EPSILON));  // as code entropy, and exp of arguments up to 20
  }
}

TEST_CASE("the mean code is the mean over the rows") {
  const int64_t rows = 150, columns = 700;
  const Floats q = positive_rows(4, rows, columns);
  Guarded<double> mean(columns);
  mean_code(q.data(), rows, columns, group_of_one(), mean.data());
  CHECK(mean.margins_intact());
  for (int64_t k = 0; k < columns; k += 37) {
    double expected = 0;
    for (int64_t n = 0; n < rows; ++n) expected += double(q[size_t(n * columns + k)]) / double(rows);
    CHECK(std::abs(mean[k] - expected) < 1e-15);
  }
}

TEST_CASE("the marginal error is how far the prototypes' shares of all rows are from 1 / K after the last iteration") {
  const int64_t rows = 70, columns = 12, keep = 20;
  const Floats scores = random_scores(9, rows, columns);
  for (int iterations : {1, 3, 50}) {
    const Doubles q = log_domain_codes(scores, rows, columns, 0.05, iterations);
    double expected = 0;
    for (int64_t k = 0; k < columns; ++k) {
      double share = 0;
      for (int64_t n = 0; n < rows; ++n) share += q[size_t(n * columns + k)] / double(rows);
      expected = std::max(expected, std::abs(share * double(columns) - 1));
    }
    GuardedWorkspace space(codes_workspace(rows, columns));
    Floats codes(size_t(keep * columns)), plain(size_t(keep * columns));
    double error = -1;
    compute_codes(scores.data(), rows, columns, keep, 0.05, iterations, group_of_one(), space.data(), codes.data(), &error);
    compute_codes(scores.data(), rows, columns, keep, 0.05, iterations, group_of_one(), space.data(), plain.data());
    CHECK(std::abs(error - expected) < 1e-4 * expected + 1e-5);  // shares to 4e-7 * |t|, t up to 40 (codes.h)
    CHECK(codes == plain);
    CHECK(space.margin_intact());
  }
}

TEST_CASE("usage of prototypes: perplexity of the mean code and dead prototypes over a window, then forgotten") {
  Arena arena;
  PrototypeUsage usage(4, 1000);
  arena.lay_out([&] { usage.take(arena); });
  CHECK(usage.window() == 16);
  CHECK(PrototypeUsage(3000, 128).window() == (8 * 3000 + 127) / 128);
  CHECK(usage.perplexity() == 0);
  CHECK(usage.dead() == 0);
  const auto step = [&](const Doubles& mean, const Floats& used) {
    std::copy(mean.begin(), mean.end(), usage.step_mean());
    std::copy(used.begin(), used.end(), usage.step_used());
    usage.add();
  };
  step({0.25, 0.25, 0.25, 0.25}, {1, 1, 1, 0});
  CHECK(usage.perplexity() == doctest::Approx(4));
  CHECK(usage.dead() == 1);
  step({1, 0, 0, 0}, {1, 0, 0, 0});  // the mean of the two
  const double p = 0.625, q = 0.125;
  CHECK(usage.perplexity() == doctest::Approx(std::exp(-p * std::log(p) - 3 * q * std::log(q))));
  CHECK(usage.dead() == 1);
  for (int t = 0; t < 15; ++t) step({0.5, 0.5, 0, 0}, {1, 1, 0, 0});
  CHECK(usage.dead() == 2);  // the third was used 16 steps ago
  for (int t = 0; t < 200; ++t) step({0.5, 0.5, 0, 0}, {1, 1, 0, 0});
  CHECK(usage.perplexity() == doctest::Approx(2).epsilon(1e-3));
  CHECK(usage.steps() == 217);
}

TEST_CASE("duplicate prototypes are those near one before them, whatever their lengths and however many there are") {
  const int64_t count = 600, dim = 24;
  Floats prototypes = unit_vectors(5, count, dim);
  CHECK(duplicate_prototypes(prototypes.data(), count, dim, 0.95f) == 0);
  for (const auto& [from, to] : {std::pair<int64_t, int64_t>{3, 4}, {3, 599}, {300, 599}, {310, 570}}) {
    for (int64_t i = 0; i < dim; ++i) prototypes[size_t(to * dim + i)] = 3 * prototypes[size_t(from * dim + i)];
    prototypes[size_t(to * dim)] += 0.1f;
  }
  int64_t expected = 0;
  const Floats unit = [&] {
    Floats rows = prototypes;
    for (int64_t k = 0; k < count; ++k) {
      double square = 0;
      for (int64_t i = 0; i < dim; ++i) square += std::pow(double(rows[size_t(k * dim + i)]), 2);
      for (int64_t i = 0; i < dim; ++i)
        rows[size_t(k * dim + i)] = float(double(rows[size_t(k * dim + i)]) / std::sqrt(square));
    }
    return rows;
  }();
  const Floats all = cosines(unit, unit, dim);
  for (int64_t k = 0; k < count; ++k) {
    expected += std::any_of(all.begin() + k * count, all.begin() + k * count + k, [](float c) { return c >= 0.95f; });
  }
  CHECK(expected == 3);
  CHECK(duplicate_prototypes(prototypes.data(), count, dim, 0.95f) == expected);
}

TEST_CASE("the spread of embeddings: RankMe by a singular value decomposition, deviations by their formula") {
  for (const auto& [rows, dim] : {std::pair<int64_t, int64_t>{50, 8}, {5, 16}, {2049, 3}, {1, 4}}) {
    const int64_t step = rows > 2048 ? 2 : 1, seen = (rows + step - 1) / step;
    const Floats z = unit_vectors(11, rows, dim);
    Eigen::MatrixXd m(seen, dim);
    for (int64_t n = 0; n < seen; ++n) {
      for (int64_t i = 0; i < dim; ++i) m(n, i) = double(z[size_t(n * step * dim + i)]);
    }
    const Eigen::VectorXd singular = Eigen::JacobiSVD<Eigen::MatrixXd>(m).singularValues();
    double entropy = 0;
    for (double value : singular) entropy -= value > 0 ? value / singular.sum() * std::log(value / singular.sum()) : 0;
    const EmbeddingSpread spread = embedding_spread(z.data(), rows, dim, group_of_one());
    // Where rows < dim the eigenvalues that should be 0 are some 1e-16, and their roots 1e-8 each.
    CHECK(spread.rank == doctest::Approx(std::exp(entropy)).epsilon(1e-5));
    double mean = 0, least = 1e300;
    for (int64_t i = 0; i < dim; ++i) {
      const double average = m.col(i).mean();
      const double variance = (m.col(i).array() - average).square().sum() / double(std::max<int64_t>(1, seen - 1));
      mean += std::sqrt(variance * double(dim)) / double(dim);
      least = std::min(least, std::sqrt(variance * double(dim)));
    }
    CHECK(std::abs(spread.deviation - mean) < 1e-7);
    CHECK(std::abs(spread.least_deviation - least) < 1e-7);
  }
  const Floats same(size_t(20 * 5), 0.4472136f);
  const EmbeddingSpread collapsed = embedding_spread(same.data(), 20, 5, group_of_one());
  CHECK(collapsed.rank == doctest::Approx(1).epsilon(1e-5));
  CHECK(collapsed.deviation < 1e-6);
}
