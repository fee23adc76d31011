// Supervised training: a linear layer on features that learns from labels, alone or with the backbone below it, by SGD with
// momentum at a learning rate for each of the two. What evaluates pretrained features (linear, semi-supervised and fine-tuning
// protocols of the paper's section 4) and trains the supervised baseline.
//
// A step in order: forward of the backbone, logits, cross-entropy, backward in reverse, sum over the ranks, update, running
// statistics. objective/label_loss.h has what is learned.
#pragma once

#include <optional>
#include <string>

#include "network/backbone.h"
#include "network/network.h"
#include "objective/label_loss.h"
#include "optim/optimizer.h"

namespace swav {

class TensorFile;

struct ClassifierSettings {
  int32_t classes = 0;
  int64_t dim = 0;    // of a feature
  int32_t size = 0;   // of the images, in pixels a side; 0 without a network
  int32_t batch = 0;  // rows at most; with a network exactly
  float smoothing = 0, momentum = 0, weight_decay = 0;
  bool frozen_norms = false;
  float deviation = 0;  // of the first weights
  uint64_t seed = 0;
};

// Throws SWAV_ERROR_ARGUMENT naming the setting that is out of range.
void check(const ClassifierSettings& settings);

class Classifier {
 public:
  // network NULL: features are given. It outlives the classifier, as the group does. Throws SWAV_ERROR_ARGUMENT,
  // SWAV_ERROR_MEMORY.
  Classifier(Network* network, const ClassifierSettings& settings, Communicator& group = group_of_one());

  // A step that throws leaves all state as it was. Collective.
  void step(const swav_classifier_input& input, swav_classifier_report& report);
  const swav_memory_plan& memory() const { return bytes_; }
  const ClassifierSettings& settings() const { return settings_; }

  // The layer: [classes][dim + 1], bias last.
  void read(float* weights) const;
  // Of the last step: the layer's, weight [classes][dim] then bias [classes], and the backbone's, with the parameters' offsets.
  const float* layer_gradients() const { return d_layer_; }
  const float* backbone_gradients() const { return gradients_; }

  // -- classifier_checkpoint.cpp --
  void save(const std::string& path, const std::string& note) const;
  void load(const std::string& path);

 private:
  int64_t weight_count() const { return settings_.classes * settings_.dim; }
  int64_t layer_count() const { return weight_count() + settings_.classes; }
  void take(Arena& arena);
  void bind();
  void initialize();
  void check(const swav_classifier_input& input) const;
  const float* features_of(const swav_classifier_input& input);
  void compute_gradients(const swav_classifier_input& input, swav_classifier_report& report);
  void backward(const float* features);
  void require_finite(bool finite, const char* what);
  void update(const swav_classifier_input& input);

  Network* network_;
  ClassifierSettings settings_;
  Communicator& group_;
  Convolution linear_;  // the layer's products
  LabelObjective objective_;
  std::optional<Backbone> backbone_;
  WorkspaceSize workspace_size_;
  Workspace workspace_;
  PassBuffers buffers_;
  float *layer_ = nullptr, *d_layer_ = nullptr, *layer_state_ = nullptr;  // weight [classes][dim], then bias [classes]
  float *gradients_ = nullptr, *state_ = nullptr;                         // of the network, with the parameters' offsets
  float *features_ = nullptr, *d_features_ = nullptr;                     // [batch][dim]
  float* logits_ = nullptr;                                               // [batch][classes], then their gradient
  std::optional<Optimizer> layer_optimizer_, backbone_optimizer_;
  swav_memory_plan bytes_{};
  Arena arena_;
};

}  // namespace swav
