// Inference on batches of one size. FrozenPlan is what embeds images; InferencePlan is the training network's own forward pass,
// layer by layer: its batch moments recalibrate, and it is the readable twin of the frozen one.
#pragma once

#include <memory>

#include "network/backbone.h"
#include "network/frozen_backbone.h"
#include "network/head.h"

namespace swav {

// Bytes that plans below take for themselves, the scratch of the workers included.
int64_t frozen_plan_bytes(const Description& description, int64_t images, int32_t height, int32_t width, Element element,
                          bool direct);
int64_t inference_plan_bytes(const Description& description, int64_t images, int32_t height, int32_t width);

// Embeddings and scores behind features.
class HeadPlan {
 public:
  HeadPlan(const Description& description, Parameters& parameters, int64_t images);

  // features [images][feature_dim] -> what `output` says; not SWAV_OUTPUT_FEATURES.
  void run(const float* features, Statistics statistics, swav_output output, float* result);

  Head& head() { return head_; }

 private:
  Head head_;
  Arena arena_;
  Workspace workspace_;
};

class FrozenPlan {
 public:
  // The weights that `backbone` was made with are those of `parameters`; the description is borrowed.
  FrozenPlan(const Description& description, Parameters& parameters, std::unique_ptr<FrozenBackbone> backbone);

  bool fits(int64_t images, int32_t height, int32_t width) const {
    return images == backbone_->images() && height == backbone_->height() && width == backbone_->width();
  }

  // images [images][height][width][channels].
  void run(const float* images, swav_output output, float* result);

 private:
  void run_stage(const float* images, int32_t stage, float* result);

  std::unique_ptr<FrozenBackbone> backbone_;
  std::unique_ptr<HeadPlan> head_;
  std::vector<float> features_;
  const Description& description_;
};

// 1 to 3 where an output is the map of an inner stage; 0: it is none.
int32_t stage_of(swav_output output);
// Channels of the map behind a stage, 1 to 4.
int64_t stage_channels(const Description& description, int32_t stage);

class InferencePlan {
 public:
  // Throws SWAV_ERROR_MEMORY.
  InferencePlan(const Description& description, Parameters& parameters, int64_t images, int32_t height, int32_t width);

  bool fits(int64_t images, int32_t height, int32_t width) const {
    return images == images_ && height == height_ && width == width_;
  }

  // images [images][height][width][channels]; with batch statistics nothing is written to the running ones.
  void run(const float* images, Statistics statistics, swav_output output, float* result);

  // Throws SWAV_ERROR_NUMERIC naming the first batch-norm whose batch moments in the last run are not finite.
  void require_finite_moments();

  // Adds the batch moments of the last run with batch statistics, norm after norm: [2][channels] (mean, unbiased variance)
  // each.
  void add_moments(double* sums);

 private:
  int64_t images_;
  int32_t height_, width_;
  Backbone backbone_;
  std::unique_ptr<HeadPlan> head_;
  Arena arena_;
  Workspace workspace_;
  float* features_ = nullptr;
};

}  // namespace swav
