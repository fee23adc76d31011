#include "network/inference.h"

#include <cstring>

namespace swav {

InferencePlan::InferencePlan(const Description& description, Parameters& parameters, int64_t images, int32_t height,
                             int32_t width)
    : images_(images),
      height_(height),
      width_(width),
      backbone_(description, images, height, width, Backbone::Purpose::inference) {
  if (description.config.dim > 0) head_ = std::make_unique<Head>(description, images, Head::Purpose::inference);
  WorkspaceSize size;
  GradientBufferSize unused;
  backbone_.include(size, unused);
  if (head_) head_->include(size);
  for (int pass = 0; pass < 2; ++pass) {
    if (pass == 1) arena_.allocate();
    workspace_ = size.take(arena_);
    backbone_.take(arena_);
    if (head_) head_->take(arena_);
    features_ = arena_.take<float>(images * description.feature_dim);
  }
  backbone_.bind(parameters, nullptr);
  if (head_) head_->bind(parameters, nullptr);
}

void InferencePlan::run(const float* images, Statistics statistics, swav_output output, float* result) {
  Communicator& alone = group_of_one();
  backbone_.forward(images, statistics, alone, workspace_, features_);
  if (output == SWAV_OUTPUT_FEATURES) {
    if (result != nullptr) std::memcpy(result, features_, size_t(images_ * backbone_.feature_dim()) * sizeof(float));
    if (statistics == Statistics::running) return;
  }
  if (!head_) return;
  head_->forward(features_, statistics, alone, workspace_);
  if (output == SWAV_OUTPUT_EMBEDDINGS)
    std::memcpy(result, head_->embeddings(), size_t(images_ * head_->dim()) * sizeof(float));
  if (output == SWAV_OUTPUT_SCORES) {
    head_->forward_scores(workspace_);
    std::memcpy(result, head_->scores(0), size_t(images_ * head_->prototypes(0)) * sizeof(float));
  }
}

void InferencePlan::add_moments(double* sums) {
  auto add = [&](Norm& norm) {
    const BatchNormValues& v = norm.values;
    const double unbiased = v.count > 1 ? v.count / (v.count - 1) : 1.0;
    for (int64_t c = 0; c < v.channels; ++c) {
      sums[c] += double(v.mean[c]);
      sums[v.channels + c] += unbiased * double(v.variance[c]);
    }
    sums += 2 * v.channels;
  };
  backbone_.for_each_norm(add);
  if (head_) head_->for_each_norm(add);
}

}  // namespace swav
