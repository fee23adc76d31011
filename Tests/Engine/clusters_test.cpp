#include <doctest/doctest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "base/parallel.h"
#include "score_samples.h"
#include "swav.h"

using namespace swav;
using namespace swav::test;

namespace {

struct Found {
  std::vector<int64_t> rows;
  Floats cosines;
};

Found nearest(const Floats& bank, const Floats& queries, int64_t dim, swav_nearest_config config) {
  const int64_t count = int64_t(bank.size()) / dim, asked = config.leave_one_out ? count : int64_t(queries.size()) / dim;
  Found found{std::vector<int64_t>(size_t(asked * config.neighbours), -1), Floats(size_t(asked * config.neighbours))};
  REQUIRE_MESSAGE(swav_nearest(bank.data(), count, config.leave_one_out ? nullptr : queries.data(), asked, dim, &config,
                               found.rows.data(), found.cosines.data()) == SWAV_OK,
                  swav_error_message());
  return found;
}

double cosine(const float* a, const float* b, int64_t dim) {
  double dot = 0, aa = 0, bb = 0;
  for (int64_t d = 0; d < dim; ++d) {
    dot += double(a[d]) * double(b[d]);
    aa += double(a[d]) * double(a[d]);
    bb += double(b[d]) * double(b[d]);
  }
  return dot / std::sqrt(aa * bb);
}

struct Clusters {
  Floats centres;
  std::vector<int32_t> assignment;
  double inertia = 0;
};

Clusters kmeans(const Floats& rows, int64_t dim, int32_t clusters, uint64_t seed, int32_t iterations = 1000) {
  Clusters found{Floats(size_t(clusters * dim)), std::vector<int32_t>(rows.size() / size_t(dim), -1)};
  swav_kmeans_config config = swav_kmeans_config_default();
  config.clusters = clusters;
  config.seed = seed;
  config.iterations = iterations;
  REQUIRE_MESSAGE(swav_kmeans(rows.data(), int64_t(found.assignment.size()), dim, &config, found.centres.data(),
                              found.assignment.data(), &found.inertia) == SWAV_OK,
                  swav_error_message());
  return found;
}

double squared_distance(const float* a, const float* b, int64_t dim) {
  double sum = 0;
  for (int64_t d = 0; d < dim; ++d) sum += std::pow(double(a[d]) - double(b[d]), 2);
  return sum;
}

// `groups` far apart, rows of a group close together; group of row n is n % groups.
Floats separated(int64_t count, int64_t dim, int64_t groups) {
  const Floats centres = unit_vectors(5, groups, dim), noise = unit_vectors(6, count, dim);
  Floats rows;
  for (int64_t n = 0; n < count; ++n) {
    for (int64_t d = 0; d < dim; ++d)
      rows.push_back(10 * centres[size_t(n % groups * dim + d)] + 0.01f * noise[size_t(n * dim + d)]);
  }
  return rows;
}

}  // namespace

TEST_CASE("the nearest rows are those of a search in double, for few queries and many, of any norm and of norm 1") {
  for (const auto& [count, dim, asked, limit] : {std::tuple<int64_t, int64_t, int64_t, int32_t>{70, 5, 1, 3},
                                                 {2500, 33, 4, 10},
                                                 {2500, 33, 5, 10},
                                                 {64, 16, 100, 64},
                                                 {3, 1, 2, 2}}) {
    for (const bool unit : {false, true}) {
      CAPTURE(count);
      CAPTURE(dim);
      CAPTURE(asked);
      CAPTURE(unit);
      Floats bank = unit_vectors(1, count, dim), queries = unit_vectors(2, asked, dim);
      if (!unit) {
        for (size_t i = 0; i < bank.size(); ++i) bank[i] *= float(1 + i / size_t(dim) % 7);
      }
      swav_nearest_config config = swav_nearest_config_default();
      config.neighbours = limit;
      config.unit_rows = unit;
      const Found found = nearest(bank, queries, dim, config);
      for (int64_t q = 0; q < asked; ++q) {
        Doubles cosines;
        for (int64_t n = 0; n < count; ++n) cosines.push_back(cosine(&queries[size_t(q * dim)], &bank[size_t(n * dim)], dim));
        Doubles sorted = cosines;
        std::sort(sorted.rbegin(), sorted.rend());
        // Float32 sums of dim products of unit rows, whose own numbers are rounded: dim + 3 roundings of at most eps / 2.
        const double off = 0.5 * double(dim + 3) * double(FLT_EPSILON);
        std::set<int64_t> seen;
        for (int32_t i = 0; i < limit; ++i) {
          const int64_t row = found.rows[size_t(q * limit + i)];
          REQUIRE((row >= 0 && row < count));
          CHECK(seen.insert(row).second);
          const double is = double(found.cosines[size_t(q * limit + i)]);
          CHECK(std::abs(is - cosines[size_t(row)]) <= off);
          CHECK(std::abs(is - sorted[size_t(i)]) <= 2 * off);
          if (i > 0) CHECK(is <= double(found.cosines[size_t(q * limit + i - 1)]));
        }
      }
    }
  }
}

