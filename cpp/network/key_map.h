// Whose names a file of tensors uses: where in it the encoder, the projection head and the prototypes are, and which of its
// tensors each tensor of a network is.
//
// A naming is data: what stands in a file for "conv1", "bn1", "layer1" .. "layer4" and "downsample". An encoder is a prefix
// below which most of a naming's names are found; the head and the prototypes are looked for beside the encoder, then further
// out.
#pragma once

#include <array>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "io/tensor_file.h"

namespace swav {

struct EncoderNaming {
  const char* title;
  const char* stem;
  const char* stem_norm;
  std::array<const char*, 4> stages;
  const char* projection;
};

// The base is what stands for "projection_head" in "projection_head.0.weight".
struct HeadNaming {
  const char* title;
  const char* base;
  bool only_encoders;  // beside a prefix that ends in "encoder..." only: elsewhere the name is a classifier's
};

struct PrototypesNaming {
  const char* before;  // the number of the set
  const char* after;
  bool numbered;
};

// Whether a key is state of a training program beside the weights: momentum has the names of what it belongs to.
bool is_trainer_state(const std::string& key);

class KeyMap {
 public:
  // Finds the encoder, by `prefix` where there are several (empty: there has to be one). Throws SWAV_ERROR_FORMAT where there
  // is none, SWAV_ERROR_ARGUMENT naming the prefixes where the choice is open or none of them.
  KeyMap(const TensorFile& file, const std::string& prefix);

  const std::string& prefix() const { return prefix_; }  // of the encoder; empty, or with a dot at its end
  std::string title() const;                             // "torchvision", "lightly, head of VISSL"

  // The tensor of the file that is the network's tensor `name` ("layer1.0.conv1.weight"); NULL where the file has none. `sets`
  // is the number of sets of prototypes.
  const StoredTensor* find(const std::string& name, int32_t sets) const;
  // The bias beside a set of prototypes, `name` its weights; NULL where the file has none. SwAV's have none.
  const StoredTensor* prototypes_bias(const std::string& name, int32_t sets) const;
  // The tensor of the file that is named so behind the encoder's prefix, whatever the naming.
  const StoredTensor* below_prefix(const std::string& key) const { return in_file(prefix_ + key); }
  // A tensor inside the stem or a stage that is none of the known ones; NULL where there is none.
  const StoredTensor* stranger(const std::set<const StoredTensor*>& known) const;
  bool has_head() const { return head_.has_value(); }
  bool has_prototypes() const { return prototypes_.has_value(); }

 private:
  template <class Naming>
  struct Place {
    const Naming* naming;
    std::string prefix;
  };

  void find_encoder(const std::string& choice);
  void find_head();
  bool is_head(const std::string& base) const;
  const StoredTensor* in_file(const std::string& name) const;
  std::string key_of(const std::string& name, int32_t sets) const;

  const TensorFile& file_;
  std::vector<std::pair<std::string, const StoredTensor*>> keys_;  // ascending; without the names of wrappers
  const EncoderNaming* encoder_ = nullptr;
  std::string prefix_;
  std::optional<Place<HeadNaming>> head_;
  std::optional<Place<PrototypesNaming>> prototypes_;
};

}  // namespace swav
