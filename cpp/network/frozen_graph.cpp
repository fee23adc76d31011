#include "network/frozen_graph.h"

#include <algorithm>

#include "base/status.h"
#include "network/activation_memory.h"

namespace swav {
namespace {

// Bytes of the largest map of a group of images: three such maps, what a layer reads and writes, stay in the last-level cache.
constexpr int64_t group_bytes = cache::last / 8;

int32_t out_size(int32_t size, const ConvolutionLayer& layer) {
  return (size + 2 * layer.padding - layer.kernel) / layer.stride + 1;
}

// Images that each block takes at a time: a divisor of all of them. It changes behind the first block of smaller maps only.
std::vector<int64_t> block_groups(const Description& d, int64_t images, int32_t height, int32_t width, Element element) {
  int32_t h = out_size(height, d.stem), w = out_size(width, d.stem);
  int64_t largest = int64_t(h) * w * d.stem.out;
  if (d.max_pool) h = (h - 1) / 2 + 1, w = (w - 1) / 2 + 1;
  std::vector<int64_t> groups;
  for (size_t i = 0; i < d.blocks.size(); ++i) {
    const int32_t before = h;
    for (const ConvolutionLayer& layer : d.blocks[i].main) {
      h = out_size(h, layer), w = out_size(w, layer);
      largest = std::max(largest, int64_t(h) * w * layer.out);
    }
    if (h == before && i + 1 < d.blocks.size()) continue;
    int64_t group = std::clamp<int64_t>(group_bytes / (largest * element_size(element)), 1, images);
    while (images % group != 0) --group;
    groups.resize(i + 1, group);
    largest = 0;
  }
  return groups;
}

}  // namespace

FrozenGraph::FrozenGraph(const Description& d, int64_t images, int32_t height, int32_t width, Element element, bool direct)
    : element_(element), images_(images) {
  SWAV_REQUIRE(images >= 1, "the number of images is %lld; at least 1 is needed", static_cast<long long>(images));
  SWAV_REQUIRE(height >= SWAV_MIN_SIDE && width >= SWAV_MIN_SIDE && height <= SWAV_MAX_SIDE && width <= SWAV_MAX_SIDE,
               "images are %d x %d pixels; %d to %d is allowed", width, height, SWAV_MIN_SIDE, SWAV_MAX_SIDE);
  const std::vector<int64_t> groups = block_groups(d, images, height, width, element);
  group_ = groups[0];
  passes_.push_back({0, 0, group_, -1, -1});
  maps_.push_back(FrozenMap::frame(group_, height, width, d.config.channels, d.stem.padding, element));
  map_channels_.push_back(d.config.channels);
  producer_.push_back(-1);
  int map = add_stem(d);
  for (size_t i = 0; i < d.blocks.size(); ++i) {
    if (groups[i] != group_) start_pass(groups[i], map);
    map = add_block(d.blocks[i], map, direct || element != Element::float32);
  }
  passes_.back().last = steps_.size();
  create_operations();
  plan_memory();
}

// Ends a pass with `map`, which becomes the next one's view of the same values.
void FrozenGraph::start_pass(int64_t group, int& map) {
  passes_.back().last = steps_.size();
  passes_.back().output = map;
  group_ = group;
  const FrozenMap& from = maps_[size_t(map)];
  map = add_map(from.height, from.width, map_channels_[size_t(map)], producer_[size_t(map)]);
  passes_.push_back({steps_.size(), 0, group, map, -1});
}

int FrozenGraph::add_map(int32_t height, int32_t width, int32_t channels, int producer) {
  maps_.emplace_back(group_, height, width, channels, 0, element_);
  map_channels_.push_back(channels);
  producer_.push_back(producer);
  return int(maps_.size()) - 1;
}

// Appends a step whose target has the size that `shape` gives to its first source.
int FrozenGraph::add_step(FrozenStep step, const ConvolutionLayer& shape, bool winograd) {
  const int32_t h = maps_[size_t(step.sources[0])].height, w = maps_[size_t(step.sources[0])].width;
  if (winograd) step.kind = FrozenStep::Kind::winograd;
  step.target = add_map(out_size(h, shape), out_size(w, shape), shape.out, int(steps_.size()));
  steps_.push_back(std::move(step));
  return steps_.back().target;
}

int FrozenGraph::add_stem(const Description& d) {
  FrozenStep stem;
  stem.layers = {&d.stem};
  stem.sources = {0};
  const int map = add_step(std::move(stem), d.stem, false);
  if (!d.max_pool) return map;
  const int32_t h = maps_[size_t(map)].height, w = maps_[size_t(map)].width;
  FrozenStep pool;
  pool.kind = FrozenStep::Kind::max_pool;
  pool.sources = {map};
  pool.target = add_map((h - 1) / 2 + 1, (w - 1) / 2 + 1, d.stem.out, int(steps_.size()));
  steps_.push_back(std::move(pool));
  return steps_.back().target;
}

bool FrozenGraph::winograd_pays(int map, const ConvolutionLayer& layer) const {
  const FrozenMap& from = maps_[size_t(map)];
  return layer.kernel == 3 && layer.stride == 1 && FrozenWinograd::pays(group_, from.height, from.width, layer.in, layer.out);
}

int FrozenGraph::add_block(const BlockLayer& block, int input, bool direct) {
  int map = input;
  for (size_t i = 0; i + 1 < block.main.size(); ++i) {
    FrozenStep step;
    step.layers = {&block.main[i]};
    step.sources = {map};
    map = add_step(std::move(step), block.main[i], !direct && winograd_pays(map, block.main[i]));
  }
  const ConvolutionLayer& last = block.main.back();
  const bool winograd = !direct && winograd_pays(map, last);
  FrozenStep step;
  step.layers = {&last};
  step.sources = {map};
  if (!block.projected) {
    step.residual = input;
  } else if (winograd) {  // the projection cannot join the sum
    FrozenStep projection;
    projection.layers = {&block.projection};
    projection.sources = {input};
    projection.relu = false;
    step.residual = add_step(std::move(projection), block.projection, false);
  } else {
    step.layers.push_back(&block.projection);
    step.sources.push_back(input);
  }
  return add_step(std::move(step), last, winograd);
}

// Maps get the margins that their readers need, then every step its operation.
void FrozenGraph::create_operations() {
  std::vector<int32_t> margin(maps_.size(), 0);
  for (const FrozenStep& step : steps_) {
    if (step.kind != FrozenStep::Kind::direct) continue;
    for (size_t i = 0; i < step.layers.size(); ++i) {
      int32_t& needed = margin[size_t(step.sources[i])];
      needed = std::max(needed, step.layers[i]->padding);
    }
  }
  for (size_t p = 1; p < passes_.size(); ++p) margin[size_t(passes_[p - 1].output)] = margin[size_t(passes_[p].input)];
  for (size_t i = 1; i < maps_.size(); ++i) {
    // The last one is of floats, with room for whole tiles of what writes it.
    const bool last = i + 1 == maps_.size();
    const auto channels = int32_t(last ? round_up(map_channels_[i], columns_of(element_)) : map_channels_[i]);
    maps_[i] =
        FrozenMap(maps_[i].images, maps_[i].height, maps_[i].width, channels, margin[i], last ? Element::float32 : element_);
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

// Map m is buffer m; workspaces follow, one a step. What lies between two passes lives through both.
void FrozenGraph::plan_memory() {
  std::vector<BufferLife> buffers(maps_.size() + steps_.size());
  for (size_t m = 0; m < maps_.size(); ++m) buffers[m] = {maps_[m].bytes(), std::max(0, producer_[m]), 0, 0};
  for (size_t s = 0; s < steps_.size(); ++s) {
    const FrozenStep& step = steps_[s];
    for (int source : step.sources) buffers[size_t(source)].last = int(s);
    if (step.residual >= 0) buffers[size_t(step.residual)].last = int(s);
    buffers[size_t(step.target)].last = int(s);
    const int64_t workspace = step.winograd ? step.winograd->workspace() * 4 : 0;
    buffers[maps_.size() + s] = {workspace, int(s), int(s), 0};
  }
  for (size_t p = 1; p < passes_.size(); ++p) {
    const size_t output = size_t(passes_[p - 1].output), input = size_t(passes_[p].input);
    buffers[output] = {maps_[output].image * images_ + 64, int(passes_[p - 1].first), int(passes_[p].last), 0};
    buffers[input] = {};
  }
  memory_ = place_buffers(buffers);
  for (size_t p = 1; p < passes_.size(); ++p) {
    buffers[size_t(passes_[p].input)].offset = buffers[size_t(passes_[p - 1].output)].offset;
  }
  for (size_t b = 0; b < buffers.size(); ++b) {
    (b < maps_.size() ? map_offset_ : workspace_offset_).push_back(buffers[b].offset);
  }
}

ScratchSize FrozenGraph::scratch() const {
  ScratchSize size;
  for (const FrozenStep& step : steps_) {
    if (step.winograd) size.include(step.winograd->scratch());
  }
  return size;
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

void FrozenGraph::advance(const FrozenPass& pass, int64_t image) {
  for (int map : {pass.input, pass.output}) {
    if (map < 0) continue;
    FrozenMap& view = maps_[size_t(map)];
    view.data = memory_base_ + map_offset_[size_t(map)] + image * view.image;
  }
}

}  // namespace swav
