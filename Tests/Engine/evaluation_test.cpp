#include <doctest/doctest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <string>
#include <tuple>

#include "base/parallel.h"
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
  swav_knn_config config = swav_knn_config_default();
  config.neighbours = k;
  config.temperature = temperature;
  REQUIRE_MESSAGE(swav_knn(train.features.data(), train.labels.data(), int64_t(train.labels.size()), queries.data(),
                           int64_t(predictions.size()), dim, classes, &config, predictions.data()) == SWAV_OK,
                  swav_error_message());
  return predictions;
}

std::vector<int32_t> leave_one_out(const Labelled& data, int64_t dim, int32_t classes, int32_t k) {
  std::vector<int32_t> predictions(data.labels.size(), -1);
  swav_knn_config config = swav_knn_config_default();
  config.neighbours = k;
  config.leave_one_out = true;
  REQUIRE_MESSAGE(swav_knn(data.features.data(), data.labels.data(), int64_t(data.labels.size()), nullptr, 0, dim, classes,
                           &config, predictions.data()) == SWAV_OK,
                  swav_error_message());
  return predictions;
}

// The votes of a query in double; `left_out` is a row that does not count, or -1.
Doubles votes(const Labelled& train, const float* query, int64_t dim, int32_t classes, int64_t k, double temperature,
              int64_t left_out) {
  std::vector<std::pair<double, int64_t>> nearest;
  for (int64_t n = 0; n < int64_t(train.labels.size()); ++n) {
    double dot = 0, a = 0, b = 0;
    for (int64_t d = 0; d < dim; ++d) {
      const double x = double(query[d]), y = double(train.features[size_t(n * dim + d)]);
      dot += x * y;
      a += x * x;
      b += y * y;
    }
    if (n != left_out) nearest.push_back({-dot / std::sqrt(a * b), n});
  }
  std::sort(nearest.begin(), nearest.end());
  Doubles result(size_t(classes), 0.0);
  for (size_t i = 0; i < std::min(size_t(k), nearest.size()); ++i)
    result[size_t(train.labels[size_t(nearest[i].second)])] += std::exp(-nearest[i].first / temperature);
  return result;
}

// Whether a prediction is the winner of those votes, or as good as it: cosines in float are off by at most dim eps / 2 (their
// rows have unit norm), so votes by that over the temperature, and by 2e-7 for exp.
bool wins(const Doubles& votes, int32_t prediction, int64_t dim, double temperature) {
  const double best = *std::max_element(votes.begin(), votes.end());
  const double off = 0.5 * double(dim) * double(FLT_EPSILON) / temperature + 2e-7;
  return votes[size_t(prediction)] >= best * (1 - 2 * off);
}

Floats fit(const Labelled& data, int64_t dim, int32_t classes, double penalty, int32_t iterations = 1000) {
  Floats weights(size_t(classes * (dim + 1)));
  swav_linear_config config = swav_linear_config_default();
  config.penalty = penalty;
  config.max_iterations = iterations;
  REQUIRE_MESSAGE(swav_linear_fit(data.features.data(), data.labels.data(), int64_t(data.labels.size()), dim, classes, &config,
                                  weights.data()) == SWAV_OK,
                  swav_error_message());
  return weights;
}

std::vector<int32_t> predict(const Floats& weights, const Floats& features, int64_t dim, int32_t classes) {
  std::vector<int32_t> predictions(features.size() / size_t(dim), -1);
  REQUIRE(swav_linear_predict(weights.data(), dim, classes, features.data(), int64_t(predictions.size()), predictions.data()) ==
          SWAV_OK);
  return predictions;
}

