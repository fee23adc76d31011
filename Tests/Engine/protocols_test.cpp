// What the protocols of evaluation compute in the engine: retrieval, support vector machines, scores, the grid of
// features.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <numeric>

#include "network_twin.h"
#include "training_bench.h"

using namespace swav;
using namespace swav::test;

namespace {

// Rows around one direction a class.
struct Sample {
  Floats features;
  std::vector<int32_t> labels;
  Sample(uint64_t seed, int64_t count, int64_t dim, int32_t classes, double noise) {
    const Floats centres = unit_vectors(77, classes, dim);
    Random random(seed, Purpose::test);
    for (int64_t n = 0; n < count; ++n) {
      labels.push_back(int32_t(random.below(uint32_t(classes))));
      for (int64_t d = 0; d < dim; ++d)
        features.push_back(centres[size_t(labels.back() * dim + d)] + float(noise / std::sqrt(double(dim)) * random.normal()));
    }
  }
};

struct Ranked {
  std::vector<double> precision;
  std::vector<int64_t> rank;
};

Ranked retrieve(const Sample& bank, const Sample& queries, int64_t dim, bool leaves_out = false) {
  Ranked r{std::vector<double>(queries.labels.size(), 7), std::vector<int64_t>(queries.labels.size(), 7)};
  swav_retrieval_config config = swav_retrieval_config_default();
  config.leave_one_out = leaves_out;
  REQUIRE_MESSAGE(swav_retrieval(bank.features.data(), bank.labels.data(), int64_t(bank.labels.size()), queries.features.data(),
                                 queries.labels.data(), int64_t(queries.labels.size()), dim, &config, r.precision.data(),
                                 r.rank.data()) == SWAV_OK,
                  swav_error_message());
  return r;
}

}  // namespace

TEST_CASE("average precision and the first rank are those worked out by hand") {
  // In the plane, at angles from the query of 10, 20, 30, 40, 50 degrees.
  Sample bank(1, 0, 2, 1, 0), query(1, 0, 2, 1, 0);
  for (int i = 1; i <= 5; ++i) {
    bank.features.push_back(3 * std::cos(float(i) * 0.1745f));
    bank.features.push_back(3 * std::sin(float(i) * 0.1745f));
  }
  bank.labels = {1, 0, 1, 1, 0};
  for (int i = 0; i < 3; ++i) query.features.insert(query.features.end(), {0.5f, 0.0f});
  query.labels = {1, 0, 2};
  const Ranked found = retrieve(bank, query, 2);
  CHECK(found.precision[0] == doctest::Approx((1.0 + 2.0 / 3 + 3.0 / 4) / 3));
  CHECK(found.precision[1] == doctest::Approx((1.0 / 2 + 2.0 / 5) / 2));
  CHECK(found.precision[2] == -1);
  CHECK(found.rank == std::vector<int64_t>{0, 1, -1});
}

TEST_CASE("rows of equal cosines count as one step, in whatever order they stand") {
  // Two rows straight ahead, then three in one direction, then one.
  Sample bank(1, 0, 2, 1, 0), query(1, 0, 2, 1, 0);
  const float ahead[2] = {1, 0}, aside[2] = {1, 1}, away[2] = {0, 1};
  const std::pair<const float*, int32_t> rows[] = {{ahead, 0}, {aside, 1}, {ahead, 0}, {aside, 0}, {away, 1}, {aside, 1}};
  query.features = {1, 0};
  query.labels = {1};
  for (const bool backwards : {false, true}) {
    bank.features.clear(), bank.labels.clear();
    for (size_t i = 0; i < 6; ++i) {
      const auto& [at, label] = rows[backwards ? 5 - i : i];
      bank.features.insert(bank.features.end(), at, at + 2);
      bank.labels.push_back(label);
    }
    const Ranked found = retrieve(bank, query, 2);
    // Behind the three there are two of the label among five, at the end three among six.
    CHECK(found.precision[0] == doctest::Approx((2 * 2.0 / 5 + 3.0 / 6) / 3));
    CHECK(found.rank[0] == 3);
  }
}

