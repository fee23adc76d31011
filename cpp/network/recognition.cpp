#include "network/recognition.h"

#include <algorithm>

#include "base/status.h"
#include "network/variant.h"

namespace swav {
namespace {

constexpr int32_t extent_limit = 1 << 24;

class Deduction {
 public:
  Deduction(const TensorFile& file, const KeyMap& keys) : path_(file.path().c_str()), keys_(keys) {}

  // depth, width, base_width, stem and channels.
  void encoder(swav_network_config& c) const {
    const int32_t stem = extent("conv1.weight", 4, 0), side = extent("conv1.weight", 4, 3);
    if (stem == 0) fail(SWAV_ERROR_FORMAT, "%s: the first convolution is missing, or has no four dimensions", path_);
    if (side != 7 && side != 3) {
      fail(SWAV_ERROR_UNSUPPORTED, "%s holds a ResNet whose first convolution is %dx%d; 7x7 and 3x3 are known", path_, side,
           side);
    }
    c.channels = extent("conv1.weight", 4, 1);
    c.stem = side == 7 ? SWAV_STEM_IMAGENET : SWAV_STEM_SMALL;
    c.depth = depth();
    // ResNet-50 alone is published under multiples of its width.
    const bool published = c.depth == 50 && (stem == 128 || stem == 256 || stem == 320);
    c.width = published ? stem / 64 : 1;
    c.base_width = published ? 64 : stem;
  }

  // hidden, dim and plain_head.
  void head(swav_network_config& c) const {
    c.dim = extent("projection_head.weight", 2, 0);
    if (c.dim > 0) return;
    c.hidden = extent("projection_head.0.weight", 2, 0);
    const int32_t normed = extent("projection_head.3.weight", 2, 0), plain = extent("projection_head.2.weight", 2, 0);
    c.plain_head = normed == 0;
    c.dim = c.plain_head ? plain : normed;
    if (c.hidden > 0 && c.dim == 0) {
      fail(SWAV_ERROR_FORMAT, "%s: the projection head has a first layer, and no last one", path_);
    }
  }

  // prototypes, as sets of one number or numbered ones.
  void prototypes(swav_network_config& c) const {
    while (c.head_count < SWAV_MAX_HEADS) {
      const int32_t sets = SWAV_MAX_HEADS;  // any number but one: names with numbers
      const StoredTensor* set = keys_.find("prototypes.prototypes" + std::to_string(c.head_count) + ".weight", sets);
      if (set == nullptr || set->shape.size() != 2) break;
      c.prototypes[c.head_count++] = int32_t(std::min<int64_t>(set->shape[0], extent_limit));
    }
  }

 private:
  // Extent of a dimension; 0 where the tensor is missing or has another rank.
  int32_t extent(const std::string& name, size_t rank, size_t axis) const {
    const StoredTensor* found = keys_.find(name, 1);
    if (found == nullptr || found->shape.size() != rank) return 0;
    return int32_t(std::min<int64_t>(found->shape[axis], extent_limit));
  }

  int32_t depth() const {
    std::array<int, 4> blocks{};
    std::string text;
    for (int stage = 0; stage < 4; ++stage) {
      const std::string prefix = "layer" + std::to_string(stage + 1) + ".";
      int& count = blocks[size_t(stage)];
      // By either convolution, so that one that is missing is found to be, later.
      while (count < 100 && (has(prefix, count, "conv1") || has(prefix, count, "conv2"))) ++count;
      text += (stage ? ", " : "") + std::to_string(count);
    }
    if (blocks == std::array{0, 0, 0, 0}) {
      fail(SWAV_ERROR_UNSUPPORTED, "%s holds a ResNet whose blocks have no conv1 and conv2, as those of torchvision have",
           path_);
    }
    const bool bottleneck = has("layer1.", 0, "conv3") || has("layer2.", 0, "conv3");
    if (!bottleneck && blocks == std::array{2, 2, 2, 2}) return 18;
    if (blocks == std::array{3, 4, 6, 3}) return bottleneck ? 50 : 34;
    const char* known = blocks == std::array{3, 4, 23, 3}   ? " (ResNet-101)"
                        : blocks == std::array{3, 8, 36, 3} ? " (ResNet-152)"
                                                            : "";
    fail(SWAV_ERROR_UNSUPPORTED, "%s holds a ResNet of another depth than 18, 34 and 50: stages of %s %s blocks%s", path_,
         text.c_str(), bottleneck ? "bottleneck" : "basic", known);
  }

