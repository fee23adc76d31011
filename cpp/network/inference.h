// Inference on batches of one size: a backbone and a head that reuse a few buffers.
#pragma once

#include <memory>

#include "network/backbone.h"
#include "network/head.h"

namespace swav {

class InferencePlan {
 public:
  InferencePlan(const Description& description, Parameters& parameters, int64_t images, int32_t height, int32_t width);

  bool fits(int64_t images, int32_t height, int32_t width) const {
    return images == images_ && height == height_ && width == width_;
  }

  // images [images][height][width][channels]; with batch statistics nothing is written to the running ones.
  void run(const float* images, Statistics statistics, swav_output output, float* result);

  // Adds the batch moments of the last run with batch statistics, norm after norm: [2][channels] (mean, unbiased variance)
  // each.
  void add_moments(double* sums);

 private:
  int64_t images_;
  int32_t height_, width_;
  Backbone backbone_;
  std::unique_ptr<Head> head_;
  Arena arena_;
  Workspace workspace_;
  float* features_ = nullptr;
};

}  // namespace swav