TEST_CASE("retrieval is that of a sort of all cosines in double, with queries and with each row left out") {
  const int64_t dim = 24;
  const Sample bank(5, 300, dim, 7, 1.5), queries(6, 40, dim, 7, 1.5);
  int certain = 0, ambiguous = 0;
  for (bool leaves_out : {false, true}) {
    const Sample& asked = leaves_out ? bank : queries;
    const Ranked found = retrieve(bank, asked, dim, leaves_out);
    for (size_t q = 0; q < asked.labels.size(); ++q) {
      std::vector<std::pair<double, size_t>> order;
      for (size_t n = 0; n < bank.labels.size(); ++n) {
        if (leaves_out && n == q) continue;
        double dot = 0, norm = 0;
        for (size_t d = 0; d < size_t(dim); ++d) {
          const double x = double(bank.features[n * size_t(dim) + d]);
          dot += x * double(asked.features[q * size_t(dim) + d]);
          norm += x * x;
        }
        order.emplace_back(-dot / std::sqrt(norm), n);
      }
      std::sort(order.begin(), order.end());
      double length = 0, sum = 0, hits = 0, allowed = 0;
      for (size_t d = 0; d < size_t(dim); ++d) length += std::pow(double(asked.features[q * size_t(dim) + d]), 2);
      const auto is_right = [&](size_t i) { return bank.labels[order[i].second] == asked.labels[q]; };
      for (size_t i = 0; i < order.size(); ++i) {
        if (is_right(i)) sum += ++hits / double(i + 1);
        // A cosine in float: dim products and sums, two norms of as many, two divisions; each rounds by half an eps at most,
        // and the rows are of unit norm. Two that are nearer than twice that may change places, which moves the right one of
        // them, the h-th, by one place: h / (i + 1) becomes h / (i + 2).
        const double rounding = (1.5 * double(dim) + 2) * double(FLT_EPSILON) / 2 * std::sqrt(length);
        const bool near = i + 1 < order.size() && order[i + 1].first - order[i].first <= 2 * rounding;
        if (near && is_right(i) != is_right(i + 1)) allowed += (hits + (is_right(i) ? 0 : 1)) / double((i + 1) * (i + 2));
        // Of two that are equal in float both get the share behind them: h / (i + 1) becomes (h + 1) / (i + 2).
        if (near && is_right(i) && is_right(i + 1)) allowed += (double(i + 1) - hits) / double((i + 1) * (i + 2));
      }
      ++(allowed == 0 ? certain : ambiguous);
      // Sums of some fifty terms in double.
      CHECK(std::abs(found.precision[q] - sum / hits) <= allowed / hits + 1e-13);
    }
  }
  CHECK(certain > 9 * ambiguous);
}