  bool has(const std::string& stage, int block, const char* convolution) const {
    return keys_.find(stage + std::to_string(block) + "." + convolution + ".weight", 1) != nullptr;
  }

  const char* path_;
  const KeyMap& keys_;
};

swav_network_config configure(const TensorFile& file, const KeyMap& keys, const LoadChoice& choice,
                              const Declaration& declared) {
  swav_network_config c{};
  if (declared.format >= 2) {
    c = *declared.config;
  } else {
    const Deduction deduction(file, keys);
    deduction.encoder(c);
    if (declared.format == 1) {
      c.depth = declared.config->depth;
      c.width = declared.config->width;
      c.base_width = declared.config->base_width;
      c.stem = declared.config->stem;
    }
    if (keys.has_head()) deduction.head(c);
    if (keys.has_prototypes() && c.dim > 0) deduction.prototypes(c);
  }
  if (!choice.head) c.hidden = c.dim = 0, c.plain_head = false;
  if (!choice.head || !choice.prototypes) {
    c.head_count = 0;
    std::fill(std::begin(c.prototypes), std::end(c.prototypes), 0);
  }
  return c;
}

// Every tensor of the network that counts is in the file, in its shape.
void check_tensors(const TensorFile& file, const KeyMap& keys, const Description& d) {
  const Inventory tensors(d);
  const auto lacks = [&](const TensorEntry& entry) {
    return keys.find(entry.name, d.config.head_count) == nullptr && !is_dispensable(entry, d);
  };
  for (const TensorEntry& entry : tensors.entries()) {
    const StoredTensor* stored = keys.find(entry.name, d.config.head_count);
    if (stored != nullptr && !fits(*stored, entry)) {
      fail(SWAV_ERROR_FORMAT, "%s: %s has shape %s, the %s that the file seems to hold has %s", file.path().c_str(),
           stored->name.c_str(), shape_text(stored->shape).c_str(), architecture_name(d.config).c_str(),
           shape_text(entry.shape).c_str());
    }
  }
  const auto count = std::count_if(tensors.entries().begin(), tensors.entries().end(), lacks);
  check_strangers(file, keys, d);
  if (count == 0) return;
  const auto first = std::find_if(tensors.entries().begin(), tensors.entries().end(), lacks);
  fail(SWAV_ERROR_FORMAT, "%s lacks %lld of the %zu tensors of a %s: %s%s", file.path().c_str(), static_cast<long long>(count),
       tensors.entries().size(), architecture_name(d.config).c_str(), first->name.c_str(), count > 1 ? ", ..." : "");
}

}  // namespace

void check_strangers(const TensorFile& file, const KeyMap& keys, const Description& d) {
  const Inventory tensors(d);
  std::set<const StoredTensor*> known;
  for (const TensorEntry& entry : tensors.entries()) known.insert(keys.find(entry.name, d.config.head_count));
  if (const StoredTensor* more = keys.stranger(known)) {
    fail(SWAV_ERROR_UNSUPPORTED, "%s holds a ResNet with parts that a %s has not: %s", file.path().c_str(),
         architecture_name(d.config).c_str(), more->name.c_str());
  }
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

bool fits(const StoredTensor& stored, const TensorEntry& entry) {
  return entry.role == Role::norm_counter ? stored.count() == 1 : stored.shape == entry.shape;
}

bool is_dispensable(const TensorEntry& entry, const Description& d) {
  if (entry.role == Role::norm_counter) return true;
  return entry.role == Role::linear_bias && !d.projection_norm.empty() && entry.name == d.projection.front().name + ".bias";
}

Recognition recognize(const TensorFile& file, const KeyMap& keys, const LoadChoice& choice) {
  Recognition found;
  found.declaration = read_declaration(file.path(), file.metadata());
  found.guessed = found.declaration.format == 0;
  check_variant(file.path(), keys);
  const swav_network_config config = configure(file, keys, choice, found.declaration);
  try {
    found.description = describe(config);
  } catch (const Error& error) {
    fail(SWAV_ERROR_UNSUPPORTED, "%s holds no network that this build knows: %s", file.path().c_str(), error.what());
  }
  check_tensors(file, keys, found.description);
  return found;
}

}  // namespace swav
