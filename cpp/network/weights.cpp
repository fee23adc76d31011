// Weights in files: which tensor of a file belongs to which tensor of the network, and what network a file describes.
#include <algorithm>
#include <cstring>

#include "base/number.h"
#include "base/status.h"
#include "io/safetensors.h"
#include "network/finite.h"
#include "network/network.h"

namespace swav {
namespace {

constexpr double least_match = 0.9;  // share of the backbone's tensors that a file must hold

// File key -> stored tensor under the name that the network uses. "module." (data-parallel wrappers) goes wherever it stands; a
// common prefix before "conv1.weight" ("backbone.", "encoder.") goes at the front.
std::map<std::string, const StoredTensor*> canonical(const SafetensorsReader& file) {
  std::map<std::string, const StoredTensor*> found;
  std::string prefix;
  for (const auto& [key, tensor] : file.tensors()) {
    std::string name = key;
    for (size_t at; (at = name.find("module.")) != std::string::npos;) name.erase(at, 7);
    found[name] = &tensor;
  }
  if (found.count("conv1.weight") == 0) {
    const std::string stem = ".conv1.weight";
    for (const auto& [name, tensor] : found) {
      const bool ends = name.size() > stem.size() && name.compare(name.size() - stem.size(), stem.size(), stem) == 0;
      if (ends && name.find("layer") == std::string::npos &&
          (prefix.empty() || name.size() - stem.size() + 1 < prefix.size())) {
        prefix = name.substr(0, name.size() - stem.size() + 1);
      }
    }
  }
  if (prefix.empty()) return found;
  std::map<std::string, const StoredTensor*> stripped;
  for (const auto& [name, tensor] : found) {
    stripped[name.rfind(prefix, 0) == 0 ? name.substr(prefix.size()) : name] = tensor;
  }
  return stripped;
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

// Appends a name to a list of fixed capacity; ends with "..." when full.
void list(char* names, size_t capacity, const std::string& name) {
  const size_t used = std::strlen(names);
  const std::string item = (used ? ", " : "") + name;
  if (used + item.size() + 6 < capacity) {
    std::memcpy(names + used, item.c_str(), item.size() + 1);
  } else if (used + 6 <= capacity && (used < 3 || std::strcmp(names + used - 3, "...") != 0)) {
    std::memcpy(names + used, ", ...", 6);
  }
}

// Tensors of a checkpoint that are not the network's. Before the objective had a prefix its queue had none.
bool is_training_state(const std::string& name) {
  return name.rfind(optimizer_prefix, 0) == 0 || name.rfind(objective_prefix, 0) == 0 || name == "queue" ||
         name == "queue.inserted";
}

std::string numbers_text(const float* values, int32_t count) {
  std::string text;
  for (int32_t i = 0; i < count; ++i) text += (i ? " " : "") + text_of(values[i]);
  return text;
}

void read_numbers(std::string_view text, float* values) {
  for (int32_t i = 0; i < SWAV_MAX_CHANNELS; ++i) {
    const std::optional<float> value = take_number<float>(text);
    if (!value) return;
    values[i] = *value;
  }
}

// A number of metadata, or the fallback where it is missing or absurd.
int32_t metadata_number(const SafetensorsReader& file, const char* key, int32_t fallback, int32_t most) {
  const auto found = file.metadata().find(key);
  if (found == file.metadata().end()) return fallback;
  const std::optional<int32_t> value = number_of<int32_t>(found->second);
  return value && *value >= 1 && *value <= most ? *value : fallback;
}

void read_input(const SafetensorsReader& file, swav_input_description& input) {
  input.size = metadata_number(file, "input_size", input.size, SWAV_MAX_SIDE);
  const auto mean = file.metadata().find("mean"), std = file.metadata().find("std");
  if (mean != file.metadata().end()) read_numbers(mean->second, input.mean);
  if (std != file.metadata().end()) read_numbers(std->second, input.std);
}

// The network that a file's tensors belong to, from their names and shapes.
swav_network_config deduce(const std::string& path, const std::map<std::string, const StoredTensor*>& tensors) {
  swav_network_config c{};
  auto extent = [&](const std::string& name, size_t rank, size_t axis) -> int32_t {
    const auto found = tensors.find(name);
    if (found == tensors.end() || found->second->shape.size() != rank) return 0;
    return int32_t(std::min<int64_t>(found->second->shape[axis], 1 << 24));
  };
  const int32_t stem = extent("conv1.weight", 4, 0);
  if (stem == 0) fail(SWAV_ERROR_FORMAT, "%s holds no ResNet: there is no tensor conv1.weight of rank 4", path.c_str());
  c.channels = extent("conv1.weight", 4, 1);
  c.stem = extent("conv1.weight", 4, 3) == 7 ? SWAV_STEM_IMAGENET : SWAV_STEM_SMALL;
  const bool bottleneck = tensors.count("layer1.0.conv3.weight") > 0, deep = tensors.count("layer3.5.conv1.weight") > 0;
  if (tensors.count("layer3.6.conv1.weight") > 0 || (bottleneck && !deep)) {
    fail(SWAV_ERROR_UNSUPPORTED, "%s holds a ResNet of another depth than 18, 34 and 50", path.c_str());
  }
  c.depth = bottleneck ? 50 : deep ? 34 : 18;
  const bool whole = stem % 64 == 0;
  c.base_width = whole ? 64 : stem;
  c.width = whole ? stem / 64 : 1;
  if (int32_t dim = extent("projection_head.weight", 2, 0)) c.dim = dim;
  if (int32_t hidden = extent("projection_head.0.weight", 2, 0)) {
    c.hidden = hidden;
    c.dim = extent("projection_head.3.weight", 2, 0);
  }
  if (c.dim == 0) return c;
  if (int32_t count = extent("prototypes.weight", 2, 0)) {
    c.head_count = 1;
    c.prototypes[0] = count;
  }
  while (c.head_count < SWAV_MAX_HEADS) {
    const int32_t count = extent("prototypes.prototypes" + std::to_string(c.head_count) + ".weight", 2, 0);
    if (count == 0) break;
    c.prototypes[c.head_count++] = count;
  }
  return c;
}

// Refuses a file without the convolutions that its stem promises, before a network of that size is allocated.
void check_backbone(const std::string& path, const Description& d, const std::map<std::string, const StoredTensor*>& tensors) {
  int64_t count = 0, matched = 0;
  auto check = [&](const ConvolutionLayer& layer) {
    const auto found = tensors.find(layer.name + ".weight");
    ++count;
    matched +=
        found != tensors.end() && found->second->shape == std::vector<int64_t>{layer.out, layer.in, layer.kernel, layer.kernel};
  };
  check(d.stem);
  for (const BlockLayer& block : d.blocks) {
    for (const ConvolutionLayer& layer : block.main) check(layer);
    if (block.projected) check(block.projection);
  }
  if (double(matched) < least_match * double(count)) {
    fail(SWAV_ERROR_FORMAT, "%s holds %lld of the backbone's %lld convolutions in the shape of a %s, 90 %% are needed",
         path.c_str(), static_cast<long long>(matched), static_cast<long long>(count), architecture_name(d.config).c_str());
  }
}

void fill(Network& network, const SafetensorsReader& file, const std::string& path, swav_load_report* report) {
  const auto tensors = canonical(file);
  Parameters loaded = network.parameters();
  swav_load_report r{};
  int64_t backbone = 0, backbone_matched = 0;
  for (const TensorEntry& entry : loaded.entries()) {
    const bool counts = entry.part == Part::backbone && entry.kind != SWAV_TENSOR_COUNTER;
    backbone += counts;
    const auto found = tensors.find(entry.name);
    if (found == tensors.end()) {
      ++r.missing;
      list(r.missing_names, sizeof r.missing_names, entry.name);
      continue;
    }
    const StoredTensor& stored = *found->second;
    if (stored.shape != entry.shape) {
      fail(SWAV_ERROR_FORMAT, "%s: %s has shape %s, the network expects %s", path.c_str(), entry.name.c_str(),
           shape_text(stored.shape).c_str(), shape_text(entry.shape).c_str());
    }
    if (entry.kind == SWAV_TENSOR_COUNTER) {
      file.read(stored, static_cast<int64_t*>(loaded.data(entry)));
    } else {
      file.read(stored, static_cast<float*>(loaded.data(entry)));
    }
    ++r.matched;
    backbone_matched += counts;
  }
  for (const auto& [name, tensor] : tensors) {
    if (loaded.contains(name) || is_training_state(name)) continue;
    ++r.unexpected;
    list(r.unexpected_names, sizeof r.unexpected_names, name);
  }
  if (double(backbone_matched) < least_match * double(backbone)) {
    fail(SWAV_ERROR_FORMAT, "%s holds %lld of the backbone's %lld tensors, 90 %% are needed; missing: %s", path.c_str(),
         static_cast<long long>(backbone_matched), static_cast<long long>(backbone), r.missing_names);
  }
  network.parameters().assign(loaded);
  read_input(file, network.input);
  if (report != nullptr) *report = r;
}

}  // namespace

void load_weights(Network& network, const std::string& path, swav_load_report* report) {
  const SafetensorsReader file(path);
  fill(network, file, path, report);
}

std::unique_ptr<Network> open_network(const std::string& path, swav_load_report* report) {
  const SafetensorsReader file(path);
  const auto tensors = canonical(file);
  const swav_network_config config = deduce(path, tensors);
  try {
    describe(config);
  } catch (const Error& error) {
    fail(SWAV_ERROR_UNSUPPORTED, "%s holds no network that this build knows: %s", path.c_str(), error.what());
  }
  check_backbone(path, describe(config), tensors);
  auto network = std::make_unique<Network>(config, 0);
  fill(*network, file, path, report);
  return network;
}

std::map<std::string, std::string> weights_metadata(const Network& network) {
  const int32_t channels = network.config().channels;
  return {{"architecture", architecture_name(network.config())},
          {"stem", network.config().stem == SWAV_STEM_SMALL ? "small" : "imagenet"},
          {"input_size", std::to_string(network.input.size)},
          {"mean", numbers_text(network.input.mean, channels)},
          {"std", numbers_text(network.input.std, channels)}};
}

void save_weights(const Network& network, const std::string& path) {
  require_finite(network.parameters());
  std::vector<TensorSource> tensors;
  for (const TensorEntry& entry : network.parameters().entries()) {
    const DataType type = entry.kind == SWAV_TENSOR_COUNTER ? DataType::i64 : DataType::f32;
    tensors.push_back({entry.name, type, entry.shape, network.parameters().data(entry)});
  }
  write_safetensors(path, tensors, weights_metadata(network));
}

}  // namespace swav
