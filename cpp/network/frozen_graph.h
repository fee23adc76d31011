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

// Steps [first, last) are run for `group` images at a time, so that the maps of wide layers stay in the last-level cache.
// Between passes lie whole batches; a pass sees its part of them through the maps `input` and `output`, -1 for the network's
// own.
struct FrozenPass {
  size_t first = 0, last = 0;
  int64_t group = 0;
  int input = -1, output = -1;
};

class FrozenGraph {
 public:
  // direct: without Winograd, so that the steps are the same whatever the element. description is borrowed. Throws
  // SWAV_ERROR_ARGUMENT where the images are outside 8..16384 pixels.
  FrozenGraph(const Description& description, int64_t images, int32_t height, int32_t width, Element element, bool direct);

  Element element() const { return element_; }
  int64_t images() const { return images_; }
  const std::vector<FrozenStep>& steps() const { return steps_; }
  const std::vector<FrozenPass>& passes() const { return passes_; }
  // Of one group of images. Map 0 is the framed input, the last step's target is float32 whatever the element.
  const std::vector<FrozenMap>& maps() const { return maps_; }
  // The step whose target a map is; -1 for map 0.
  int producer(int map) const { return producer_[size_t(map)]; }
  // Which steps use Winograd: graphs of a network with equal signatures share weights.
  std::string signature() const;

  // Bytes of all activations and workspaces.
  int64_t memory() const { return memory_; }
  ScratchSize scratch() const;  // of the workers
  // Gives every map its place; memory is the caller's, 64-byte aligned.
  void bind(char* memory);
  // Points the input and output of a pass at its images from `image` on.
  void advance(const FrozenPass& pass, int64_t image);
  float* workspace(size_t step) const { return reinterpret_cast<float*>(memory_base_ + workspace_offset_[step]); }

 private:
  void start_pass(int64_t group, int& map);
  int add_map(int32_t height, int32_t width, int32_t channels, int producer);
  int add_step(FrozenStep step, const ConvolutionLayer& shape, bool winograd);
  int add_stem(const Description& description);
  int add_block(const BlockLayer& block, int input, bool direct);
  bool winograd_pays(int map, const ConvolutionLayer& layer) const;
  void create_operations();
  void plan_memory();

  Element element_;
  int64_t images_, group_ = 0;
  std::vector<FrozenMap> maps_;
  std::vector<int32_t> map_channels_;
  std::vector<int> producer_;
  std::vector<FrozenStep> steps_;
  std::vector<FrozenPass> passes_;
  std::vector<int64_t> map_offset_, workspace_offset_;
  int64_t memory_ = 0;
  char* memory_base_ = nullptr;
};

}  // namespace swav