TEST_CASE("rows that are asked about among the others are not their own neighbours") {
  const Floats bank = unit_vectors(3, 300, 8);
  swav_nearest_config config = swav_nearest_config_default();
  config.neighbours = 2;
  for (const bool unit : {false, true}) {
    config.leave_one_out = true;
    config.unit_rows = unit;
    const Found among = nearest(bank, {}, 8, config);
    config.leave_one_out = false;
    config.neighbours = 3;
    const Found all = nearest(bank, bank, 8, config);
    config.neighbours = 2;
    for (int64_t n = 0; n < 300; ++n) {
      CHECK(all.rows[size_t(3 * n)] == n);
      for (int64_t i = 0; i < 2; ++i) CHECK(among.rows[size_t(2 * n + i)] == all.rows[size_t(3 * n + i + 1)]);
    }
  }
}

TEST_CASE("a row that is not finite is told, whatever is known of the norms") {
  Floats bank = unit_vectors(4, 100, 8);
  bank[799] = std::numeric_limits<float>::quiet_NaN();
  int64_t row = 7;
  float is = 7;
  swav_nearest_config config = swav_nearest_config_default();
  config.neighbours = 1;
  for (const bool unit : {false, true}) {
    config.unit_rows = unit;
    CHECK(swav_nearest(bank.data(), 100, bank.data(), 1, 8, &config, &row, &is) == SWAV_ERROR_NUMERIC);
  }
  Floats centres(8);
  std::vector<int32_t> assignment(100, 7);
  swav_kmeans_config one = swav_kmeans_config_default();
  one.clusters = 1;
  CHECK(swav_kmeans(bank.data(), 100, 8, &one, centres.data(), assignment.data(), nullptr) == SWAV_ERROR_NUMERIC);
  CHECK(assignment[0] == 7);
}

TEST_CASE("centres of unit norm are the mean directions of their rows: spherical k-means") {
  const int64_t dim = 9, count = 400;
  const int32_t count_of_centres = 17;
  const Floats rows = unit_vectors(8, count, dim);
  Clusters found{Floats(size_t(count_of_centres * dim)), std::vector<int32_t>(size_t(count), -1)};
  swav_kmeans_config config = swav_kmeans_config_default();
  config.clusters = count_of_centres;
  config.iterations = 1000;
  config.unit_centres = true;
  REQUIRE_MESSAGE(
      swav_kmeans(rows.data(), count, dim, &config, found.centres.data(), found.assignment.data(), &found.inertia) == SWAV_OK,
      swav_error_message());
  double inertia = 0;
  for (int32_t k = 0; k < count_of_centres; ++k) {
    const float* centre = &found.centres[size_t(k * dim)];
    Floats sum(size_t(dim), 0.0f);
    for (int64_t n = 0; n < count; ++n) {
      const float* row = &rows[size_t(n * dim)];
      double most = -2;
      for (int32_t j = 0; j < count_of_centres; ++j) most = std::max(most, cosine(row, &found.centres[size_t(j * dim)], dim));
      if (found.assignment[size_t(n)] != k) continue;
      // The nearest by cosine, up to the roundings of two sums of nine products.
      CHECK(cosine(row, centre, dim) >= most - 1e-6);
      for (int64_t d = 0; d < dim; ++d) sum[size_t(d)] += row[d];
      inertia += squared_distance(row, centre, dim);
    }
    CHECK(std::abs(squared_distance(centre, Floats(size_t(dim), 0.0f).data(), dim) - 1) < 1e-6);
    CHECK(cosine(sum.data(), centre, dim) > 1 - 1e-6);
  }
  CHECK(std::abs(found.inertia - inertia) <= 1e-5 * inertia);
}

