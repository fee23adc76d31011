// The trainer's state as one safetensors file: the network's tensors under their own names, optimizer.* and objective.* beside
// them.
#include <algorithm>
#include <cstring>

#include "base/memory.h"
#include "base/number.h"
#include "base/status.h"
#include "io/safetensors.h"
#include "network/finite.h"
#include "training/trainer.h"

namespace swav {
namespace {

const char* const settings_key = "settings";
const std::string state1_prefix = std::string(optimizer_prefix) + "state1.",
                  state2_prefix = std::string(optimizer_prefix) + "state2.",
                  steps_name = std::string(optimizer_prefix) + "steps";

void line(std::string& text, const std::string& key, double value) { text += key + " " + text_of(value, 9) + "\n"; }

// The lines that two settings texts do not share, as "key: file has X, this run has Y".
std::string difference(const std::string& file, const std::string& run) {
  auto split = [](const std::string& text) {
    std::map<std::string, std::string> rows;
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size()), space = std::min(text.find(' ', at), end);
      rows[text.substr(at, space - at)] = text.substr(std::min(space + 1, end), end - std::min(space + 1, end));
      at = end + 1;
    }
    return rows;
  };
  auto ours = split(run), theirs = split(file);
  for (const auto& row : theirs) ours.emplace(row.first, "none");
  std::string list;
  for (const auto& [key, value] : ours) {
    const std::string& stored = theirs.emplace(key, "none").first->second;
    if (stored != value) list += (list.empty() ? "" : "; ") + key + ": file has " + stored + ", this run has " + value;
  }
  return list;
}

}  // namespace

std::string Trainer::settings_text() const {
  const swav_network_config& n = network_.config();
  const OptimizerConfig& o = settings_.optimizer;
  std::string text = "architecture " + architecture_name(n) + "\n";
  line(text, "stem", n.stem);
  line(text, "channels", n.channels);
  line(text, "hidden", n.hidden);
  line(text, "dim", n.dim);
  for (int32_t h = 0; h < n.head_count; ++h) line(text, "prototypes" + std::to_string(h), n.prototypes[h]);
  for (size_t g = 0; g < settings_.groups.size(); ++g) {
    line(text, "crop_count" + std::to_string(g), settings_.groups[g].count);
    line(text, "crop_size" + std::to_string(g), settings_.groups[g].size);
  }
  line(text, "batch", settings_.batch);
  for (const Setting& setting : objective_->settings()) line(text, setting.name, setting.value);
  line(text, "optimizer", o.rule);
  line(text, "momentum", double(o.momentum));
  line(text, "trust", double(o.trust));
  line(text, "beta1", double(o.beta1));
  line(text, "beta2", double(o.beta2));
  line(text, "adam_epsilon", double(o.epsilon));
  line(text, "weight_decay", double(o.weight_decay));
  line(text, "direct", settings_.direct);
  return text;
}

void Trainer::save(const std::string& path, const std::string& note) const {
  swav::require_finite(network_.parameters());
  std::vector<TensorSource> tensors;
  std::vector<int64_t> steps;
  for (const ParameterView& view : optimizer_->parameters()) steps.push_back(view.steps);
  for (const TensorEntry& entry : network_.parameters().entries()) {
    const DataType type = entry.kind == SWAV_TENSOR_COUNTER ? DataType::i64 : DataType::f32;
    tensors.push_back({entry.name, type, entry.shape, network_.parameters().data(entry)});
    if (entry.kind != SWAV_TENSOR_PARAMETER) continue;
    tensors.push_back({state1_prefix + entry.name, DataType::f32, entry.shape, plan_.state1 + entry.offset});
    if (plan_.state2) tensors.push_back({state2_prefix + entry.name, DataType::f32, entry.shape, plan_.state2 + entry.offset});
  }
  tensors.push_back({steps_name, DataType::i64, {int64_t(steps.size())}, steps.data()});
  for (const StateArray& array : objective_->state()) {
    const DataType type = array.values ? DataType::f32 : DataType::i64;
    tensors.push_back(
        {objective_prefix + array.name, type, array.shape, array.values ? static_cast<void*>(array.values) : array.counters});
  }
  std::map<std::string, std::string> metadata = weights_metadata(network_);
  metadata["note"] = note;
  metadata[settings_key] = settings_text();
  write_safetensors(path, tensors, metadata);
}

