#include "evaluation/linear.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <vector>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/status.h"
#include "evaluation/features.h"
#include "evaluation/lbfgs.h"

namespace swav {
namespace {

using RowMatrixD = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Rows are shared out to this many groups, each with sums of its own, which are added in order.
constexpr int64_t groups = 16;

// Columns scaled to mean 0 and deviation 1: scaled = (raw - mean) * inverse.
struct Standardised {
  RowMatrix features;
  Eigen::VectorXd mean, inverse;
};

Standardised standardise(const float* features, int64_t count, int64_t dim) {
  Standardised result{RowMatrix(count, dim), Eigen::VectorXd(dim), Eigen::VectorXd(dim)};
  constexpr int64_t block = 16;  // columns of a task: a cache line a row
  parallel::for_each((dim + block - 1) / block, [&](int64_t task, int) {
    for (int64_t d = task * block; d < std::min(dim, (task + 1) * block); ++d) {
      double sum = 0, squares = 0;
      for (int64_t n = 0; n < count; ++n) sum += double(features[n * dim + d]);
      const double mean = sum / double(count);
      for (int64_t n = 0; n < count; ++n) squares += std::pow(double(features[n * dim + d]) - mean, 2);
      const double deviation = std::sqrt(squares / double(count));
      result.mean[d] = mean;
      result.inverse[d] = deviation > 1e-6 * std::abs(mean) && deviation > 0 ? 1 / deviation : 0;
      for (int64_t n = 0; n < count; ++n) {
        result.features(n, d) = float((double(features[n * dim + d]) - mean) * result.inverse[d]);
      }
    }
  });
  return result;
}

// The objective. Its point is W [classes][dim] and then b [classes], all in one vector.
class CrossEntropy {
 public:
  CrossEntropy(const RowMatrix& features, const int32_t* labels, int32_t classes, double penalty)
      : features_(features),
        labels_(labels),
        classes_(classes),
        penalty_(penalty),
        weights_(classes, features.cols()),
        losses_(groups) {
    for (int64_t g = 0; g < groups; ++g) {
      gradients_.emplace_back(classes, features.cols() + 1);
      logits_.emplace_back(feature_block, classes);
      products_.emplace_back(classes, features.cols());
    }
  }

  double operator()(const Eigen::VectorXd& point, Eigen::VectorXd& gradient) {
    const int64_t dim = features_.cols();
    const Eigen::Map<const RowMatrixD> w(point.data(), classes_, dim);
    weights_ = w.cast<float>();
    const Eigen::Map<const Eigen::VectorXd> bias(point.data() + classes_ * dim, classes_);
    parallel::for_each(groups, [&](int64_t group, int) { add_group(group, bias); });
    Eigen::Map<RowMatrixD> w_gradient(gradient.data(), classes_, dim);
    Eigen::Map<Eigen::VectorXd> bias_gradient(gradient.data() + classes_ * dim, classes_);
    gradient.setZero();
    double loss = 0;
    for (int64_t g = 0; g < groups; ++g) {
      loss += losses_[size_t(g)];
      w_gradient += gradients_[size_t(g)].leftCols(dim);
      bias_gradient += gradients_[size_t(g)].col(dim);
    }
    gradient /= double(features_.rows());
    w_gradient += 2 * penalty_ * w;
    return loss / double(features_.rows()) + penalty_ * w.squaredNorm();
  }

 private:
  // Loss and gradient of one group of rows, by blocks.
  void add_group(int64_t group, const Eigen::Map<const Eigen::VectorXd>& bias) {
    const int64_t blocks = feature_blocks(features_.rows()), dim = features_.cols();
    RowMatrixD& gradient = gradients_[size_t(group)];
    gradient.setZero();
    losses_[size_t(group)] = 0;
    for (int64_t block = blocks * group / groups; block < blocks * (group + 1) / groups; ++block) {
      const int64_t begin = block * feature_block, rows = std::min(feature_block, features_.rows() - begin);
      const auto x = features_.middleRows(begin, rows);
      auto residual = logits_[size_t(group)].topRows(rows);
      residual.noalias() = x * weights_.transpose();
      for (int64_t n = 0; n < rows; ++n)
        losses_[size_t(group)] += row_loss(&residual(n, 0), labels_[begin + n], bias, gradient);
      products_[size_t(group)].noalias() = residual.transpose() * x;
      gradient.leftCols(dim) += products_[size_t(group)].cast<double>();
    }
  }

