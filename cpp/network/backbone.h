// The backbone in one pass: a group of images of one size on its way through the ResNet and back (the
// published multi-crop forward goes resolution by resolution; batch-norm statistics are those of the group).
//
// Activations and their gradients are floats or bfloat16; weights, their gradients, batch-norm's values and features are
// floats.
//
// What is kept of a training pass: each convolution's output before batch-norm, and every fourth residual sum of a stage.
// Normalised values are recomputed where they are read, and the other sums, by passes over memory alone, when the backward
// comes to them. An inference pass reuses a few buffers.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/function_ref.h"
#include "network/layer.h"
#include "ops/pool.h"
#include "ops/residual.h"

namespace swav {

// Buffers of a pass while it runs: several passes may share them, as they run one after the other.
struct PassBuffers {
  Values rebuilt;        // a residual sum that is not kept
  Values sum, next_sum;  // gradients of a block's output and input
  Values inner[2];       // gradients between a block's convolutions, the last one first
};

struct PassBufferSize {
  int64_t rebuilt = 0, sum = 0, inner[2] = {0, 0};
  void include(const PassBufferSize& other);
  PassBuffers take(Arena& arena, Storage storage) const;
};

class Backbone {
 public:
  enum class Purpose { training, inference };

  // direct: no Winograd. Throws SWAV_ERROR_ARGUMENT when the images are too small for the network.
  Backbone(const Description& description, int64_t images, int32_t height, int32_t width, Purpose purpose, bool direct = false,
           Storage storage = Storage::float32);

  int64_t images() const { return images_; }
  int64_t feature_dim() const { return feature_dim_; }
  // Of an image, in the last map.
  int64_t last_pixels() const { return last_pixels_; }
  int64_t input_count() const { return stem_->convolution().shape().in_count(); }

  // Planning, in this order. bind: gradients is the base of the gradient array, or NULL for inference.
  void include(WorkspaceSize& workspace) const;
  PassBufferSize buffer_size() const;
  Storage storage() const { return storage_; }
  void take(Arena& arena);
  // The memory of what a forward leaves for its backward, batch-norm values aside: free for others before and after the two.
  void* activations() const { return activations_; }
  int64_t activation_bytes() const { return activation_bytes_; }
  void bind(Parameters& parameters, float* gradients);

  // images [images][height][width][channels] -> features [images][feature_dim]. An inference pass uses no buffers.
  void forward(const float* images, Statistics statistics, Communicator& communicator, const Workspace& workspace,
               const PassBuffers& buffers, float* features);

  // Adds all parameter gradients for d_features, of the last forward. Training passes only. `added(first)` is called when those
  // from `first`, in the gradient array, to the backbone's last one have been.
  void backward(const float* d_features, Communicator& communicator, const Workspace& workspace, const PassBuffers& buffers,
                FunctionRef<void(const float*)> added = {});

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
  void for_each_activation(const std::function<void(const std::string&, ConstValues, int64_t)>& visit) const;

 private:
  struct Block {
    std::string name;
    std::vector<std::unique_ptr<Layer>> main;
    std::unique_ptr<Layer> projection;
    Values sum;  // NULL: it is rebuilt
    int64_t rows() const { return main.back()->rows(); }
    int64_t channels() const { return main.back()->norm.values.channels; }
    int64_t count() const { return main.back()->out_count(); }
  };

  void take_for_training(Arena& arena);
  void take_for_inference(Arena& arena);
  void forward_stem(const float* images, Statistics statistics, Communicator& communicator, const Workspace& workspace);
  void backward_stem(Values d_stem, Values spare, Communicator& communicator, const Workspace& workspace);
  // d_stem: gradient behind the max-pool, or behind the ReLU; d: the gradient behind batch-norm.
  void backward_stem_norm(Values d_stem, Values d, Communicator& communicator, const Workspace& workspace);
  // The gradient behind a block's ReLU is in buffers.sum; becomes that of the block before.
  void backward_block(size_t index, PassBuffers& buffers, Communicator& communicator, const Workspace& workspace);
  // Whether a training pass keeps the sum of a block.
  bool keeps_sum(size_t index) const;
  // The sum of a block whose input is `input`, or NULL for what the sum's place holds.
  ResidualLink residual(size_t index, ConstValues input) const;
  // The backward of a block's sum, with its sums in the workspace, and what follows for its batch-norms.
  ResidualGradient residual_gradient(size_t index, ConstValues sum, const Workspace& workspace) const;
  void backward_norms(size_t index, int64_t blocks, Communicator& communicator, const Workspace& workspace);
  // The input of a block in the backward: kept, or rebuilt in `buffer`.
  ConstValues rebuild_input(size_t index, Values buffer);

  int64_t images_;
  int64_t feature_dim_;
  Purpose purpose_;
  Storage storage_;
  std::unique_ptr<Layer> stem_;
  bool max_pool_;
  PoolShape pool_;
  Values frame_;
  Values stem_out_;
  uint8_t* pool_index_ = nullptr;
  std::vector<Block> blocks_;
  int64_t last_pixels_ = 0;
  void* activations_ = nullptr;
  int64_t activation_bytes_ = 0, stem_out_count_ = 0;
  double data_seconds_ = 0, normalization_seconds_ = 0;
};

}  // namespace swav