double accuracy(const Floats& weights, const Labelled& data, int64_t dim, int32_t classes) {
  const std::vector<int32_t> predictions = predict(weights, data.features, dim, classes);
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

TEST_CASE("kNN equals a plain search in double, at sizes around the blocks of rows") {
  const int32_t classes = 4, k = 20;
  for (const auto& [count, dim, queries] : {std::tuple{int64_t{1}, int64_t{17}, int64_t{3}},
                                            {5, 17, 131},
                                            {63, 64, 65},
                                            {129, 17, 64},
                                            {300, 100, 131},
                                            {2047, 8, 70},
                                            {2048, 8, 70},
                                            {2049, 8, 70},
                                            {4099, 5, 40},
                                            {60, 6, 2049},
                                            {70, 2305, 9}}) {
    const Labelled train = clusters(1, count, dim, classes, 2.0, false);
    const Floats asked = clusters(2, queries, dim, classes, 2.0, false).features;
    const std::vector<int32_t> predictions = knn(train, asked, dim, classes, k, 0.07f);
    int64_t wrong = 0;
    for (int64_t q = 0; q < queries; ++q) {
      const Doubles expected = votes(train, asked.data() + q * dim, dim, classes, k, 0.07, -1);
      wrong += !wins(expected, predictions[size_t(q)], dim, 0.07);
    }
    CAPTURE(count);
    CAPTURE(dim);
    CAPTURE(queries);
    CHECK(wrong == 0);
  }
}

TEST_CASE("leaving one out, each row is asked about among all others") {
  for (const int64_t count : {2, 50, 2100}) {
    const int64_t dim = 9;
    const Labelled data = clusters(3, count, dim, 4, 2.0, false);
    const std::vector<int32_t> predictions = leave_one_out(data, dim, 4, 5);
    int64_t wrong = 0, as_itself = 0;
    for (int64_t n = 0; n<count; n += count> 100 ? 7 : 1) {
      wrong += !wins(votes(data, data.features.data() + n * dim, dim, 4, 5, 0.07, n), predictions[size_t(n)], dim, 0.07);
      as_itself += predictions[size_t(n)] == data.labels[size_t(n)];
    }
    CAPTURE(count);
    CHECK(wrong == 0);
    CHECK(as_itself < count);  // with itself among the neighbours hardly a row would be wrong
  }
  // All neighbours, and the same picture twice: its twin counts.
  CHECK(leave_one_out({{1, 0, 1, 0, 0, 1, 0, 1}, {0, 1, 2, 3}}, 2, 4, 1) == std::vector<int32_t>{1, 0, 3, 2});
  CHECK(leave_one_out({{1, 0, 1, 0, 0, 1, 0, 1}, {0, 1, 2, 3}}, 2, 4, 100) == std::vector<int32_t>{1, 0, 3, 2});
}

TEST_CASE("the same row gives the same cosine wherever it stands, so that of several the first is the neighbour") {
  const int64_t count = 2500, dim = 37;
  Labelled train = clusters(8, count, dim, 5, 2.0, false);
  const Floats query = clusters(9, 1, dim, 5, 2.0, false).features;
  for (const int64_t n : {13, 100, 2047, 2048, 2490}) std::copy(query.begin(), query.end(), train.features.begin() + n * dim);
  for (size_t n = 0; n < size_t(count); ++n) train.labels[n] = int32_t(n);
  CHECK(knn(train, query, dim, count, 1, 0.07f) == std::vector<int32_t>{13});
  std::rotate(train.features.begin(), train.features.begin() + 14 * dim, train.features.end());
  CHECK(knn(train, query, dim, count, 1, 0.07f) == std::vector<int32_t>{86});
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
  CHECK(knn(train, {1, 0}, 2, 2, 3, 1e-45f) == std::vector<int32_t>{0});
}

TEST_CASE("kNN and logistic regression have the same bits with any number of threads") {
  const Labelled data = clusters(3, 2200, 40, 5, 3.0, true);
  const Floats queries = clusters(4, 900, 40, 5, 3.0, true).features;
  swav_set_threads(1);
  const Floats weights = fit(data, 40, 5, 1e-3, 30);
  const std::vector<int32_t> nearest = knn(data, queries, 40, 5, 20, 0.07f), others = leave_one_out(data, 40, 5, 20);
  const std::vector<int32_t> linear = predict(weights, queries, 40, 5);
  for (const int threads : {2, 3, 7}) {
    swav_set_threads(threads);
    CHECK(fit(data, 40, 5, 1e-3, 30) == weights);
    CHECK(knn(data, queries, 40, 5, 20, 0.07f) == nearest);
    CHECK(leave_one_out(data, 40, 5, 20) == others);
    CHECK(predict(weights, queries, 40, 5) == linear);
  }
  swav_set_threads(0);
}

TEST_CASE("a linear classifier's class is the one of the largest score in double, near ties and far offsets included") {
  const int64_t dim = 300, count = 1100;
  const int32_t classes = 37;
  Floats weights = unit_vectors(21, classes, dim + 1);
  // Every other class is its neighbour but for the last bits of one weight, which a sum in float does not see.
  for (size_t c = 1; c < size_t(classes); c += 2) {
    for (size_t d = 0; d <= size_t(dim); ++d) weights[c * size_t(dim + 1) + d] = weights[(c - 1) * size_t(dim + 1) + d];
    weights[c * size_t(dim + 1) + 7] = std::nextafter(weights[c * size_t(dim + 1) + 7], c % 4 == 1 ? 2.0f : -2.0f);
  }
  for (const float offset : {0.0f, 1000.0f}) {
    Floats features = unit_vectors(22, count, dim);
    for (float& x : features) x += offset;
    const std::vector<int32_t> predictions = predict(weights, features, dim, classes);
    int64_t wrong = 0;
    for (int64_t n = 0; n < count; ++n) {
      double best = -DBL_MAX;
      int32_t expected = 0;
      for (int32_t c = 0; c < classes; ++c) {
        const float* w = weights.data() + c * (dim + 1);
        double score = double(w[dim]);
        for (int64_t d = 0; d < dim; ++d) score += double(w[d]) * double(features[size_t(n * dim + d)]);
        if (score > best) best = score, expected = c;
      }
      wrong += predictions[size_t(n)] != expected;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("a call says how far it is, from the beginning to the end") {
  const int64_t count = 4500, dim = 3;
  const Labelled data = clusters(3, count, dim, 5, 3.0, false);
  std::vector<double> shares;
  const auto tell = [](void* context, int64_t done, int64_t total) {
    static_cast<std::vector<double>*>(context)->push_back(double(done) / double(total));
  };
  for (const bool linear : {false, true}) {
    shares.clear();
    std::vector<int32_t> predictions(size_t{count});
    Floats weights(5 * (dim + 1));
    const swav_knn_config nearest{20, 0.07f, false, false, tell, &shares};
    const swav_linear_config regression{1e-3, 100, tell, &shares};
    CHECK((linear ? swav_linear_fit(data.features.data(), data.labels.data(), count, dim, 5, &regression, weights.data())
                  : swav_knn(data.features.data(), data.labels.data(), count, data.features.data(), count, dim, 5, &nearest,
                             predictions.data())) == SWAV_OK);
    CHECK(shares.size() > 4);
    CHECK(std::is_sorted(shares.begin(), shares.end()));
    CHECK(shares.front() == 0);
    CHECK(shares.back() == 1);
  }
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
    const swav_knn_config config{k, t, false, false, nullptr, nullptr};
    return swav_knn(f.data(), l, 2, x.data(), 2, 2, 2, &config, predictions);
  };
  const auto regress = [&](int64_t count, double penalty, int32_t iterations) {
    const swav_linear_config config{penalty, iterations, nullptr, nullptr};
    return swav_linear_fit(x.data(), labels, count, 2, 2, &config, weights.data());
  };
  const Floats small = {1e-40f, 2e-40f, 3e-40f, 1e-40f};
  weights.assign(6, 7);
  CHECK(message(swav_linear_fit(small.data(), labels, 2, 2, 2, nullptr, weights.data()), SWAV_ERROR_NUMERIC)
            .find("a weight is beyond what a float can say") == 0);
  CHECK(weights == Floats(6, 7));
  CHECK(message(classify(wrong, x, 1, 0.07f), SWAV_ERROR_ARGUMENT) == "label 1 is 2; 0 to 1 is allowed");
  CHECK(message(classify(labels, x, 0, 0.07f), SWAV_ERROR_ARGUMENT) == "neighbours are 0; at least 1 is needed");
  CHECK(message(classify(labels, x, 1, 0), SWAV_ERROR_ARGUMENT) == "temperature is 0; a number above 0 is needed");
  CHECK(message(classify(labels, bad, 1, 1), SWAV_ERROR_NUMERIC) ==
        "row 1 of the training features is not finite; finite features are needed");
  CHECK(message(classify(nullptr, x, 1, 1), SWAV_ERROR_ARGUMENT) == "swav_knn: labels is NULL");
  CHECK(message(swav_knn(x.data(), labels, 2, nullptr, 0, 2, 2, nullptr, predictions), SWAV_ERROR_ARGUMENT) ==
        "swav_knn: queries is NULL");
  const swav_knn_config alone{1, 1, false, true, nullptr, nullptr};
  CHECK(message(swav_knn(x.data(), labels, 1, nullptr, 0, 2, 2, &alone, predictions), SWAV_ERROR_ARGUMENT) ==
        "there is 1 training row; leaving one out needs at least 2");
  CHECK(message(swav_knn(x.data(), labels, 2, x.data(), 2, int64_t{1} << 40, 2, nullptr, predictions), SWAV_ERROR_ARGUMENT) ==
        "training features have 1099511627776 numbers a row; at most 1048576 are allowed");
  CHECK(message(regress(2, -1, 10), SWAV_ERROR_ARGUMENT) == "penalty is -1; 0 or more is allowed");
  CHECK(message(regress(2, 0, 0), SWAV_ERROR_ARGUMENT) == "iterations are 0; at least 1 is needed");
  CHECK(message(regress(0, 0, 1), SWAV_ERROR_ARGUMENT) == "swav_linear_fit: count is 0; 1 to 2147483647 is allowed");
}
