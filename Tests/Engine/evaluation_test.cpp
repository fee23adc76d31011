#include <doctest/doctest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <map>
#include <string>

#include "base/parallel.h"
#include "evaluation/lbfgs.h"
#include "score_samples.h"
#include "swav.h"

using namespace swav;
using namespace swav::test;

namespace {

struct Labelled {
  Floats features;
  std::vector<int32_t> labels;
};

// Rows around one centre a class, with noise; columns get scales from 0.01 to 100 and an offset.
Labelled clusters(uint64_t seed, int64_t count, int64_t dim, int32_t classes, double noise, bool raw_scales) {
  const Floats centres = unit_vectors(77, classes, dim);
  Random random(seed, Purpose::test);
  Labelled data;
  for (int64_t n = 0; n < count; ++n) {
    data.labels.push_back(int32_t(random.below(uint32_t(classes))));
    for (int64_t d = 0; d < dim; ++d) {
      const double x = double(centres[size_t(data.labels.back() * dim + d)]) + noise / std::sqrt(double(dim)) * random.normal();
      const double scale = raw_scales ? std::pow(10.0, double(d % 5) - 2) : 1;
      data.features.push_back(float(scale * (x + (raw_scales ? 3 : 0))));
    }
  }
  return data;
}

std::vector<int32_t> knn(const Labelled& train, const Floats& queries, int64_t dim, int32_t classes, int32_t k,
                         float temperature) {
  std::vector<int32_t> predictions(queries.size() / size_t(dim), -1);
  REQUIRE_MESSAGE(swav_knn(train.features.data(), train.labels.data(), int64_t(train.labels.size()), queries.data(),
                           int64_t(predictions.size()), dim, classes, k, temperature, predictions.data()) == SWAV_OK,
                  swav_error_message());
  return predictions;
}

Floats fit(const Labelled& data, int64_t dim, int32_t classes, double penalty, int32_t iterations = 1000) {
  Floats weights(size_t(classes * (dim + 1)));
  REQUIRE_MESSAGE(swav_linear_fit(data.features.data(), data.labels.data(), int64_t(data.labels.size()), dim, classes, penalty,
                                  iterations, weights.data()) == SWAV_OK,
                  swav_error_message());
  return weights;
}

double accuracy(const Floats& weights, const Labelled& data, int64_t dim, int32_t classes) {
  std::vector<int32_t> predictions(data.labels.size());
  REQUIRE(swav_linear_predict(weights.data(), dim, classes, data.features.data(), int64_t(data.labels.size()),
                              predictions.data()) == SWAV_OK);
  int64_t right = 0;
  for (size_t n = 0; n < predictions.size(); ++n) right += predictions[n] == data.labels[n];
  return double(right) / double(predictions.size());
}

// Largest component of the gradient of the penalised mean cross-entropy over standardised features, in double, at raw weights.
double gradient_at(const Floats& weights, const Labelled& data, int64_t dim, int32_t classes, double penalty) {
  const int64_t count = int64_t(data.labels.size());
  Doubles mean(size_t(dim), 0.0), deviation(size_t(dim), 0.0), gradient(weights.size(), 0.0);
  for (int64_t n = 0; n < count; ++n) {
    for (int64_t d = 0; d < dim; ++d) mean[size_t(d)] += double(data.features[size_t(n * dim + d)]) / double(count);
  }
  for (int64_t n = 0; n < count; ++n) {
    for (int64_t d = 0; d < dim; ++d) {
      deviation[size_t(d)] += std::pow(double(data.features[size_t(n * dim + d)]) - mean[size_t(d)], 2) / double(count);
    }
  }
  for (double& v : deviation) v = std::sqrt(v);
  const auto at = [&](int32_t c, int64_t d) { return size_t(c * (dim + 1) + d); };
  for (int64_t n = 0; n < count; ++n) {
    const float* x = data.features.data() + n * dim;
    Doubles logits;
    for (int32_t c = 0; c < classes; ++c) {
      double z = double(weights[at(c, dim)]);
      for (int64_t d = 0; d < dim; ++d) z += double(weights[at(c, d)]) * double(x[d]);
      logits.push_back(z);
    }
    const double total = log_sum_exp(logits);
    for (int32_t c = 0; c < classes; ++c) {
      const double residual = (std::exp(logits[size_t(c)] - total) - (c == data.labels[size_t(n)])) / double(count);
      gradient[at(c, dim)] += residual;
      for (int64_t d = 0; d < dim; ++d)
        gradient[at(c, d)] += residual * (double(x[d]) - mean[size_t(d)]) / deviation[size_t(d)];
    }
  }
  double worst = 0;
  for (int32_t c = 0; c < classes; ++c) {
    for (int64_t d = 0; d < dim; ++d) gradient[at(c, d)] += 2 * penalty * double(weights[at(c, d)]) * deviation[size_t(d)];
    for (int64_t d = 0; d <= dim; ++d) worst = std::max(worst, std::abs(gradient[at(c, d)]));
  }
  return worst;
}

}  // namespace