void Trainer::load(const std::string& path) {
  const SafetensorsReader file(path);
  const auto settings = file.metadata().find(settings_key);
  if (settings == file.metadata().end())
    fail(SWAV_ERROR_FORMAT, "%s is no checkpoint: it holds weights without a training state", path.c_str());
  if (settings->second != settings_text()) {
    fail(SWAV_ERROR_FORMAT, "%s belongs to other settings: %s", path.c_str(),
         difference(settings->second, settings_text()).c_str());
  }
  auto find = [&](const std::string& name, const std::vector<int64_t>& shape) -> const StoredTensor& {
    const auto found = file.tensors().find(name);
    if (found == file.tensors().end() || found->second.shape != shape) {
      fail(SWAV_ERROR_FORMAT, "%s is damaged: tensor %s is missing or has another shape", path.c_str(), name.c_str());
    }
    return found->second;
  };
  // Everything is read before anything is changed.
  Parameters& parameters = network_.parameters();
  require_memory(plan_.bytes().parameters * 2 + plan_.bytes().optimizer + plan_.bytes().queue, "reading a checkpoint",
                 "it is held beside the training state for a moment");
  Parameters loaded = parameters;
  std::vector<float> state1(size_t(parameters.size())), state2(plan_.state2 ? size_t(parameters.size()) : 0);
  for (const TensorEntry& entry : loaded.entries()) {
    const StoredTensor& stored = find(entry.name, entry.shape);
    if (entry.kind == SWAV_TENSOR_COUNTER) {
      file.read(stored, static_cast<int64_t*>(loaded.data(entry)));
      continue;
    }
    file.read(stored, static_cast<float*>(loaded.data(entry)));
    if (entry.kind != SWAV_TENSOR_PARAMETER) continue;
    file.read(find(state1_prefix + entry.name, entry.shape), state1.data() + entry.offset);
    if (plan_.state2) file.read(find(state2_prefix + entry.name, entry.shape), state2.data() + entry.offset);
  }
  std::vector<int64_t> steps(optimizer_->parameters().size());
  file.read(find(steps_name, {int64_t(steps.size())}), steps.data());
  const std::vector<StateArray> objective = objective_->state();
  std::vector<std::vector<float>> values(objective.size());
  std::vector<std::vector<int64_t>> counters(objective.size());
  for (size_t i = 0; i < objective.size(); ++i) {
    // Older files have the objective's state without the prefix.
    const std::string& plain = objective[i].name;
    const StoredTensor& stored = find(file.tensors().count(plain) > 0 ? plain : objective_prefix + plain, objective[i].shape);
    if (objective[i].values) {
      values[i].resize(size_t(stored.count()));
      file.read(stored, values[i].data());
      continue;
    }
    counters[i].resize(size_t(stored.count()));
    file.read(stored, counters[i].data());
    for (int64_t counter : counters[i]) {
      if (counter < 0) fail(SWAV_ERROR_FORMAT, "%s is damaged: %s is negative", path.c_str(), plain.c_str());
    }
  }

  parameters.assign(loaded);
  std::copy(state1.begin(), state1.end(), plan_.state1);
  std::copy(state2.begin(), state2.end(), plan_.state2);
  for (size_t i = 0; i < steps.size(); ++i) optimizer_->parameters()[i].steps = steps[i];
  for (size_t i = 0; i < objective.size(); ++i) {
    std::copy(values[i].begin(), values[i].end(), objective[i].values);
    std::copy(counters[i].begin(), counters[i].end(), objective[i].counters);
  }
}

}  // namespace swav