  // Turns a row of products W x into softmax - one-hot, adds that to the bias's gradient, and returns the cross-entropy.
  double row_loss(float* row, int32_t label, const Eigen::Map<const Eigen::VectorXd>& bias, RowMatrixD& gradient) const {
    double largest = -DBL_MAX, sum = 0;
    for (int32_t c = 0; c < classes_; ++c) largest = std::max(largest, double(row[c]) + bias[c]);
    const double chosen = double(row[label]) + bias[label];
    for (int32_t c = 0; c < classes_; ++c) sum += std::exp(double(row[c]) + bias[c] - largest);
    for (int32_t c = 0; c < classes_; ++c) {
      const double residual = std::exp(double(row[c]) + bias[c] - largest) / sum - (c == label ? 1 : 0);
      gradient(c, features_.cols()) += residual;
      row[c] = float(residual);
    }
    return std::log(sum) + largest - chosen;
  }

  const RowMatrix& features_;
  const int32_t* labels_;
  int32_t classes_;
  double penalty_;
  RowMatrix weights_;
  std::vector<RowMatrixD> gradients_;         // of each group, the bias in the last column
  std::vector<RowMatrix> logits_, products_;  // scratch of each group
  std::vector<double> losses_;
};

}  // namespace

void linear_fit(const float* features, const int32_t* labels, int64_t count, int64_t dim, int32_t classes, double penalty,
                int32_t max_iterations, float* weights) {
  SWAV_REQUIRE(penalty >= 0 && std::isfinite(penalty), "penalty is %g; 0 or more is allowed", penalty);
  SWAV_REQUIRE(max_iterations >= 1, "iterations are %d; at least 1 is needed", max_iterations);
  check_features("features", features, labels, count, dim, classes);
  // The scaled features; gradients of the groups in double, the rest in float, and some ten points of L-BFGS.
  require_memory(count * dim * 4 + classes * (dim + 1) * (groups * 12 + 30 * 8), "logistic regression",
                 "fewer features or classes need less");
  const Standardised scaled = standardise(features, count, dim);
  CrossEntropy objective(scaled.features, labels, classes, penalty);
  Eigen::VectorXd point = Eigen::VectorXd::Zero(classes * (dim + 1));
  LbfgsOptions options{max_iterations};
  options.noise = 4 * double(FLT_EPSILON);  // products in float, sums in double
  minimise([&](const Eigen::VectorXd& x, Eigen::VectorXd& gradient) { return objective(x, gradient); }, options, point);
  for (int32_t c = 0; c < classes; ++c) {
    double bias = point[classes * dim + c];
    for (int64_t d = 0; d < dim; ++d) {
      const double weight = point[c * dim + d] * scaled.inverse[d];
      bias -= weight * scaled.mean[d];
      weights[c * (dim + 1) + d] = float(weight);
    }
    weights[c * (dim + 1) + dim] = float(bias);
  }
}

void linear_predict(const float* weights, int64_t dim, int32_t classes, const float* features, int64_t count,
                    int32_t* predictions) {
  check_features("features", features, nullptr, count, dim, classes);
  parallel::for_each(feature_blocks(count), [&](int64_t block, int) {
    for (int64_t n = block * feature_block; n < std::min(count, (block + 1) * feature_block); ++n) {
      double best = -DBL_MAX;
      predictions[n] = 0;
      for (int32_t c = 0; c < classes; ++c) {
        const float* w = weights + c * (dim + 1);
        double score = double(w[dim]);
        for (int64_t d = 0; d < dim; ++d) score += double(w[d]) * double(features[n * dim + d]);
        if (score > best) {
          best = score;
          predictions[n] = c;
        }
      }
    }
  });
}

}  // namespace swav
