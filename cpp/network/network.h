// A network: its description, its tensors, and inference on them.
#pragma once

#include <map>
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
  ~Network();

  const Description& description() const { return description_; }
  const swav_network_config& config() const { return description_.config; }
  Parameters& parameters() { return parameters_; }
  const Parameters& parameters() const { return parameters_; }

  swav_input_description input;

  // Gradients of the trainer that last ran on this network, or NULL; offsets as the parameters'.
  float* gradients = nullptr;

  // images [count][height][width][channels] -> result [count][output_dim(output)], in batches of at most `inference_batch`.
  void embed(swav_output output, const float* images, int64_t count, int32_t height, int32_t width, float* result);
  int64_t output_dim(swav_output output) const;

  // How embed computes. int8 needs a calibration of the weights as they are.
  void set_precision(Precision precision) { precision_ = precision; }
  // Widens the ranges of activations to what these images reach; the first batch after a change of the weights starts anew.
  void calibrate(const float* images, int64_t count, int32_t height, int32_t width);

  void recalibrate_begin();
  void recalibrate_batch(const float* images, int64_t count, int32_t height, int32_t width);
  void recalibrate_end();

 private:
  void drop_outdated();
  [[noreturn]] void fail_not_finite(const float* images, int64_t count, int32_t height, int32_t width);
  FrozenPlan& plan_for(int64_t count, int32_t height, int32_t width);
  std::unique_ptr<FrozenBackbone> freeze(int64_t count, int32_t height, int32_t width, Precision precision, bool direct);

  Description description_;
  Parameters parameters_;
  Precision precision_ = Precision::float32;
  // The parameters as they were when last looked at.
  uint64_t version_ = 0, fingerprint_ = 0;
  swav_input_description frozen_input_{};
  // Plans and folded weights of those parameters and frozen_precision_; least recently used first.
  Precision frozen_precision_ = Precision::float32;
  std::vector<std::unique_ptr<FrozenPlan>> plans_;
  std::vector<std::shared_ptr<const FrozenWeights>> weights_;
  // Of the parameters with this fingerprint; empty before a calibration.
  ActivationRanges ranges_;
  uint64_t calibrated_fingerprint_ = 0;
  std::unique_ptr<Recalibration> recalibration_;
};

// ImageNet's statistics at 224 pixels.
swav_input_description default_input();

// -- weights.cpp: files --

// How names of tensors begin that a checkpoint holds beside the network's.
inline constexpr const char *optimizer_prefix = "optimizer.", *objective_prefix = "objective.";

// Fills the network's tensors from a file; see swav_network_load.
void load_weights(Network& network, const std::string& path, swav_load_report* report);
std::unique_ptr<Network> open_network(const std::string& path, swav_load_report* report);
void save_weights(const Network& network, const std::string& path);
// What a file says about its network beside the tensors: architecture, stem, input size, mean, std.
std::map<std::string, std::string> weights_metadata(const Network& network);

}  // namespace swav
