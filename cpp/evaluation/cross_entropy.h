// The objective of logistic regression: penalised mean cross-entropy over rows of features, with its gradient.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <vector>

#include "evaluation/features.h"

namespace swav {

// Rows whose scores are made at a time, and whose products are added in float before they go into the sums in double.
constexpr int64_t score_slab_rows = 1024;

class CrossEntropy {
 public:
  // features [count][dim] and labels [count] are borrowed.
  CrossEntropy(const float* features, const int32_t* labels, int64_t count, int64_t dim, int32_t classes, double penalty);

  // point and gradient: W [classes][dim], then b [classes], in one vector. Calls `between` between slabs of rows; what it
  // throws passes through.
  double operator()(const Eigen::VectorXd& point, Eigen::VectorXd& gradient, FunctionRef<void()> between);

 private:
  double add_slab(int64_t begin, int64_t rows, Eigen::VectorXd& gradient);
  double row_loss(float* row, int32_t label, double* bias_gradient) const;

  const float* features_;
  const int32_t* labels_;
  int64_t count_, dim_;
  int32_t classes_;
  double penalty_;
  FeatureProduct product_;
  std::vector<float> weights_, negative_bias_, zeros_, logits_, slab_gradient_;
  std::vector<double> bias_gradients_, losses_;  // of each block of a slab
};

}  // namespace swav