// The optimum of |w|^2 / 2 + C sum weight max(0, 1 - t w.x)^2 by its gradient, which is 0 there.
TEST_CASE("the support vector machine is at the minimum of its objective, class by class, without rows that are left out") {
  const int64_t dim = 10, count = 120;
  const int32_t classes = 3;
  const Sample data(9, count, dim, classes, 1.5);
  std::vector<int8_t> targets(size_t(classes * count));
  for (int32_t c = 0; c < classes; ++c) {
    for (int64_t n = 0; n < count; ++n) targets[size_t(c * count + n)] = n % 5 == 4 ? 0 : data.labels[size_t(n)] == c ? 1 : -1;
  }
  const double costs[classes] = {0.1, 1, 10};
  swav_svm_config config = swav_svm_config_default();
  config.tolerance = 1e-6;
  Floats weights(size_t(classes * (dim + 1)));
  REQUIRE_MESSAGE(
      swav_svm_fit(data.features.data(), targets.data(), count, dim, classes, costs, &config, weights.data()) == SWAV_OK,
      swav_error_message());
  for (int32_t c = 0; c < classes; ++c) {
    const float* w = weights.data() + c * (dim + 1);
    // Weights are rounded to float, each by half an eps of itself; `moved` is what that makes of the gradient, whose derivative
    // is 1 + 2 C sum of weight x x' over the rows within the margin.
    Doubles gradient(w, w + dim + 1), at_zero(gradient.size(), 0.0), moved;
    for (double x : gradient) moved.push_back(std::abs(x) * double(FLT_EPSILON) / 2);
    double rows = 0, positives = 0;
    for (int64_t n = 0; n < count; ++n) {
      const double t = targets[size_t(c * count + n)];
      if (t == 0) continue;
      ++rows, positives += t > 0;
      Doubles x(data.features.begin() + n * dim, data.features.begin() + (n + 1) * dim);
      x.push_back(1);
      double score = 0, score_moves = 0;
      for (size_t d = 0; d < x.size(); ++d) {
        score += double(w[d]) * x[d];
        score_moves += std::abs(double(w[d]) * x[d]) * double(FLT_EPSILON) / 2;
      }
      const double slack = std::max(0.0, 1 - t * score), factor = 2 * costs[c] * (t > 0 ? 2 : 1);
      for (size_t d = 0; d < x.size(); ++d) {
        gradient[d] -= factor * slack * t * x[d];
        at_zero[d] -= factor * t * x[d];
        if (1 - t * score > -score_moves) moved[d] += factor * std::abs(x[d]) * score_moves;
      }
    }
    // liblinear ends where the gradient's norm is a part of that at weights of 0: the tolerance times the share of the rarer
    // sign.
    double norm = 0;
    for (double g : at_zero) norm += g * g;
    const double left = config.tolerance * std::min(positives, rows - positives) / rows * std::sqrt(norm);
    for (size_t d = 0; d < gradient.size(); ++d) CHECK(std::abs(gradient[d]) <= left + moved[d]);
  }
  const auto again = [&](int32_t threads) {
    const Threads team(threads);
    Floats found(weights.size());
    REQUIRE(swav_svm_fit(data.features.data(), targets.data(), count, dim, classes, costs, &config, found.data()) == SWAV_OK);
    return found;
  };
  CHECK(again(1) == weights);
  CHECK(again(3) == weights);
  // Without rows of both signs there is nothing to tell apart.
  std::fill(targets.begin(), targets.begin() + count, int8_t(-1));
  REQUIRE(swav_svm_fit(data.features.data(), targets.data(), count, dim, 1, costs, nullptr, weights.data()) == SWAV_OK);
  CHECK(std::all_of(weights.begin(), weights.begin() + dim + 1, [](float x) { return x == 0; }));
}

TEST_CASE("scores are weights times features plus bias") {
  const int64_t dim = 33, count = 70;
  const int32_t classes = 5;
  const Floats features = integers(1, count * dim, 8), weights = integers(2, classes * (dim + 1), 8);
  Floats scores(size_t(count * classes));
  REQUIRE(swav_linear_scores(weights.data(), dim, classes, features.data(), count, scores.data()) == SWAV_OK);
  for (int64_t n = 0; n < count; ++n) {
    for (int32_t c = 0; c < classes; ++c) {
      double sum = double(weights[size_t(c * (dim + 1) + dim)]);
      for (int64_t d = 0; d < dim; ++d)
        sum += double(weights[size_t(c * (dim + 1) + d)]) * double(features[size_t(n * dim + d)]);
      CHECK(double(scores[size_t(n * classes + c)]) == sum);  // integers: exact
    }
  }
}

TEST_CASE("equal votes are a majority, whatever the cosines") {
  // One very near neighbour of class 0, two farther ones of class 1.
  const Floats train = {1, 0, 0.6f, 0.8f, 0.6f, -0.8f}, query = {1, 0};
  const int32_t labels[3] = {0, 1, 1};
  swav_knn_config config = swav_knn_config_default();
  config.neighbours = 3;
  for (bool equal : {false, true}) {
    config.equal_votes = equal;
    int32_t found = -1;
    REQUIRE(swav_knn(train.data(), labels, 3, query.data(), 1, 2, 2, &config, &found) == SWAV_OK);
    CHECK(found == (equal ? 1 : 0));
  }
}

