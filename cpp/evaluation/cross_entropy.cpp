#include "evaluation/cross_entropy.h"

#include <algorithm>

#include "base/logarithm.h"
#include "base/parallel.h"
#include "kernels/kernels.h"

namespace swav {

CrossEntropy::CrossEntropy(const float* features, const int32_t* labels, int64_t count, int64_t dim, int32_t classes,
                           double penalty)
    : features_(features),
      labels_(labels),
      count_(count),
      dim_(dim),
      classes_(classes),
      penalty_(penalty),
      product_(dim, classes),
      weights_(size_t(classes * dim)),
      negative_bias_(size_t(classes)),
      zeros_(size_t(classes), 0.0f),
      logits_(size_t(std::min(score_slab_rows, count) * classes)),
      slab_gradient_(size_t(classes * dim)),
      bias_gradients_(size_t(feature_blocks(score_slab_rows) * classes)),
      losses_(size_t(feature_blocks(score_slab_rows))) {}

double CrossEntropy::operator()(const Eigen::VectorXd& point, Eigen::VectorXd& gradient, FunctionRef<void()> between) {
  const int64_t w_count = classes_ * dim_;
  parallel::for_each(classes_, [&](int64_t c, int) {
    for (int64_t i = c * dim_; i < (c + 1) * dim_; ++i) weights_[size_t(i)] = float(point[i]);
    negative_bias_[size_t(c)] = -float(point[w_count + c]);
  });
  product_.pack(weights_.data(), classes_, dim_);
  gradient.setZero();
  double loss = 0;
  for (int64_t begin = 0; begin < count_; begin += score_slab_rows) {
    between();
    loss += add_slab(begin, std::min(score_slab_rows, count_ - begin), gradient);
  }
  gradient /= double(count_);
  gradient.head(w_count) += 2 * penalty_ * point.head(w_count);
  return loss / double(count_) + penalty_ * point.head(w_count).squaredNorm();
}

// Loss and gradient of rows [begin, begin + rows).
double CrossEntropy::add_slab(int64_t begin, int64_t rows, Eigen::VectorXd& gradient) {
  product_.multiply(features_ + begin * dim_, rows, logits_.data());
  parallel::for_each(feature_blocks(rows), [&](int64_t block, int) {
    double* bias_gradient = bias_gradients_.data() + block * classes_;
    std::fill(bias_gradient, bias_gradient + classes_, 0.0);
    losses_[size_t(block)] = 0;
    for (int64_t n = block * feature_block; n < std::min(rows, (block + 1) * feature_block); ++n)
      losses_[size_t(block)] += row_loss(logits_.data() + n * classes_, labels_[begin + n], bias_gradient);
  });
  std::fill(slab_gradient_.begin(), slab_gradient_.end(), 0.0f);
  product_.add_gradient(features_ + begin * dim_, logits_.data(), rows, slab_gradient_.data());
  parallel::for_each(classes_, [&](int64_t c, int) {
    for (int64_t i = c * dim_; i < (c + 1) * dim_; ++i) gradient[i] += double(slab_gradient_[size_t(i)]);
    for (int64_t block = 0; block < feature_blocks(rows); ++block)
      gradient[classes_ * dim_ + c] += bias_gradients_[size_t(block * classes_ + c)];
  });
  double loss = 0;
  for (int64_t block = 0; block < feature_blocks(rows); ++block) loss += losses_[size_t(block)];
  return loss;
}

// Turns a row of products W x into softmax - one-hot, adds that to the bias's gradient, and returns the cross-entropy.
double CrossEntropy::row_loss(float* row, int32_t label, double* bias_gradient) const {
  const Kernels& kernel = kernels();
  const double chosen = double(row[label] - negative_bias_[size_t(label)]);
  const float largest = kernel.potential_max(row, negative_bias_.data(), zeros_.data(), 1, classes_);
  const double sum = kernel.potential_exp(row, negative_bias_.data(), zeros_.data(), 1, largest, row, classes_);
  kernel.scale_row(row, float(1 / sum), row, classes_);
  row[label] -= 1;
  for (int32_t c = 0; c < classes_; ++c) bias_gradient[c] += double(row[c]);
  return logarithm(sum) + double(largest) - chosen;
}

}  // namespace swav
