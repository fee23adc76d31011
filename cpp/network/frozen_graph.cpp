#include "network/frozen_graph.h"

#include <algorithm>

#include "base/status.h"
#include "network/activation_memory.h"

namespace swav {
namespace {

int32_t out_size(int32_t size, const ConvolutionLayer& layer) {
  return (size + 2 * layer.padding - layer.kernel) / layer.stride + 1;
}

}  // namespace

FrozenGraph::FrozenGraph(const Description& d, int64_t images, int32_t height, int32_t width, Element element, bool direct)
    : element_(element) {
  SWAV_REQUIRE(images >= 1, "the number of images is %lld; at least 1 is needed", static_cast<long long>(images));
  SWAV_REQUIRE(height >= 8 && width >= 8 && height <= 16384 && width <= 16384,
               "images are %d x %d pixels; 8 to 16384 is allowed", width, height);
  maps_.push_back(FrozenMap::frame(images, height, width, d.config.channels, d.stem.padding, element));
  map_channels_.push_back(d.config.channels);
  FrozenStep stem;
  stem.layers = {&d.stem};
  stem.sources = {0};
  int map = add_step(std::move(stem), d.stem, true);
  if (d.max_pool) {
    const FrozenMap& from = maps_[size_t(map)];
    FrozenStep pool;
    pool.kind = FrozenStep::Kind::max_pool;
    pool.sources = {map};
    pool.target = add_map((from.height - 1) / 2 + 1, (from.width - 1) / 2 + 1, d.stem.out);
    map = pool.target;
    steps_.push_back(std::move(pool));
  }
  for (const BlockLayer& block : d.blocks) map = add_block(block, map, direct || element != Element::float32);
  create_operations();
  plan_memory();
}

int FrozenGraph::add_map(int32_t height, int32_t width, int32_t channels) {
  maps_.emplace_back(maps_[0].images, height, width, channels, 0, element_);
  map_channels_.push_back(channels);
  return int(maps_.size()) - 1;
}

// Appends a step whose target has the size that `shape` gives to its first source.
int FrozenGraph::add_step(FrozenStep step, const ConvolutionLayer& shape, bool direct) {
  const FrozenMap& from = maps_[size_t(step.sources[0])];
  const bool tiles = !direct && shape.kernel == 3 && shape.stride == 1;
  if (tiles && FrozenWinograd::pays(from.images, from.height, from.width, shape.in, shape.out)) {
    step.kind = FrozenStep::Kind::winograd;
  }
  step.target = add_map(out_size(from.height, shape), out_size(from.width, shape), shape.out);
  steps_.push_back(std::move(step));
  return steps_.back().target;
}

int FrozenGraph::add_block(const BlockLayer& block, int input, bool direct) {
  int map = input;
  for (size_t i = 0; i + 1 < block.main.size(); ++i) {
    FrozenStep step;
    step.layers = {&block.main[i]};
    step.sources = {map};
    map = add_step(std::move(step), block.main[i], direct);
  }
  const ConvolutionLayer& last = block.main.back();
  FrozenStep step;
  step.layers = {&last};
  step.sources = {map};
  if (!block.projected) {
    step.residual = input;
  } else {
    const FrozenMap& from = maps_[size_t(map)];
    const bool tiles =
        !direct && last.kernel == 3 && FrozenWinograd::pays(from.images, from.height, from.width, last.in, last.out);
    if (tiles) {  // the projection cannot join the sum
      FrozenStep projection;
      projection.layers = {&block.projection};
      projection.sources = {input};
      projection.relu = false;
      step.residual = add_step(std::move(projection), block.projection, direct);
    } else {
      step.layers.push_back(&block.projection);
      step.sources.push_back(input);
    }
  }
  return add_step(std::move(step), last, direct);
}

// Maps get the margins that their readers need, then every step its operation.
void FrozenGraph::create_operations() {
  const int64_t images = maps_[0].images;
  std::vector<int32_t> margin(maps_.size(), 0);
  for (const FrozenStep& step : steps_) {
    if (step.kind != FrozenStep::Kind::direct) continue;
    for (size_t i = 0; i < step.layers.size(); ++i) {
      int32_t& needed = margin[size_t(step.sources[i])];
      needed = std::max(needed, step.layers[i]->padding);
    }
  }
  for (size_t i = 1; i < maps_.size(); ++i) {
    const Element element = i + 1 == maps_.size() ? Element::float32 : element_;
    maps_[i] = FrozenMap(images, maps_[i].height, maps_[i].width, map_channels_[i], margin[i], element);
  }
  for (FrozenStep& step : steps_) {
    const FrozenMap* target = &maps_[size_t(step.target)];
    const FrozenMap* residual = step.residual < 0 ? nullptr : &maps_[size_t(step.residual)];
    if (step.kind == FrozenStep::Kind::winograd) {
      const ConvolutionLayer& layer = *step.layers[0];
      step.winograd = std::make_unique<FrozenWinograd>(&maps_[size_t(step.sources[0])], layer.in, layer.out, target, residual);
    } else if (step.kind == FrozenStep::Kind::direct) {
      std::vector<FrozenWindow> windows;
      for (size_t i = 0; i < step.layers.size(); ++i) {
        const ConvolutionLayer& layer = *step.layers[i];
        windows.push_back({&maps_[size_t(step.sources[i])], layer.kernel, layer.stride, layer.padding, layer.in});
      }
      step.convolution = std::make_unique<FrozenConvolution>(element_, windows, step.layers[0]->out, target, residual);
    }
  }
}

// Map m is buffer m; workspaces follow, one a step.
void FrozenGraph::plan_memory() {
  std::vector<BufferLife> buffers(maps_.size() + steps_.size());
  for (size_t m = 0; m < maps_.size(); ++m) buffers[m] = {maps_[m].bytes(), 0, m == 0 ? 0 : int(steps_.size()), 0};
  for (size_t s = 0; s < steps_.size(); ++s) {
    const FrozenStep& step = steps_[s];
    buffers[size_t(step.target)].first = int(s);
    if (size_t(step.target) + 1 < maps_.size()) buffers[size_t(step.target)].last = int(s);
    for (int source : step.sources) buffers[size_t(source)].last = int(s);
    if (step.residual >= 0) buffers[size_t(step.residual)].last = int(s);
    const int64_t workspace = step.winograd ? step.winograd->workspace() * 4 : 0;
    buffers[maps_.size() + s] = {workspace, int(s), int(s), 0};
  }
  memory_ = place_buffers(buffers);
  for (size_t b = 0; b < buffers.size(); ++b) {
    (b < maps_.size() ? map_offset_ : workspace_offset_).push_back(buffers[b].offset);
  }
}

std::string FrozenGraph::signature() const {
  std::string text;
  for (const FrozenStep& step : steps_) text += step.kind == FrozenStep::Kind::winograd ? 'w' : 'd';
  return text;
}

void FrozenGraph::bind(char* memory) {
  memory_base_ = memory;
  for (size_t m = 0; m < maps_.size(); ++m) maps_[m].data = memory + map_offset_[m];
}

}  // namespace swav
