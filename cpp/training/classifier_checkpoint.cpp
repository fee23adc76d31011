// A classifier's state as one safetensors file: the network's tensors under their own names, classifier.* and optimizer.*
// beside them. The metadata has the network's description, the caller's note, and under "swav_classifier" (JSON) the settings.
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "io/safetensors.h"
#include "io/shallow_json.h"
#include "network/finite.h"
#include "network/weights.h"
#include "network/weights_metadata.h"
#include "training/classifier.h"

namespace swav {
namespace {

using nlohmann::json;

constexpr int32_t newest_format = 1;
const char* const key = "swav_classifier";
const char* const state_prefix = "optimizer.state1.";

json settings_of(const ClassifierSettings& s, const Network* network) {
  json settings{{"classes", s.classes},
                {"dim", s.dim},
                {"size", s.size},
                {"batch", s.batch},
                {"momentum", s.momentum},
                {"weight_decay", s.weight_decay},
                {"label_smoothing", s.smoothing},
                {"frozen_norms", s.frozen_norms}};
  if (network != nullptr) settings["network"] = architecture_name(network->config());
  return settings;
}

// "batch: file has 6, this run has 4; ..."; empty where nothing differs.
std::string difference(const json& file, const json& run) {
  std::string text;
  for (const auto& [name, value] : run.items()) {
    const json found = file.is_object() && file.contains(name) ? file[name] : json();
    if (found == value) continue;
    text += (text.empty() ? "" : "; ") + name + ": file has " + found.dump() + ", this run has " + value.dump();
  }
  return text;
}

const StoredTensor& stored(const TensorFile& file, const std::string& name, const std::vector<int64_t>& shape) {
  const StoredTensor* found = file.find(name);
  if (found == nullptr || found->shape != shape)
    fail(SWAV_ERROR_FORMAT, "%s is damaged: tensor %s is missing or has another shape", file.path().c_str(), name.c_str());
  return *found;
}

void read_floats(const TensorFile& file, const std::string& name, const std::vector<int64_t>& shape, float* values) {
  const StoredTensor& tensor = stored(file, name, shape);
  file.read(tensor, values);
  check_values(file, tensor, values, false);
}

}  // namespace

void Classifier::save(const std::string& path, const std::string& note) const {
  std::vector<TensorSource> tensors;
  Metadata metadata;
  if (network_ != nullptr) {
    swav::require_finite(network_->parameters());
    tensors = tensor_sources(*network_);
    metadata = weights_metadata(network_->config(), network_->input);
    for (const TensorEntry& entry : network_->parameters().entries()) {
      if (entry.kind != SWAV_TENSOR_PARAMETER || entry.part != Part::backbone) continue;
      tensors.push_back({state_prefix + entry.name, DataType::f32, entry.shape, state_ + entry.offset});
    }
  }
  const std::vector<int64_t> weight{settings_.classes, settings_.dim}, bias{settings_.classes};
  tensors.push_back({"classifier.weight", DataType::f32, weight, layer_});
  tensors.push_back({"classifier.bias", DataType::f32, bias, layer_ + weight_count()});
  tensors.push_back({std::string(state_prefix) + "classifier.weight", DataType::f32, weight, layer_state_});
  tensors.push_back({std::string(state_prefix) + "classifier.bias", DataType::f32, bias, layer_state_ + weight_count()});
  metadata["note"] = note;
  metadata[key] =
      json{{"format", newest_format}, {"engine", SWAV_VERSION}, {"settings", settings_of(settings_, network_)}}.dump();
  write_safetensors(path, tensors, metadata);
}

void Classifier::load(const std::string& path) {
  const TensorFile file(path);
  const auto found = file.metadata().find(key);
  if (found == file.metadata().end()) fail(SWAV_ERROR_FORMAT, "%s holds no classifier's training state", path.c_str());
  const json root = parse_shallow(found->second);
  if (!root.is_object() || !root.contains("format") || !root["format"].is_number_integer() || !root.contains("settings"))
    fail(SWAV_ERROR_FORMAT, "%s is damaged: its training state has no format or settings", path.c_str());
  if (root["format"].get<int64_t>() != newest_format) {
    fail(SWAV_ERROR_UNSUPPORTED, "%s has format %s of a classifier's state; %d is known here", path.c_str(),
         root["format"].dump().c_str(), newest_format);
  }
  const std::string differences = difference(root["settings"], settings_of(settings_, network_));
  if (!differences.empty()) fail(SWAV_ERROR_FORMAT, "%s belongs to other settings: %s", path.c_str(), differences.c_str());

  // Everything is read before anything is changed.
  const size_t count = size_t(layer_count());
  std::vector<float> layer(count), layer_state(count), state;
  const std::vector<int64_t> weight{settings_.classes, settings_.dim}, bias{settings_.classes};
  read_floats(file, "classifier.weight", weight, layer.data());
  read_floats(file, "classifier.bias", bias, layer.data() + weight_count());
  read_floats(file, std::string(state_prefix) + "classifier.weight", weight, layer_state.data());
  read_floats(file, std::string(state_prefix) + "classifier.bias", bias, layer_state.data() + weight_count());
  if (network_ != nullptr) {
    const Declaration declared = read_declaration(path, file.metadata());
    if (!declared.input) fail(SWAV_ERROR_FORMAT, "%s is damaged: it does not describe its input", path.c_str());
    Parameters parameters = network_->parameters();
    state.resize(size_t(parameters.size()));
    for (const TensorEntry& entry : parameters.entries()) {
      read_tensor(file, stored(file, entry.name, entry.shape), entry, parameters.data(entry));
      if (entry.kind != SWAV_TENSOR_PARAMETER || entry.part != Part::backbone) continue;
      read_floats(file, state_prefix + entry.name, entry.shape, state.data() + entry.offset);
    }
    network_->parameters().assign(parameters);
    network_->input = *declared.input;
    std::copy(state.begin(), state.end(), state_);
  }
  std::copy(layer.begin(), layer.end(), layer_);
  std::copy(layer_state.begin(), layer_state.end(), layer_state_);
}

}  // namespace swav
