// The backbone in one pass: a group of images of one size on its way through the ResNet and back (reference: multi-crop forward
// by resolution; batch-norm statistics are those of the group).
//
// What is kept of a training pass: each convolution's output before batch-norm and each residual sum, once. Normalised values
// are recomputed where they are read. An inference pass reuses a few buffers.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "network/layer.h"
#include "ops/pool.h"

namespace swav {

// Gradient buffers, shared by the passes of a plan, which run one after the other.
struct GradientBuffers {
  float *sum = nullptr, *next_sum = nullptr;  // of a block's output and input
  float* inner[2] = {nullptr, nullptr};       // between a block's convolutions
};

struct GradientBufferSize {
  int64_t sum = 0, inner = 0;
  GradientBuffers take(Arena& arena) const;
};

class Backbone {
 public:
  enum class Purpose { training, inference };

  // direct: no Winograd. Throws SWAV_ERROR_ARGUMENT when the images are too small for the network.
  Backbone(const Description& description, int64_t images, int32_t height, int32_t width, Purpose purpose, bool direct = false);

  int64_t images() const { return images_; }
  int64_t feature_dim() const { return feature_dim_; }
  int64_t input_count() const { return stem_->convolution().shape().in_count(); }
  int64_t activation_bytes() const { return activation_bytes_; }

  // Planning, in this order. bind: gradients is the base of the gradient array, or NULL for inference.
  void include(WorkspaceSize& workspace, GradientBufferSize& gradients) const;
  void take(Arena& arena);
  void bind(Parameters& parameters, float* gradients);

  // images [images][height][width][channels] -> features [images][feature_dim].
  void forward(const float* images, Statistics statistics, Communicator& communicator, const Workspace& workspace,
               float* features);

  // Adds all parameter gradients for d_features, of the last forward. Training passes only.
  void backward(const float* d_features, Communicator& communicator, const Workspace& workspace,
                const GradientBuffers& buffers);

  // Calls visit(layer) for every convolution in the order of the state dict.
  void for_each_layer(const std::function<void(const Layer&)>& visit) const;

  // Seconds since reset_times, beside those of the layers: images to frames; residual sums and pooling.
  double data_seconds() const { return data_seconds_; }
  double normalization_seconds() const { return normalization_seconds_; }
  void reset_times();

  // Running statistics of the last forward with batch statistics.
  void update_buffers();

  // Calls visit(norm) for every batch-norm in the order of the state dict.
  void for_each_norm(const std::function<void(Norm&)>& visit);

  // Calls visit(name, data, count) for every activation of the last forward, in order: to find where a value stopped being
  // finite.
  void for_each_activation(const std::function<void(const std::string&, const float*, int64_t)>& visit) const;

 private:
  struct Block {
    std::string name;
    std::vector<std::unique_ptr<Layer>> main;
    std::unique_ptr<Layer> projection;
    float* sum = nullptr;
    int64_t rows() const { return main.back()->rows(); }
    int64_t channels() const { return main.back()->norm.values.channels; }
    int64_t count() const { return main.back()->out_count(); }
  };

  void forward_stem(const float* images, Statistics statistics, Communicator& communicator, const Workspace& workspace);
  void backward_stem(float* d_stem, float* spare, Communicator& communicator, const Workspace& workspace);
  // d_stem: gradient behind the max-pool, or behind the ReLU; d: the gradient behind batch-norm.
  void backward_stem_norm(float* d_stem, float* d, Communicator& communicator, const Workspace& workspace);
  void backward_block(size_t index, GradientBuffers& buffers, Communicator& communicator, const Workspace& workspace);
  const float* block_input(size_t index) const { return index == 0 ? stem_out_ : blocks_[index - 1].sum; }

  int64_t images_;
  int64_t feature_dim_;
  Purpose purpose_;
  std::unique_ptr<Layer> stem_;
  bool max_pool_;
  PoolShape pool_;
  float* frame_ = nullptr;
  float* stem_out_ = nullptr;
  uint8_t* pool_index_ = nullptr;
  std::vector<Block> blocks_;
  int64_t last_pixels_ = 0;
  int64_t activation_bytes_ = 0;
  double data_seconds_ = 0, normalization_seconds_ = 0;
};

}  // namespace swav