TEST_CASE("kNN equals a plain search in double, at sizes around the block") {
  for (const int64_t count : {1, 5, 127, 128, 129, 300}) {
    for (const int64_t dim : {1, 17, 64}) {
      const int32_t classes = 4, k = 20;
      const float temperature = 0.07f;
      const Labelled train = clusters(1, count, dim, classes, 2.0, false);
      const Floats queries = clusters(2, 131, dim, classes, 2.0, false).features;
      const std::vector<int32_t> predictions = knn(train, queries, dim, classes, k, temperature);
      int close_calls = 0;
      for (int64_t q = 0; q < 131; ++q) {
        std::vector<std::pair<double, int64_t>> nearest;
        for (int64_t n = 0; n < count; ++n) {
          double dot = 0, a = 0, b = 0;
          for (int64_t d = 0; d < dim; ++d) {
            const double x = double(queries[size_t(q * dim + d)]), y = double(train.features[size_t(n * dim + d)]);
            dot += x * y;
            a += x * x;
            b += y * y;
          }
          nearest.push_back({-dot / std::sqrt(a * b), n});
        }
        if (dim == 1) continue;  // every cosine is 1 or -1: ties decide, see below
        std::sort(nearest.begin(), nearest.end());
        Doubles votes(size_t(classes), 0.0);
        for (size_t i = 0; i < size_t(std::min<int64_t>(k, count)); ++i) {
          votes[size_t(train.labels[size_t(nearest[i].second)])] += std::exp(-nearest[i].first / double(temperature));
        }
        const size_t best = size_t(std::max_element(votes.begin(), votes.end()) - votes.begin());
        if (size_t(predictions[size_t(q)]) == best) continue;
        // Cosines in float are off by a few eps, over the temperature: only votes closer than that may differ.
        CHECK(votes[size_t(predictions[size_t(q)])] > votes[best] * (1 - 20 * double(FLT_EPSILON) / double(temperature)));
        ++close_calls;
      }
      CHECK(close_calls <= 1);
    }
  }
}

TEST_CASE("of equal cosines the earlier row is a neighbour, of equal votes the smaller class wins") {
  const Labelled train{{1, 0, 2, 0, 3, 0, 0, 1}, {2, 1, 1, 0}};  // three rows in one direction
  CHECK(knn(train, {5, 0}, 2, 3, 1, 0.07f) == std::vector<int32_t>{2});
  CHECK(knn(train, {5, 0}, 2, 3, 2, 0.07f) == std::vector<int32_t>{1});
  CHECK(knn(train, {5, 0}, 2, 3, 3, 0.07f) == std::vector<int32_t>{1});
  CHECK(knn(train, {0, 0}, 2, 3, 1, 0.07f) == std::vector<int32_t>{2});  // a zero row is equally far from all
}

TEST_CASE("a low temperature lets the nearest decide, a high one the majority, without overflow") {
  const Labelled train{{1, 0, 1, 0.2f, 1, 0.21f}, {0, 1, 1}};
  CHECK(knn(train, {1, 0}, 2, 2, 3, 1e-30f) == std::vector<int32_t>{0});
  CHECK(knn(train, {1, 0}, 2, 2, 3, 1e30f) == std::vector<int32_t>{1});
}

TEST_CASE("kNN and logistic regression have the same bits with any number of threads") {
  const Labelled data = clusters(3, 700, 40, 5, 3.0, true);
  swav_set_threads(1);
  const Floats weights = fit(data, 40, 5, 1e-3);
  const std::vector<int32_t> predictions = knn(data, data.features, 40, 5, 20, 0.07f);
  for (const int threads : {2, 3, 7}) {
    swav_set_threads(threads);
    CHECK(fit(data, 40, 5, 1e-3) == weights);
    CHECK(knn(data, data.features, 40, 5, 20, 0.07f) == predictions);
  }
  swav_set_threads(0);
}

TEST_CASE("logistic regression ends where the gradient of its objective vanishes, whatever the scales of the features") {
  for (const bool raw_scales : {false, true}) {
    for (const double penalty : {1e-2, 1e-4}) {
      const Labelled data = clusters(4, 600, 23, 4, 2.0, raw_scales);
      const Floats weights = fit(data, 23, 4, penalty);
      CAPTURE(penalty);
      // 1e-5 is what the fit ends at; as much again for weights and features rounded to float.
      CHECK(gradient_at(weights, data, 23, 4, penalty) < 2e-5);
      CHECK(accuracy(weights, clusters(5, 600, 23, 4, 2.0, raw_scales), 23, 4) > 0.6);
    }
  }
}