TEST_CASE("k-means ends where each centre is the mean of its rows and no row is nearer to another centre") {
  for (const auto& [count, dim, clusters] :
       {std::tuple<int64_t, int64_t, int32_t>{500, 7, 12}, {1000, 40, 3}, {65, 2, 65}, {10, 3, 1}}) {
    CAPTURE(count);
    CAPTURE(dim);
    CAPTURE(clusters);
    const Floats rows = unit_vectors(uint64_t(count), count, dim);
    const Clusters found = kmeans(rows, dim, clusters, 1);
    std::map<int32_t, int64_t> sizes;
    Doubles sums(found.centres.size(), 0.0);
    double inertia = 0;
    for (int64_t n = 0; n < count; ++n) {
      const int32_t own = found.assignment[size_t(n)];
      REQUIRE((own >= 0 && own < clusters));
      ++sizes[own];
      for (int64_t d = 0; d < dim; ++d) sums[size_t(own * dim + d)] += double(rows[size_t(n * dim + d)]);
      const double mine = squared_distance(&rows[size_t(n * dim)], &found.centres[size_t(own * dim)], dim);
      inertia += mine;
      for (int32_t k = 0; k < clusters; ++k) {
        const double other = squared_distance(&rows[size_t(n * dim)], &found.centres[size_t(k * dim)], dim);
        // The product and half a square, of rows and centres of norm 1 at most, in float: dim + 2 roundings each.
        CHECK(mine <= other + 4 * double(dim + 2) * double(FLT_EPSILON));
      }
    }
    CHECK(int32_t(sizes.size()) == clusters);
    for (const auto& [k, size] : sizes) {
      for (int64_t d = 0; d < dim; ++d)
        CHECK(std::abs(sums[size_t(k * dim + d)] / double(size) - double(found.centres[size_t(k * dim + d)])) <=
              double(FLT_EPSILON));
    }
    // Each squared distance is a float32 sum of dim squares, at most 4.
    CHECK(std::abs(found.inertia - inertia) <= double(count) * 4 * double(dim) * double(FLT_EPSILON));
  }
}

TEST_CASE("k-means finds groups that lie apart, from any seed") {
  const int64_t count = 300, dim = 16, groups = 7;
  const Floats rows = separated(count, dim, groups);
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const Clusters found = kmeans(rows, dim, int32_t(groups), seed);
    std::map<int64_t, std::set<int32_t>> clusters;
    for (int64_t n = 0; n < count; ++n) clusters[n % groups].insert(found.assignment[size_t(n)]);
    std::set<int32_t> all;
    for (const auto& [group, own] : clusters) {
      CHECK_MESSAGE(own.size() == 1, "seed ", seed);
      all.insert(own.begin(), own.end());
    }
    CHECK(all.size() == size_t(groups));
  }
}

TEST_CASE("k-means has the same bits with any number of threads, and other clusters with another seed") {
  const Floats rows = unit_vectors(9, 3000, 24);
  std::vector<Clusters> found;
  for (const int threads : {1, 2, 5}) {
    parallel::set_threads(threads);
    found.push_back(kmeans(rows, 24, 20, 3));
  }
  parallel::set_threads(0);
  for (const Clusters& other : found) {
    CHECK(other.centres == found[0].centres);
    CHECK(other.assignment == found[0].assignment);
    CHECK(other.inertia == found[0].inertia);
  }
  CHECK(kmeans(rows, 24, 20, 4).assignment != found[0].assignment);
}

TEST_CASE("fewer different rows than clusters leave clusters empty") {
  Floats rows;
  for (int i = 0; i < 30; ++i) rows.insert(rows.end(), {float(i % 3), 1});
  const Clusters found = kmeans(rows, 2, 5, 0);
  CHECK(found.inertia == 0);
  CHECK(std::set<int32_t>(found.assignment.begin(), found.assignment.end()).size() == 3);
}

TEST_CASE("k-means tells groups apart that are far from 0, beside which they differ little") {
  constexpr int64_t count = 2000, dim = 8;
  const Floats noise = unit_vectors(3, count, dim);
  Floats rows;
  for (int64_t i = 0; i < count * dim; ++i)
    rows.push_back(float(1000 + 0.01 * double(noise[size_t(i)]) + (i < count * dim / 2 ? 0 : 0.1)));
  const Clusters found = kmeans(rows, dim, 2, 1);
  for (int64_t n = 0; n < count; ++n) CHECK((found.assignment[size_t(n)] == found.assignment[0]) == (n < count / 2));
}

TEST_CASE("centres of unit norm are so for rows of any norm, also those that have no rows of their own") {
  Floats rows;
  for (int i = 0; i < 30; ++i) rows.insert(rows.end(), {float(3 + i % 2), float(7 * (i % 2))});
  rows.insert(rows.end(), {0, 0});
  swav_kmeans_config config = swav_kmeans_config_default();
  config.clusters = 5;
  config.unit_centres = true;
  Floats centres(10);
  std::vector<int32_t> assignment(31);
  REQUIRE(swav_kmeans(rows.data(), 31, 2, &config, centres.data(), assignment.data(), nullptr) == SWAV_OK);
  for (size_t k = 0; k < 5; ++k) {
    const double norm = std::hypot(double(centres[2 * k]), double(centres[2 * k + 1]));
    CHECK((norm == 0 || std::abs(norm - 1) <= 2 * double(FLT_EPSILON)));
  }
}

TEST_CASE("rows so large that no float says their distances are an error") {
  const Floats rows = {1e25f, 0, -1e25f, 0, 0, 1e25f, 0, -1e25f};
  swav_kmeans_config config = swav_kmeans_config_default();
  config.clusters = 2;
  Floats centres(4);
  std::vector<int32_t> assignment(4);
  CHECK(swav_kmeans(rows.data(), 4, 2, &config, centres.data(), assignment.data(), nullptr) == SWAV_ERROR_NUMERIC);
}
