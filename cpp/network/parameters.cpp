#include "network/parameters.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/parallel.h"
#include "base/random.h"
#include "base/status.h"

namespace swav {

std::string prototypes_name(const swav_network_config& config, int32_t head) {
  return config.head_count == 1 ? "prototypes.weight" : "prototypes.prototypes" + std::to_string(head) + ".weight";
}

Parameters::Parameters(const Description& d) {
  add_convolution(d.stem);
  for (const BlockLayer& block : d.blocks) {
    for (const ConvolutionLayer& layer : block.main) add_convolution(layer);
    if (block.projected) add_convolution(block.projection);
  }
  const swav_network_config& c = d.config;
  if (c.dim > 0 && c.hidden == 0) {
    add("projection_head.weight", SWAV_TENSOR_PARAMETER, {c.dim, d.feature_dim});
    add("projection_head.bias", SWAV_TENSOR_PARAMETER, {c.dim});
  }
  if (c.dim > 0 && c.hidden > 0) {
    add("projection_head.0.weight", SWAV_TENSOR_PARAMETER, {c.hidden, d.feature_dim});
    add("projection_head.0.bias", SWAV_TENSOR_PARAMETER, {c.hidden});
    add_norm("projection_head.1", c.hidden);
    add("projection_head.3.weight", SWAV_TENSOR_PARAMETER, {c.dim, c.hidden});
    add("projection_head.3.bias", SWAV_TENSOR_PARAMETER, {c.dim});
  }
  for (int32_t h = 0; h < c.head_count; ++h) add(prototypes_name(c, h), SWAV_TENSOR_PARAMETER, {c.prototypes[h], c.dim});
}

void Parameters::add(const std::string& name, swav_tensor_kind kind, std::vector<int64_t> shape) {
  constexpr size_t unit = 16;  // floats: every tensor starts on a cache line
  int64_t count = 1;
  for (int64_t n : shape) count *= n;
  TensorEntry entry{name, kind, std::move(shape), count, 0};
  if (kind == SWAV_TENSOR_COUNTER) {
    entry.offset = int64_t(counters_.size());
    counters_.push_back(0);
  } else {
    std::vector<float>& array = kind == SWAV_TENSOR_PARAMETER ? values_ : buffers_;
    entry.offset = int64_t(array.size());
    array.resize((array.size() + size_t(count) + unit - 1) / unit * unit);
  }
  index_[name] = entries_.size();
  entries_.push_back(std::move(entry));
}

void Parameters::add_convolution(const ConvolutionLayer& layer) {
  add(layer.name + ".weight", SWAV_TENSOR_PARAMETER, {layer.out, layer.in, layer.kernel, layer.kernel});
  add_norm(layer.norm, layer.out);
}

void Parameters::add_norm(const std::string& name, int64_t channels) {
  add(name + ".weight", SWAV_TENSOR_PARAMETER, {channels});
  add(name + ".bias", SWAV_TENSOR_PARAMETER, {channels});
  add(name + ".running_mean", SWAV_TENSOR_BUFFER, {channels});
  add(name + ".running_var", SWAV_TENSOR_BUFFER, {channels});
  add(name + ".num_batches_tracked", SWAV_TENSOR_COUNTER, {});
}

const TensorEntry& Parameters::entry(const std::string& name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) fail(SWAV_ERROR_INTERNAL, "no tensor is called %s", name.c_str());
  return entries_[found->second];
}

int64_t Parameters::parameter_count() const {
  int64_t count = 0;
  for (const TensorEntry& entry : entries_) count += entry.kind == SWAV_TENSOR_PARAMETER ? entry.count : 0;
  return count;
}

void* Parameters::data(const TensorEntry& entry) {
  switch (entry.kind) {
    case SWAV_TENSOR_PARAMETER: return values_.data() + entry.offset;
    case SWAV_TENSOR_BUFFER: return buffers_.data() + entry.offset;
    case SWAV_TENSOR_COUNTER: break;
  }
  return counters_.data() + entry.offset;
}

const void* Parameters::data(const TensorEntry& entry) const { return const_cast<Parameters*>(this)->data(entry); }

void Parameters::initialize(uint64_t seed) {
  auto ends_with = [](const std::string& text, const std::string& end) {
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
  };
  parallel::for_each(int64_t(entries_.size()), [&](int64_t i, int) {
    const TensorEntry& entry = entries_[size_t(i)];
    if (entry.kind == SWAV_TENSOR_COUNTER) {
      *static_cast<int64_t*>(data(entry)) = 0;
      return;
    }
    float* value = static_cast<float*>(data(entry));
    Random random(seed, Purpose::weights, uint64_t(i));
    if (entry.kind == SWAV_TENSOR_BUFFER) {
      const float start = ends_with(entry.name, "running_var") ? 1.0f : 0.0f;
      for (int64_t j = 0; j < entry.count; ++j) value[j] = start;
    } else if (entry.shape.size() == 4) {
      const double deviation = std::sqrt(2.0 / double(entry.shape[0] * entry.shape[2] * entry.shape[3]));
      for (int64_t j = 0; j < entry.count; ++j) value[j] = float(deviation * random.normal());
    } else if (entry.shape.size() == 2 || (entry.name.rfind("projection_head", 0) == 0 && ends_with(entry.name, "bias") &&
                                           entry.name != "projection_head.1.bias")) {
      // The weight of a linear layer, or its bias, whose fan-in is that of the weight just before it.
      const int64_t fan_in = entry.shape.size() == 2 ? entry.shape[1] : entries_[size_t(i - 1)].shape[1];
      const double bound = 1.0 / std::sqrt(double(fan_in));
      for (int64_t j = 0; j < entry.count; ++j) value[j] = float(random.uniform(-bound, bound));
    } else {
      const float start = ends_with(entry.name, "weight") ? 1.0f : 0.0f;  // batch-norm
      for (int64_t j = 0; j < entry.count; ++j) value[j] = start;
    }
  });
}

void Parameters::assign(const Parameters& other) {
  std::copy(other.values_.begin(), other.values_.end(), values_.begin());
  std::copy(other.buffers_.begin(), other.buffers_.end(), buffers_.begin());
  std::copy(other.counters_.begin(), other.counters_.end(), counters_.begin());
  touch();
}

uint64_t Parameters::fingerprint() const {
  // FNV-1a over words of 32 bits, in four lanes that are mixed at the end, with the finaliser of MurmurHash3.
  uint64_t lanes[4] = {1, 2, 3, 4};
  for (const std::vector<float>* values : {&values_, &buffers_}) {
    for (size_t i = 0; i < values->size(); ++i) {
      uint32_t bits;
      std::memcpy(&bits, &(*values)[i], sizeof bits);
      lanes[i & 3] = (lanes[i & 3] ^ bits) * 0x100000001b3u;
    }
  }
  uint64_t hash = 0;
  for (uint64_t lane : lanes) {
    hash ^= lane;
    hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdu;
    hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53u;
    hash ^= hash >> 33;
  }
  return hash;
}

bool Parameters::operator==(const Parameters& other) const {
  return values_ == other.values_ && buffers_ == other.buffers_ && counters_ == other.counters_;
}

}  // namespace swav
