// A network: its description, its tensors, and inference on them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "network/inference.h"
#include "network/parameters.h"

namespace swav {

class Recalibration;

class Network {
 public:
  Network(const swav_network_config& config, uint64_t seed);
  // The same with all tensors zero, for somebody who fills them.
  explicit Network(const Description& description);
  ~Network();

  const Description& description() const { return description_; }
  const swav_network_config& config() const { return description_.config; }
  Parameters& parameters() { return parameters_; }
  const Parameters& parameters() const { return parameters_; }

  swav_input_description input;

  // One of its own with equal tensors, input and calibration.
  std::unique_ptr<Network> copy() const;

  // images [count][height][width][channels] -> result [count][output_dim(output)], in batches of at most `inference_batch`.
  // int8 needs a calibration of the weights as they are.
  void embed(Precision precision, swav_output output, const float* images, int64_t count, int32_t height, int32_t width,
             float* result);
  int64_t output_dim(swav_output output) const;

  // Widens the ranges of activations to what these images reach; the first batch after a change of the weights starts anew.
  void calibrate(const float* images, int64_t count, int32_t height, int32_t width);

  // What calibration found, for each convolution that ends in a ReLU; layers are those of the description. Throws
  // SWAV_ERROR_ARGUMENT without a calibration of the weights as they are.
  std::vector<swav_activation_range> activation_ranges() const;

  void recalibrate_begin();
  // count >= 2: one image has no variance.
  void recalibrate_batch(const float* images, int64_t count, int32_t height, int32_t width);
  void recalibrate_end();

 private:
  // What is made of the parameters for one precision; least recently used first.
  struct Frozen {
    std::vector<std::unique_ptr<FrozenPlan>> plans;
    std::vector<std::shared_ptr<const FrozenWeights>> weights;
    void clear();
  };

  void require_calibration(const char* what) const;
  Frozen& frozen(Precision precision) { return frozen_[int(precision)]; }
  void drop_outdated();
  [[noreturn]] void fail_not_finite(const float* images, int64_t count, int32_t height, int32_t width);
  FrozenPlan& plan_for(Precision precision, int64_t count, int32_t height, int32_t width);
  std::unique_ptr<FrozenBackbone> freeze(int64_t count, int32_t height, int32_t width, Precision precision, bool direct);

  Description description_;
  Parameters parameters_;
  Frozen frozen_[3];  // of each precision
  // What frozen_ was made of: this version of the parameters (0: of none) and, for integers, this input.
  uint64_t frozen_version_ = 0;
  swav_input_description frozen_input_{};
  // Of the parameters of this version; empty before a calibration.
  ActivationRanges ranges_;
  uint64_t calibrated_version_ = 0;
  std::unique_ptr<Recalibration> recalibration_;
};

// ImageNet's statistics at 224 pixels.
swav_input_description default_input();

}  // namespace swav
