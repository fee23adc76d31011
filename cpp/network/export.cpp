#include "network/export.h"

#include <algorithm>

#include "base/status.h"
#include "io/safetensors.h"
#include "io/torch_writer.h"
#include "network/finite.h"
#include "network/weights_metadata.h"
#include "ops/batch_norm.h"

namespace swav {
namespace {

constexpr int32_t timm_stem = 64;  // channels of the 7x7 stem of timm's ResNets, whatever their width

bool begins(const std::string& text, const std::string& with) { return text.rfind(with, 0) == 0; }

// "layer1.0.bn2.weight" -> "res2.0.conv2.norm.weight".
std::string detectron2_name(const std::string& name) {
  const size_t dot = name.rfind('.');
  std::string layer = name.substr(0, dot), leaf = name.substr(dot);
  const auto end_is = [&](const char* end) {
    const size_t length = std::char_traits<char>::length(end);
    return layer.size() >= length && layer.compare(layer.size() - length, length, end) == 0;
  };
  std::string place = "stem.";
  if (begins(layer, "layer")) {
    place = "res" + std::to_string(layer[5] - '0' + 1) + ".";
    layer = layer.substr(7);
  }
  if (end_is("downsample.0")) return place + layer.substr(0, layer.find('.')) + ".shortcut" + leaf;
  if (end_is("downsample.1")) return place + layer.substr(0, layer.find('.')) + ".shortcut.norm" + leaf;
  if (const size_t norm = layer.find("bn"); norm != std::string::npos) {
    return place + layer.replace(norm, 2, "conv") + ".norm" + leaf;
  }
  return place + layer + leaf;
}

// Throws where timm has no such ResNet; returns how many channels its stem has more.
int64_t timm_padding(const swav_network_config& c) {
  if (c.stem == SWAV_STEM_SMALL) {
    fail(SWAV_ERROR_UNSUPPORTED,
         "timm's ResNets have a stem of 7x7 and stride 2, this network's is 3x3; the keys of torchvision are possible");
  }
  const int32_t stem = c.base_width * c.width;
  if (stem > timm_stem) {
    fail(SWAV_ERROR_UNSUPPORTED,
         "timm's ResNets have %d channels in the stem, this network has %d; the keys of torchvision are possible", timm_stem,
         stem);
  }
  // There a block projects where the number of channels changes: of 64 to 4 x 16 it does not, and this network does.
  if (c.depth == 50 && stem * 4 == timm_stem) {
    fail(SWAV_ERROR_UNSUPPORTED,
         "timm's ResNet-50 of base width %d has no projection in its first block; the keys of torchvision are possible", stem);
  }
  return timm_stem - stem;
}

}  // namespace

ExportedTensors::ExportedTensors(const Network& network, swav_keys keys, bool head) : network_(network), keys_(keys) {
  if (keys == SWAV_KEYS_TIMM) padding_ = timm_padding(network.config());
  for (const TensorEntry& entry : network.parameters().entries()) {
    if (entry.part == Part::head && !head) continue;
    if (keys == SWAV_KEYS_DETECTRON2 && entry.part == Part::backbone && entry.role == Role::norm_counter) continue;
    add(entry, network.parameters().data(entry));
  }
  if (padding_ > 0 && !network.description().blocks.front().projected) add_identity();
}

std::vector<float>& ExportedTensors::own(const std::string& name, std::vector<int64_t> shape, float value) {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  owned_.emplace_back(size_t(count), value);
  tensors_.push_back({name, DataType::f32, std::move(shape), owned_.back().data()});
  return owned_.back();
}

void ExportedTensors::add(const TensorEntry& entry, const void* data) {
  const std::string& name = entry.name;
  const bool counter = entry.kind == SWAV_TENSOR_COUNTER;
  const bool of_stem = begins(name, "conv1.") || begins(name, "bn1.");
  const bool reads_stem = name == "layer1.0.conv1.weight" || name == "layer1.0.downsample.0.weight";
  if (padding_ == 0 || counter || (!of_stem && !reads_stem)) {
    const bool renamed = keys_ == SWAV_KEYS_DETECTRON2 && entry.part == Part::backbone;
    tensors_.push_back({renamed ? detectron2_name(name) : name, counter ? DataType::i64 : DataType::f32, entry.shape, data});
    return;
  }
  // Outputs of the stem, or inputs of those that read it; a channel that is added is zero before and behind its batch-norm.
  std::vector<int64_t> shape = entry.shape;
  const size_t axis = of_stem ? 0 : 1;
  int64_t inner = 1;
  for (size_t d = axis; d < shape.size(); ++d) inner *= shape[d];
  shape[axis] += padding_;
  const int64_t rows = entry.count / inner, padded = inner / entry.shape[axis] * shape[axis];
  const bool is_one = entry.role == Role::norm_scale || entry.role == Role::norm_variance;
  std::vector<float>& values = own(name, shape, is_one ? 1.0f : 0.0f);
  for (int64_t r = 0; r < rows; ++r) {
    std::copy_n(static_cast<const float*>(data) + r * inner, inner, values.data() + r * padded);
  }
}

// A block of two convolutions hands on what it reads; where the stem has more channels, a projection picks those that there
// are.
void ExportedTensors::add_identity() {
  const int64_t channels = network_.description().stem.out, padded = channels + padding_;
  const std::string name = "layer1.0.downsample.";
  std::vector<float>& weight = own(name + "0.weight", {channels, padded, 1, 1}, 0.0f);
  for (int64_t c = 0; c < channels; ++c) weight[size_t(c * padded + c)] = 1.0f;
  own(name + "1.weight", {channels}, 1.0f);
  own(name + "1.bias", {channels}, 0.0f);
  own(name + "1.running_mean", {channels}, 0.0f);
  own(name + "1.running_var", {channels}, 1.0f - float(batch_norm_epsilon));
  tensors_.push_back({name + "1.num_batches_tracked", DataType::i64, {}, &no_batches_});
}

void export_weights(const Network& network, const std::string& path, const ExportChoice& choice) {
  require_finite(network.parameters());
  const ExportedTensors exported(network, choice.keys, choice.head);
  swav_network_config config = network.config();
  if (!choice.head) config.hidden = config.dim = config.head_count = 0, config.plain_head = false;
  const bool own_names = choice.keys != SWAV_KEYS_DETECTRON2 && !exported.is_padded();
  Metadata metadata = own_names ? weights_metadata(config, network.input) : Metadata();
  if (choice.format == SWAV_TENSORS_TORCH) {
    const char* key = choice.keys == SWAV_KEYS_DETECTRON2 ? "model" : choice.keys == SWAV_KEYS_MMDET ? "state_dict" : "";
    return write_torch_zip(path, exported.tensors(), key, metadata.empty() ? "" : metadata.begin()->second);
  }
  metadata["format"] = "pt";  // what transformers and timm ask for
  write_safetensors(path, exported.tensors(), metadata);
}

}  // namespace swav