TEST_CASE("a window of the grid is the mean of its pixels, a row and a column less than the map's") {
  const int32_t channels = 16;
  for (const auto& [height, width] : {std::pair(7, 7), std::pair(3, 5), std::pair(1, 4)}) {
    FrozenMap map = FrozenMap::frame(2, height, width, channels, 0, Element::float32);
    std::vector<char> memory(size_t(map.bytes()));
    map.data = memory.data();
    const auto value = [](int64_t i, int64_t y, int64_t x, int64_t c) {
      return float(int((7 * i + 5 * y + 3 * x + c) % 11) - 5);
    };
    const auto for_pixels = [&](const auto& body) {
      for (int64_t i = 0; i < 2; ++i) {
        for (int64_t y = 0; y < height; ++y) {
          for (int64_t x = 0; x < width; ++x) {
            for (int64_t c = 0; c < channels; ++c) body(i, y, x, c);
          }
        }
      }
    };
    for_pixels(
        [&](int64_t i, int64_t y, int64_t x, int64_t c) { reinterpret_cast<float*>(map.at(i, y, x))[c] = value(i, y, x, c); });
    const int64_t rows = std::max(1, height - 1), columns = std::max(1, width - 1);
    Doubles sums(2 * channels * 4);
    for_pixels([&](int64_t i, int64_t y, int64_t x, int64_t c) {
      for (int64_t w = 0; w < 4; ++w) {
        const int64_t top = w < 2 ? 0 : height - rows, left = w % 2 == 0 ? 0 : width - columns;
        const bool inside = y >= top && y < top + rows && x >= left && x < left + columns;
        if (inside) sums[size_t((i * channels + c) * 4 + w)] += double(value(i, y, x, c));
      }
    });
    Floats found(sums.size());
    average_windows(map, channels, found.data());
    for (size_t k = 0; k < sums.size(); ++k) {
      // Sums of small integers are exact; the factor and its product with the sum are rounded.
      const double mean = sums[k] / double(rows * columns);
      CHECK(std::abs(double(found[k]) - mean) <= double(FLT_EPSILON) * std::abs(mean));
    }
  }
}

TEST_CASE("the four windows of the grid average to the features where the map is 2 x 2, and are the map of 1 x 1 four times") {
  swav_network_config config = small_network();
  for (int32_t size : {16, 8}) {  // the small stem and three strides: maps of 2 x 2 and 1 x 1
    swav_network* network = nullptr;
    REQUIRE(swav_network_create(&config, 4, &network) == SWAV_OK);
    swav_network_info info;
    REQUIRE(swav_network_describe(network, &info) == SWAV_OK);
    const int64_t images = 3, dim = info.feature_dim;
    const Floats pixels = normals(1, images * size * size * 3);
    Floats features(size_t(images * dim)), grid(size_t(images * dim * 4));
    REQUIRE(swav_network_embed(network, SWAV_OUTPUT_FEATURES, pixels.data(), images, size, size, features.data()) == SWAV_OK);
    REQUIRE(swav_network_embed(network, SWAV_OUTPUT_GRID, pixels.data(), images, size, size, grid.data()) == SWAV_OK);
    bool differs = false;
    for (size_t i = 0; i < features.size(); ++i) {
      const float* w = grid.data() + 4 * i;
      // Means of four pixels that are none below 0: three sums and a factor on either side, rounded by half an eps each.
      CHECK(std::abs(double((w[0] + w[1] + w[2] + w[3]) / 4) - double(features[i])) <=
            8 * double(FLT_EPSILON) / 2 * double(features[i]));
      differs = differs || w[0] != w[1] || w[0] != w[2] || w[0] != w[3];
    }
    CHECK(differs == (size == 16));
    swav_network_destroy(network);
  }
}
