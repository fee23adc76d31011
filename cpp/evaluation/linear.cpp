#include "evaluation/linear.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <vector>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/status.h"
#include "evaluation/cross_entropy.h"
#include "evaluation/lbfgs.h"
#include "kernels/kernels.h"

namespace swav {
namespace {

// Columns scaled to mean 0 and deviation 1: scaled = (raw - mean) * inverse.
struct Standardised {
  std::vector<float> features;
  std::vector<double> mean, inverse;
};

Standardised standardise(const float* features, int64_t count, int64_t dim) {
  Standardised result{std::vector<float>(size_t(count * dim)), std::vector<double>(size_t(dim)),
                      std::vector<double>(size_t(dim))};
  constexpr int64_t width = 16;  // columns of a task: a cache line a row
  parallel::for_each((dim + width - 1) / width, [&](int64_t task, int) {
    const int64_t d0 = task * width, n = std::min(width, dim - d0);
    double mean[width] = {}, squares[width] = {};
    const auto for_rows = [&](auto body) {
      for (int64_t row = 0; row < count; ++row) {
        for (int64_t i = 0; i < n; ++i) body(row * dim + d0 + i, i);
      }
    };
    for_rows([&](int64_t at, int64_t i) { mean[i] += double(features[at]); });
    for (int64_t i = 0; i < n; ++i) mean[i] /= double(count);
    for_rows([&](int64_t at, int64_t i) {
      const double difference = double(features[at]) - mean[i];
      squares[i] += difference * difference;
    });
    for (int64_t i = 0; i < n; ++i) {
      const double deviation = std::sqrt(squares[i] / double(count));
      result.mean[size_t(d0 + i)] = mean[i];
      result.inverse[size_t(d0 + i)] = deviation > 1e-6 * std::abs(mean[i]) && deviation > 0 ? 1 / deviation : 0;
    }
    for_rows([&](int64_t at, int64_t i) {
      result.features[size_t(at)] = float((double(features[at]) - mean[i]) * result.inverse[size_t(d0 + i)]);
    });
  });
  return result;
}

// The class with the largest score in double, among those whose score in float allows it. `room` [classes] is how far a
// product in float may be off.
int32_t best_class(const float* weights, int64_t dim, int32_t classes, const float* x, const float* products,
                   const double* room) {
  double floor = -DBL_MAX;
  for (int32_t c = 0; c < classes; ++c) {
    const double least = double(products[c]) + double(weights[c * (dim + 1) + dim]) - room[c];
    if (std::isfinite(products[c]) && least > floor) floor = least;
  }
  double best = -DBL_MAX;
  int32_t found = 0;
  for (int32_t c = 0; c < classes; ++c) {
    const float* w = weights + c * (dim + 1);
    if (double(products[c]) + double(w[dim]) + room[c] < floor) continue;  // one that overflowed is not passed over
    double score = double(w[dim]);
    for (int64_t d = 0; d < dim; ++d) score += double(w[d]) * double(x[d]);
    if (score > best) {
      best = score;
      found = c;
    }
  }
  return found;
}

}  // namespace

void linear_fit(const float* features, const int32_t* labels, int64_t count, int64_t dim, int32_t classes,
                const swav_linear_config& config, float* weights) {
  const double penalty = config.penalty;
  SWAV_REQUIRE(penalty >= 0 && std::isfinite(penalty), "penalty is %g; 0 or more is allowed", penalty);
  SWAV_REQUIRE(config.max_iterations >= 1, "iterations are %d; at least 1 is needed", config.max_iterations);
  check_features("features", features, labels, count, dim, classes);
  // The scaled features; weights and a slab's gradient in float, and the points of L-BFGS in double; the scores of a slab.
  require_memory(count * dim * 4 + classes * (dim + 1) * (4 * 4 + 30 * 8) + std::min(score_slab_rows, count) * classes * 4,
                 "logistic regression", "fewer features or classes need less");
  const Standardised scaled = standardise(features, count, dim);
  CrossEntropy objective(scaled.features.data(), labels, count, dim, classes, penalty);
  const Progress progress(config.progress, config.context);
  Eigen::VectorXd point = Eigen::VectorXd::Zero(classes * (dim + 1));
  LbfgsOptions options{config.max_iterations};
  options.noise = 4 * double(FLT_EPSILON);  // products in float, sums in double
  int done = 0;
  options.after = [&](int iterations) { done = iterations; };
  minimise([&](const Eigen::VectorXd& x,
               Eigen::VectorXd& gradient) { return objective(x, gradient, [&] { progress(done, config.max_iterations); }); },
           options, point);
  progress(config.max_iterations, config.max_iterations);
  std::vector<float> found(size_t(classes * (dim + 1)));
  for (int32_t c = 0; c < classes; ++c) {
    double bias = point[classes * dim + c];
    for (int64_t d = 0; d < dim; ++d) {
      const double weight = point[c * dim + d] * scaled.inverse[size_t(d)];
      bias -= weight * scaled.mean[size_t(d)];
      found[size_t(c * (dim + 1) + d)] = float(weight);
    }
    found[size_t(c * (dim + 1) + dim)] = float(bias);
  }
  if (!std::all_of(found.begin(), found.end(), [](float w) { return std::isfinite(w); }))
    fail(SWAV_ERROR_NUMERIC, "a weight is beyond what a float can say: features are too small; multiply all by one number");
  std::copy(found.begin(), found.end(), weights);
}

void linear_predict(const float* weights, int64_t dim, int32_t classes, const float* features, int64_t count,
                    int32_t* predictions) {
  check_features("features", features, nullptr, count, dim, classes);
  require_memory(classes * (4 * dim + 4 * std::min(score_slab_rows, count) + 8 * feature_blocks(score_slab_rows) + 8),
                 "scores of classes", "fewer classes need less");
  FeatureProduct product(dim, classes);
  product.pack(weights, classes, dim + 1);
  std::vector<double> norms(static_cast<size_t>(classes)), room(size_t(feature_blocks(score_slab_rows) * classes));
  for (int32_t c = 0; c < classes; ++c) norms[size_t(c)] = std::sqrt(kernels().sum_squares(weights + c * (dim + 1), dim));
  std::vector<float> products(size_t(std::min(score_slab_rows, count) * classes));
  for (int64_t begin = 0; begin < count; begin += score_slab_rows) {
    const int64_t rows = std::min(score_slab_rows, count - begin);
    product.multiply(features + begin * dim, rows, products.data());
    parallel::for_each(feature_blocks(rows), [&](int64_t block, int) {
      double* off = room.data() + block * classes;
      for (int64_t n = block * feature_block; n < std::min(rows, (block + 1) * feature_block); ++n) {
        const float* x = features + (begin + n) * dim;
        // A sum of dim products in float is off by at most dim eps |w| |x| / 2, in whatever order; twice that for good measure.
        const double unit = double(dim) * double(FLT_EPSILON) * std::sqrt(kernels().sum_squares(x, dim));
        for (int32_t c = 0; c < classes; ++c) off[c] = unit * norms[size_t(c)];
        predictions[begin + n] = best_class(weights, dim, classes, x, products.data() + n * classes, off);
      }
    });
  }
}

void linear_scores(const float* weights, int64_t dim, int32_t classes, const float* features, int64_t count, float* scores) {
  check_features("features", features, nullptr, count, dim, classes);
  FeatureProduct product(dim, classes);
  product.pack(weights, classes, dim + 1);
  product.multiply(features, count, scores);
  parallel::for_each(feature_blocks(count), [&](int64_t block, int) {
    for (int64_t n = block * feature_block; n < std::min(count, (block + 1) * feature_block); ++n) {
      for (int32_t c = 0; c < classes; ++c) scores[n * classes + c] += weights[c * (dim + 1) + dim];
    }
  });
}

}  // namespace swav
