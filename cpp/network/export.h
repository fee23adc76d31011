// A network as a file for other programs: its tensors under their names.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "io/tensor_source.h"
#include "network/network.h"

namespace swav {

struct ExportChoice {
  swav_tensor_format format = SWAV_TENSORS_SAFETENSORS;
  swav_keys keys = SWAV_KEYS_TORCHVISION;
  bool head = false;
};

// The tensors of a network as another library has them. Where a layer is wider there, what is added is zero.
class ExportedTensors {
 public:
  // Throws SWAV_ERROR_UNSUPPORTED where that library has no such network. The network is borrowed.
  ExportedTensors(const Network& network, swav_keys keys, bool head);

  const std::vector<TensorSource>& tensors() const { return tensors_; }
  // Whether they are more than the network's own under other names.
  bool is_padded() const { return padding_ > 0; }

 private:
  void add(const TensorEntry& entry, const void* data);
  void add_identity();
  std::vector<float>& own(const std::string& name, std::vector<int64_t> shape, float value);

  const Network& network_;
  swav_keys keys_;
  int64_t padding_ = 0;  // channels that the stem lacks
  std::vector<TensorSource> tensors_;
  std::deque<std::vector<float>> owned_;
  static constexpr int64_t no_batches_ = 0;
};

// See swav_network_export.
void export_weights(const Network& network, const std::string& path, const ExportChoice& choice);

}  // namespace swav
