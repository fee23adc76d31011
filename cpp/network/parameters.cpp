#include "network/parameters.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/status.h"

namespace swav {

namespace {

swav_tensor_kind kind_of(Role role) {
  switch (role) {
    case Role::norm_mean:
    case Role::norm_variance: return SWAV_TENSOR_BUFFER;
    case Role::norm_counter: return SWAV_TENSOR_COUNTER;
    default: return SWAV_TENSOR_PARAMETER;
  }
}

}  // namespace

Inventory::Inventory(const Description& d) {
  add_convolution(d.stem);
  for (const BlockLayer& block : d.blocks) {
    for (const ConvolutionLayer& layer : block.main) add_convolution(layer);
    if (block.projected) add_convolution(block.projection);
  }
  for (size_t i = 0; i < d.projection.size(); ++i) {
    const LinearLayer& layer = d.projection[i];
    add(layer.name + ".weight", Role::linear_weight, Part::head, {layer.out, layer.in});
    add(layer.name + ".bias", Role::linear_bias, Part::head, {layer.out});
    if (i + 1 < d.projection.size() && !d.projection_norm.empty()) add_norm(d.projection_norm, Part::head, layer.out);
  }
  for (const LinearLayer& set : d.prototypes) add(set.name + ".weight", Role::prototypes, Part::head, {set.out, set.in});
}

void Inventory::add(const std::string& name, Role role, Part part, std::vector<int64_t> shape) {
  constexpr int64_t unit = 16;  // floats: every tensor starts on a cache line
  int64_t count = 1;
  for (int64_t n : shape) count *= n;
  const swav_tensor_kind kind = kind_of(role);
  int64_t& size = sizes_[size_t(kind)];
  entries_.push_back({name, role, part, kind, std::move(shape), count, size});
  size += kind == SWAV_TENSOR_COUNTER ? count : (count + unit - 1) / unit * unit;
}

void Inventory::add_convolution(const ConvolutionLayer& layer) {
  add(layer.name + ".weight", Role::convolution, Part::backbone, {layer.out, layer.in, layer.kernel, layer.kernel});
  add_norm(layer.norm, Part::backbone, layer.out);
}

void Inventory::add_norm(const std::string& name, Part part, int64_t channels) {
  add(name + ".weight", Role::norm_scale, part, {channels});
  add(name + ".bias", Role::norm_shift, part, {channels});
  add(name + ".running_mean", Role::norm_mean, part, {channels});
  add(name + ".running_var", Role::norm_variance, part, {channels});
  add(name + ".num_batches_tracked", Role::norm_counter, part, {});
}

Parameters::Parameters(const Description& description) : inventory_(description) {
  const int64_t floats = inventory_.size(SWAV_TENSOR_PARAMETER) + inventory_.size(SWAV_TENSOR_BUFFER);
  require_memory(floats * int64_t(sizeof(float)), "the network", "a narrower one needs less");
  values_.resize(size_t(inventory_.size(SWAV_TENSOR_PARAMETER)));
  buffers_.resize(size_t(inventory_.size(SWAV_TENSOR_BUFFER)));
  counters_.resize(size_t(inventory_.size(SWAV_TENSOR_COUNTER)));
  for (size_t i = 0; i < entries().size(); ++i) index_[entries()[i].name] = i;
}

std::vector<const TensorEntry*> Parameters::with_role(Role role) const {
  std::vector<const TensorEntry*> found;
  for (const TensorEntry& entry : entries()) {
    if (entry.role == role) found.push_back(&entry);
  }
  return found;
}

const TensorEntry& Parameters::entry(const std::string& name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) fail(SWAV_ERROR_INTERNAL, "no tensor is called %s", name.c_str());
  return entries()[found->second];
}

int64_t Parameters::parameter_count() const {
  int64_t count = 0;
  for (const TensorEntry& entry : entries()) count += entry.kind == SWAV_TENSOR_PARAMETER ? entry.count : 0;
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
  parallel::for_each(int64_t(entries().size()),
                     [&](int64_t i, int) { initialize(size_t(i), Random(seed, Purpose::weights, uint64_t(i))); });
}

void Parameters::initialize(size_t index, Random random) {
  const TensorEntry& entry = entries()[index];
  const auto fill = [&](auto next) {
    float* value = static_cast<float*>(data(entry));
    for (int64_t j = 0; j < entry.count; ++j) value[j] = float(next());
  };
  const auto uniform = [&](int64_t fan_in) {
    const double bound = 1.0 / std::sqrt(double(fan_in));
    fill([&] { return random.uniform(-bound, bound); });
  };
  switch (entry.role) {
    case Role::convolution: {
      const double deviation = std::sqrt(2.0 / double(entry.shape[0] * entry.shape[2] * entry.shape[3]));
      return fill([&] { return deviation * random.normal(); });
    }
    case Role::linear_weight:
    case Role::prototypes: return uniform(entry.shape[1]);
    case Role::linear_bias: return uniform(entries()[index - 1].shape[1]);  // that of the weight just before it
    case Role::norm_scale:
    case Role::norm_variance: return fill([] { return 1.0; });
    case Role::norm_shift:
    case Role::norm_mean: return fill([] { return 0.0; });
    case Role::norm_counter: *static_cast<int64_t*>(data(entry)) = 0;
  }
}

void Parameters::assign(const Parameters& other) {
  std::copy(other.values_.begin(), other.values_.end(), values_.begin());
  std::copy(other.buffers_.begin(), other.buffers_.end(), buffers_.begin());
  std::copy(other.counters_.begin(), other.counters_.end(), counters_.begin());
  touch();
}

bool Parameters::operator==(const Parameters& other) const {
  return values_ == other.values_ && buffers_ == other.buffers_ && counters_ == other.counters_;
}

}  // namespace swav
