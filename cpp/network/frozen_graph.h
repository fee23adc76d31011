// The backbone as a frozen network runs it: maps of activations and the steps that make them, for images of one size and one
// kind of numbers. Geometry only; frozen_weights.h has the numbers, frozen_backbone.h runs both.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "network/description.h"
#include "ops/frozen_convolution.h"
#include "ops/frozen_winograd.h"

namespace swav {

// One convolution, or a block's last one with its projection: layers[i] reads map sources[i].
struct FrozenStep {
  enum class Kind { direct, winograd, max_pool };
  Kind kind = Kind::direct;
  std::vector<const ConvolutionLayer*> layers;
  std::vector<int> sources;
  int target = 0;
  int residual = -1;  // a map, or none
  bool relu = true;
  std::unique_ptr<FrozenConvolution> convolution;
  std::unique_ptr<FrozenWinograd> winograd;
};

class FrozenGraph {
 public:
  // direct: without Winograd, so that the maps are the same whatever the element. description is borrowed. Throws
  // SWAV_ERROR_ARGUMENT where the images are outside 8..16384 pixels.
  FrozenGraph(const Description& description, int64_t images, int32_t height, int32_t width, Element element, bool direct);

  Element element() const { return element_; }
  const std::vector<FrozenStep>& steps() const { return steps_; }
  // Map 0 is the framed input, the last one is float32 whatever the element.
  const std::vector<FrozenMap>& maps() const { return maps_; }
  // Which steps use Winograd: graphs of a network with equal signatures share weights.
  std::string signature() const;

  // Bytes of all activations and workspaces.
  int64_t memory() const { return memory_; }
  // Gives every map its place; memory is the caller's, 64-byte aligned.
  void bind(char* memory);
  float* workspace(size_t step) const { return reinterpret_cast<float*>(memory_base_ + workspace_offset_[step]); }

 private:
  int add_map(int32_t height, int32_t width, int32_t channels);
  int add_step(FrozenStep step, const ConvolutionLayer& shape, bool direct);
  int add_block(const BlockLayer& block, int input, bool direct);
  void create_operations();
  void plan_memory();

  Element element_;
  std::vector<FrozenMap> maps_;
  std::vector<int32_t> map_channels_;
  std::vector<FrozenStep> steps_;
  std::vector<int64_t> map_offset_, workspace_offset_;
  int64_t memory_ = 0;
  char* memory_base_ = nullptr;
};

}  // namespace swav