TEST_CASE("logistic regression separates what is separable and survives constant columns and one class") {
  Labelled data = clusters(6, 300, 12, 3, 0.1, true);
  for (size_t n = 0; n < 300; ++n) data.features[n * 12 + 5] = 7.5f;
  const Floats weights = fit(data, 12, 3, 0.0, 200);
  CHECK(accuracy(weights, data, 12, 3) == 1.0);
  for (int c = 0; c < 3; ++c) CHECK(weights[size_t(c * 13 + 5)] == 0);
  for (float w : weights) CHECK(std::isfinite(w));
  const Labelled one{{1, 2, 3, 4}, {0, 0}};
  CHECK(accuracy(fit(one, 2, 1, 0.0), one, 2, 1) == 1.0);
}

TEST_CASE("logistic regression at the size of imagenette converges") {
  const Labelled data = clusters(7, 4000, 512, 10, 6.0, true);
  const Floats weights = fit(data, 512, 10, 1e-4, 500);
  CHECK(gradient_at(weights, data, 512, 10, 1e-4) < 2e-5);
  CHECK(accuracy(weights, data, 512, 10) > 0.95);
}

TEST_CASE("L-BFGS finds the minimum of Rosenbrock's function and of an ill-conditioned quadratic") {
  const Objective rosenbrock = [](const Eigen::VectorXd& x, Eigen::VectorXd& g) {
    g = Eigen::VectorXd::Zero(x.size());
    double value = 0;
    for (int i = 0; i + 1 < x.size(); ++i) {
      const double a = x[i + 1] - x[i] * x[i], b = 1 - x[i];
      value += 100 * a * a + b * b;
      g[i] += -400 * x[i] * a - 2 * b;
      g[i + 1] += 200 * a;
    }
    return value;
  };
  Eigen::VectorXd x = Eigen::VectorXd::Constant(10, -1.2);
  const LbfgsResult result = minimise(rosenbrock, {1000, 1e-8, 0, 0}, x);
  CHECK(result.converged);
  CHECK((x - Eigen::VectorXd::Ones(10)).norm() < 1e-6);

  const Objective quadratic = [](const Eigen::VectorXd& x, Eigen::VectorXd& g) {
    double value = 0;
    for (int i = 0; i < x.size(); ++i) {
      const double c = std::pow(10.0, i);
      value += 0.5 * c * (x[i] - i) * (x[i] - i);
      g[i] = c * (x[i] - i);
    }
    return value;
  };
  x = Eigen::VectorXd::Constant(6, 50.0);
  CHECK(minimise(quadratic, {1000, 1e-8, 0, 0}, x).gradient < 1e-8);
  for (int i = 0; i < 6; ++i) CHECK(std::abs(x[i] - i) < 1e-7);
  const LbfgsResult short_run = minimise(rosenbrock, {2, 1e-8, 0, 0}, x);
  CHECK(short_run.iterations == 2);
  CHECK_FALSE(short_run.converged);
}

TEST_CASE("evaluation refuses what its comments exclude, naming the value") {
  const Floats x = {1, 2, 3, 4}, bad = {1, 2, 3, NAN};
  const int32_t labels[2] = {0, 1}, wrong[2] = {0, 2};
  int32_t predictions[2];
  Floats weights(6);
  const auto message = [](swav_status status, swav_status expected) {
    CHECK(status == expected);
    return std::string(swav_error_message());
  };
  const auto classify = [&](const int32_t* l, const Floats& f, int32_t k, float t) {
    return swav_knn(f.data(), l, 2, x.data(), 2, 2, 2, k, t, predictions);
  };
  CHECK(message(classify(wrong, x, 1, 0.07f), SWAV_ERROR_ARGUMENT) == "label 1 is 2; 0 to 1 is allowed");
  CHECK(message(classify(labels, x, 0, 0.07f), SWAV_ERROR_ARGUMENT) == "neighbours are 0; at least 1 is needed");
  CHECK(message(classify(labels, x, 1, 0), SWAV_ERROR_ARGUMENT) == "temperature is 0; a number above 0 is needed");
  CHECK(message(classify(labels, bad, 1, 1), SWAV_ERROR_NUMERIC) ==
        "row 1 of the training features is not finite; finite features are needed");
  CHECK(message(classify(nullptr, x, 1, 1), SWAV_ERROR_ARGUMENT) == "swav_knn: labels is NULL");
  CHECK(message(swav_linear_fit(x.data(), labels, 2, 2, 2, -1, 10, weights.data()), SWAV_ERROR_ARGUMENT) ==
        "penalty is -1; 0 or more is allowed");
  CHECK(message(swav_linear_fit(x.data(), labels, 2, 2, 2, 0, 0, weights.data()), SWAV_ERROR_ARGUMENT) ==
        "iterations are 0; at least 1 is needed");
  CHECK(message(swav_linear_fit(x.data(), labels, 0, 2, 2, 0, 1, weights.data()), SWAV_ERROR_ARGUMENT) ==
        "features are 0 x 2; at least 1 x 1 is needed");
}
