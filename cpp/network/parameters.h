// The tensors of a network: names and shapes as torchvision has them, values in three arrays (parameters, buffers, counters).
// Gradients and optimiser state of a trainer are arrays with the same offsets as the parameters.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "network/description.h"

namespace swav {

// What a tensor does in its layer.
enum class Role {
  convolution,    // weight of one
  linear_weight,  // of the projection
  linear_bias,
  prototypes,  // of one set
  norm_scale,  // gamma of a batch-norm
  norm_shift,  // beta
  norm_mean,   // running
  norm_variance,
  norm_counter  // batches seen
};

enum class Part { backbone, head };

struct TensorEntry {
  std::string name;
  Role role;
  Part part;
  swav_tensor_kind kind;
  std::vector<int64_t> shape;
  int64_t count;
  int64_t offset;  // in the array of its kind
};

// Which tensors a network has and where each lies in the array of its kind; no values.
class Inventory {
 public:
  explicit Inventory(const Description& description);

  const std::vector<TensorEntry>& entries() const { return entries_; }
  // Numbers in the array of a kind, padding included.
  int64_t size(swav_tensor_kind kind) const { return sizes_[size_t(kind)]; }

 private:
  void add(const std::string& name, Role role, Part part, std::vector<int64_t> shape);
  void add_convolution(const ConvolutionLayer& layer);
  void add_norm(const std::string& name, Part part, int64_t channels);

  std::vector<TensorEntry> entries_;
  std::array<int64_t, 3> sizes_{};
};

class Parameters {
 public:
  // All values are zero. Throws SWAV_ERROR_MEMORY.
  explicit Parameters(const Description& description);

  const std::vector<TensorEntry>& entries() const { return inventory_.entries(); }
  const TensorEntry& entry(const std::string& name) const;
  bool contains(const std::string& name) const { return index_.count(name) > 0; }
  // In the order of the entries.
  std::vector<const TensorEntry*> with_role(Role role) const;

  int64_t parameter_count() const;                          // of the model
  int64_t size() const { return int64_t(values_.size()); }  // of the array, padding included

  float* values() { return values_.data(); }
  const float* values() const { return values_.data(); }
  void* data(const TensorEntry& entry);
  const void* data(const TensorEntry& entry) const;

  // Pointers for plans, by name. Throw SWAV_ERROR_INTERNAL for an unknown name.
  float* value(const std::string& name) { return static_cast<float*>(data(entry(name))); }
  int64_t* counter(const std::string& name) { return static_cast<int64_t*>(data(entry(name))); }

  // The published initialisation (Kaiming-normal fan-out, batch-norm 1 and 0, linear U(+-1/sqrt(fan-in))); tensor i draws
  // from a stream of its own.
  void initialize(uint64_t seed);

  // Copies values into the arrays in place, so that pointers of plans stay valid. Both have the same description.
  void assign(const Parameters& other);

  // Counts the times that values were changed, from 1: what is derived from them (folded weights) is of one version. Whoever
  // writes values calls touch.
  uint64_t version() const { return version_; }
  void touch() { ++version_; }
  // After a change that was taken back, to the bit.
  void restore_version(uint64_t version) { version_ = version; }

  bool operator==(const Parameters& other) const;

 private:
  void initialize(size_t index, Random random);

  Inventory inventory_;
  std::unordered_map<std::string, size_t> index_;
  std::vector<float> values_, buffers_;
  std::vector<int64_t> counters_;
  uint64_t version_ = 1;
};

}  // namespace swav
