#include "network/key_map.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/status.h"

namespace swav {
namespace {

constexpr EncoderNaming encoder_namings[] = {
    {"torchvision", "conv1", "bn1", {"layer1", "layer2", "layer3", "layer4"}, "downsample"},
    // lightly's own ResNets.
    {"lightly", "conv1", "bn1", {"layer1", "layer2", "layer3", "layer4"}, "shortcut"},
    // nn.Sequential(*resnet.children()): torchvision's has ReLU and max-pool as numbers 2 and 3, lightly's has not.
    {"nn.Sequential", "0", "1", {"4", "5", "6", "7"}, "downsample"},
    {"nn.Sequential of lightly", "0", "1", {"2", "3", "4", "5"}, "shortcut"},
};

constexpr HeadNaming head_namings[] = {
    {"", "projection_head", false},
    {"lightly", "projection_head.layers", false},
    {"VISSL", "heads.0.projection_head", false},
    {"MoCo", "fc", true},
};

constexpr PrototypesNaming prototypes_namings[] = {
    {"prototypes", "", false},        {"prototypes.prototypes", "", true}, {"prototypes.heads.", "", true},
    {"prototypes.layers", "", false}, {"heads.0.prototypes", "", true},
};

// Tensors that every ResNet has; an encoder is where at least `least_marks` of them are.
constexpr const char* marks[] = {"conv1.weight",
                                 "bn1.weight",
                                 "layer1.0.conv1.weight",
                                 "layer2.0.conv1.weight",
                                 "layer3.0.conv1.weight",
                                 "layer4.0.conv1.weight",
                                 "layer2.0.downsample.0.weight",
                                 "layer3.0.downsample.0.weight",
                                 "layer4.0.downsample.0.weight"};
constexpr int least_marks = 5;

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// The key in a naming of the encoder's tensor `name`; empty where it is none.
std::string translate(const EncoderNaming& naming, const std::string& name) {
  const size_t dot = name.find('.');
  const std::string first = name.substr(0, dot), rest = dot == std::string::npos ? "" : name.substr(dot);
  if (first == "conv1") return naming.stem + rest;
  if (first == "bn1") return naming.stem_norm + rest;
  if (first.size() != 6 || first.rfind("layer", 0) != 0 || first[5] < '1' || first[5] > '4') return "";
  std::string key = naming.stages[size_t(first[5] - '1')] + rest;
  const std::string ours = ".downsample.";
  // Between the dots.
  if (const size_t at = key.find(ours); at != std::string::npos) key.replace(at + 1, ours.size() - 2, naming.projection);
  return key;
}

// The names that wrappers of modules add to keys: parallel and sharded training, compilation, activations that are computed
// twice.
constexpr const char* wrappers[] = {"module.", "_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module."};

// A key without them, wherever they stand.
std::string without_wrappers(const std::string& key) {
  std::string result;
  for (size_t at = 0; at < key.size();) {
    const size_t end = std::min(key.find('.', at), key.size() - 1) + 1;
    const std::string part = key.substr(at, end - at);
    if (std::find(std::begin(wrappers), std::end(wrappers), part) == std::end(wrappers)) result += part;
    at = end;
  }
  return result;
}

// The prefix one step further out: "a.b." -> "a.".
std::string parent(const std::string& prefix) {
  const size_t dot = prefix.size() < 2 ? std::string::npos : prefix.rfind('.', prefix.size() - 2);
  return dot == std::string::npos ? "" : prefix.substr(0, dot + 1);
}

std::string last_part(const std::string& prefix) {
  const std::string outer = parent(prefix);
  return prefix.empty() ? "" : prefix.substr(outer.size(), prefix.size() - outer.size() - 1);
}

// Whether the parts of a prefix contain those of the choice, one after the other.
bool contains(const std::string& prefix, std::string choice) {
  while (!choice.empty() && choice.back() == '.') choice.pop_back();
  return ("." + prefix).find("." + choice + ".") != std::string::npos;
}

struct Candidate {
  const EncoderNaming* naming;
  int marks = 0;
};

std::string list(const std::vector<std::string>& prefixes) {
  std::string text;
  for (size_t i = 0; i < prefixes.size() && i < 4; ++i) {
    const bool last = i + 1 == prefixes.size();
    text += (i == 0 ? "" : last ? " and " : ", ") + (prefixes[i].empty() ? "'.' (no prefix)" : "'" + prefixes[i] + "'");
  }
  return text + (prefixes.size() > 4 ? ", ..." : "");
}

}  // namespace

bool is_trainer_state(const std::string& key) {
  // "optimizer.", "optimizer_states.", "classy_state_dict.optimizer."; the queue of our older checkpoints had no prefix.
  return key.rfind("optim", 0) == 0 || key.find(".optim") != std::string::npos || key.rfind("objective.", 0) == 0 ||
         key == "queue" || key == "queue.inserted";
}

KeyMap::KeyMap(const TensorFile& file, const std::string& prefix) : file_(file) {
  for (const StoredTensor& tensor : file.tensors()) {
    if (!is_trainer_state(tensor.name)) keys_.push_back({without_wrappers(tensor.name), &tensor});
  }
  std::sort(keys_.begin(), keys_.end());
  const auto equal = [](const auto& a, const auto& b) { return a.first == b.first; };
  if (std::adjacent_find(keys_.begin(), keys_.end(), equal) != keys_.end()) {
    // One tensor with and one without a wrapper: two encoders, whose names have to stay apart.
    for (auto& [key, tensor] : keys_) key = tensor->name;
    std::sort(keys_.begin(), keys_.end());
  }
  find_encoder(prefix);
  find_head();
}

void KeyMap::find_encoder(const std::string& choice) {
  std::map<std::string, Candidate> best;  // by prefix
  for (const EncoderNaming& naming : encoder_namings) {
    std::map<std::string, int> found;
    for (const char* mark : marks) {
      const std::string key = translate(naming, mark);
      for (const auto& [name, tensor] : keys_) {
        const bool begins_a_part =
            name.size() == key.size() || (name.size() > key.size() && name[name.size() - key.size() - 1] == '.');
        if (begins_a_part && ends_with(name, key)) ++found[name.substr(0, name.size() - key.size())];
      }
    }
    for (const auto& [prefix, count] : found) {
      Candidate& candidate = best[prefix];
      if (count >= least_marks && count > candidate.marks) candidate = {&naming, count};
    }
  }
  std::vector<std::string> prefixes;
  std::set<std::pair<int32_t, int64_t>> stems;  // where their numbers are
  for (const auto& [prefix, candidate] : best) {
    if (candidate.naming == nullptr) continue;
    // The same tensors under a second name are the same encoder.
    const StoredTensor* stem = in_file(prefix + candidate.naming->stem + ".weight");
    const bool again = stem != nullptr && !stems.insert({stem->file, stem->offset}).second;
    if (!again || !choice.empty()) prefixes.push_back(prefix);
  }
  const char* path = file_.path().c_str();
  if (prefixes.empty()) {
    fail(SWAV_ERROR_FORMAT, "%s holds no ResNet: its %zu tensors have no names as conv1.weight and layer1.0.conv1.weight", path,
         keys_.size());
  }
  std::vector<std::string> chosen;
  for (const std::string& prefix : prefixes) {
    if (choice.empty() || contains(prefix, choice)) chosen.push_back(prefix);
  }
  // One that is named whole; "." is none at all.
  const std::string whole = choice == "." ? "" : choice;
  if (!choice.empty() && std::find(prefixes.begin(), prefixes.end(), whole) != prefixes.end()) chosen = {whole};
  if (chosen.empty()) {
    fail(SWAV_ERROR_ARGUMENT, "%s holds no encoder under the prefix '%s'; there is one under %s", path, choice.c_str(),
         list(prefixes).c_str());
  }
  if (chosen.size() > 1) {
    fail(SWAV_ERROR_ARGUMENT, "%s holds %zu encoders, under %s; choose one by its prefix", path, chosen.size(),
         list(chosen).c_str());
  }
  prefix_ = chosen.front();
  encoder_ = best.at(prefix_).naming;
}

void KeyMap::find_head() {
  // Beside the encoder, then further and further out.
  std::string place = prefix_;
  for (bool outermost = false; !outermost; place = parent(place)) {
    outermost = place.empty();
    for (const HeadNaming& naming : head_namings) {
      if (head_ || (naming.only_encoders && (place != prefix_ || last_part(prefix_).rfind("encoder", 0) != 0))) continue;
      const std::string base = place + naming.base;
      const bool single = in_file(base + ".weight") != nullptr && !naming.only_encoders;
      if ((single || in_file(base + ".0.weight") != nullptr) && is_head(base)) head_ = {&naming, place};
    }
    for (const PrototypesNaming& naming : prototypes_namings) {
      const std::string key = place + naming.before + (naming.numbered ? "0" : "") + naming.after + ".weight";
      if (!prototypes_ && in_file(key) != nullptr) prototypes_ = {&naming, place};
    }
  }
}

// Heads of other methods have more layers, or a batch-norm behind the last one: what the first of theirs give are no
// embeddings.
bool KeyMap::is_head(const std::string& base) const {
  const std::set<std::string> parts = {"weight", "bias", "0", "1", "2", "3"};
  return std::all_of(keys_.begin(), keys_.end(), [&](const auto& row) {
    const std::string& key = row.first;
    if (key.rfind(base + ".", 0) != 0) return true;
    const size_t begin = base.size() + 1;
    return parts.count(key.substr(begin, key.find('.', begin) - begin)) > 0;
  });
}

const StoredTensor* KeyMap::stranger(const std::set<const StoredTensor*>& known) const {
  std::vector<std::string> places = {prefix_ + encoder_->stem + ".", prefix_ + encoder_->stem_norm + "."};
  for (const char* stage : encoder_->stages) places.push_back(prefix_ + stage + ".");
  for (const auto& [key, tensor] : keys_) {
    const bool inside =
        std::any_of(places.begin(), places.end(), [&](const std::string& place) { return key.rfind(place, 0) == 0; });
    if (inside && known.count(tensor) == 0) return tensor;
  }
  return nullptr;
}

std::string KeyMap::title() const {
  const std::string head = head_ ? head_->naming->title : "";
  return encoder_->title + (head.empty() || head == encoder_->title ? "" : ", head of " + head);
}

const StoredTensor* KeyMap::in_file(const std::string& name) const {
  const auto found = std::lower_bound(keys_.begin(), keys_.end(), name,
                                      [](const auto& row, const std::string& wanted) { return row.first < wanted; });
  return found != keys_.end() && found->first == name ? found->second : nullptr;
}

std::string KeyMap::key_of(const std::string& name, int32_t sets) const {
  const std::string head = "projection_head", set = "prototypes";
  if (name.rfind(head, 0) == 0) return head_ ? head_->prefix + head_->naming->base + name.substr(head.size()) : "";
  if (name.rfind(set, 0) != 0) return prefix_ + translate(*encoder_, name);
  if (!prototypes_) return "";
  // "prototypes.weight" where there is one set, else "prototypes.prototypes2.weight".
  const std::string many = "prototypes.prototypes", end = ".weight";
  const std::string number = sets == 1 ? "0" : name.substr(many.size(), name.size() - many.size() - end.size());
  const PrototypesNaming& naming = *prototypes_->naming;
  if (!naming.numbered && number != "0") return "";
  return prototypes_->prefix + naming.before + (naming.numbered ? number : "") + naming.after + end;
}

const StoredTensor* KeyMap::find(const std::string& name, int32_t sets) const {
  const std::string key = key_of(name, sets);
  return key.empty() ? nullptr : in_file(key);
}

const StoredTensor* KeyMap::prototypes_bias(const std::string& name, int32_t sets) const {
  const std::string key = key_of(name, sets);
  return key.empty() ? nullptr : in_file(key.substr(0, key.rfind('.')) + ".bias");
}

}  // namespace swav
