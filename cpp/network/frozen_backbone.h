// Features by a frozen backbone: batch-norm with running statistics in the weights, ReLU and residual sums inside the
// convolutions, activations in memory that steps share. In floats, in bfloat16, or in integers (precision int8).
#pragma once

#include <memory>

#include "base/arena.h"
#include "base/function_ref.h"
#include "network/frozen_weights.h"

namespace swav {

// How a network computes features of images.
enum class Precision { float32, int8, bfloat16 };

// What a precision stores its numbers as on this machine.
Element element_of(Precision precision);

// Windows of SWAV_OUTPUT_GRID.
constexpr int64_t grid_windows = 4;

class FrozenBackbone {
 public:
  // weights fit graphs of equal element and signature; both are kept.
  FrozenBackbone(std::unique_ptr<FrozenGraph> graph, std::shared_ptr<const FrozenWeights> weights);

  int64_t images() const { return graph_->images(); }
  int32_t height() const { return graph_->maps()[0].height; }
  int32_t width() const { return graph_->maps()[0].width; }

  // The convolution, or the pooling, of a step.
  std::string step_name(size_t step) const;
  // The step that ends a stage, 1 to 4.
  size_t last_step_of(int32_t stage) const;

  // images [images][height][width][channels] -> features [images][feature_dim], or with grid [images][feature_dim][2][2].
  // after(step, target), where given, is called when a step is done for some of the images.
  using Observer = FunctionRef<void(size_t, const FrozenMap&)>;
  void run(const float* images, int64_t feature_dim, float* features, Observer after = {}, bool grid = false);

 private:
  void frame(const float* images);
  void run_step(size_t index);
  void max_pool(const FrozenStep& step) const;

  std::unique_ptr<FrozenGraph> graph_;
  std::shared_ptr<const FrozenWeights> weights_;
  Arena arena_;
};

// The mean over the pixels of a float32 map, of the first `channels` of each: [images][channels].
void average_pool(const FrozenMap& map, int64_t channels, float* means);

// Raises ranges to the values of a float32 map: channel by channel, the first `channels` of each pixel.
void observe(const FrozenMap& map, std::vector<float>& largest);

// means [images][channels][2][2] of four windows that are a pixel smaller than a float32 map each way: what a window of 6 x 6
// with stride 1 sees of a map of 7 x 7.
void average_windows(const FrozenMap& map, int64_t channels, float* means);

// Whether every value of a float32 map is finite.
bool all_finite(const FrozenMap& map);

}  // namespace swav
