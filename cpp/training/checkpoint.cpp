// The trainer's state as one safetensors file: the network's tensors under their own names, optimizer.* and queue beside them.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "base/status.h"
#include "io/safetensors.h"
#include "training/trainer.h"

namespace swav {
namespace {

const char* const settings_key = "settings";

void line(std::string& text, const char* key, double value) {
  char buffer[96];
  std::snprintf(buffer, sizeof buffer, "%s %.9g\n", key, value);
  text += buffer;
}

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
  const swav_trainer_config& t = config_;
  std::string text = "architecture " + architecture_name(n) + "\n";
  line(text, "stem", n.stem);
  line(text, "channels", n.channels);
  line(text, "hidden", n.hidden);
  line(text, "dim", n.dim);
  for (int32_t h = 0; h < n.head_count; ++h) line(text, ("prototypes" + std::to_string(h)).c_str(), n.prototypes[h]);
  for (int32_t g = 0; g < t.group_count; ++g) {
    line(text, ("crop_count" + std::to_string(g)).c_str(), t.crop_counts[g]);
    line(text, ("crop_size" + std::to_string(g)).c_str(), t.crop_sizes[g]);
  }
  line(text, "batch", t.batch);
  for (int32_t a = 0; a < t.assign_count; ++a) line(text, ("assign" + std::to_string(a)).c_str(), t.assign[a]);
  line(text, "epsilon", double(t.codes.epsilon));
  line(text, "epsilon_relative", t.codes.relative);
  line(text, "epsilon_floor", double(t.codes.epsilon_floor));
  line(text, "sinkhorn_iterations", t.codes.iterations);
  line(text, "temperature", double(t.temperature));
  line(text, "queue_length", double(queue_->length()));
  line(text, "optimizer", t.optimizer);
  line(text, "momentum", double(t.momentum));
  line(text, "trust", double(t.trust));
  line(text, "beta1", double(t.beta1));
  line(text, "beta2", double(t.beta2));
  line(text, "adam_epsilon", double(t.adam_epsilon));
  line(text, "weight_decay", double(t.weight_decay));
  line(text, "direct", t.direct);
  return text;
}

void Trainer::save(const std::string& path, const std::string& note) const {
  std::vector<TensorSource> tensors;
  std::vector<int64_t> steps;
  for (const ParameterView& view : optimizer_->parameters()) steps.push_back(view.steps);
  const int64_t queue_inserted = queue_->inserted();
  for (const TensorEntry& entry : network_.parameters().entries()) {
    const DataType type = entry.kind == SWAV_TENSOR_COUNTER ? DataType::i64 : DataType::f32;
    tensors.push_back({entry.name, type, entry.shape, network_.parameters().data(entry)});
    if (entry.kind != SWAV_TENSOR_PARAMETER) continue;
    tensors.push_back({"optimizer.state1." + entry.name, DataType::f32, entry.shape, state1_ + entry.offset});
    if (state2_) tensors.push_back({"optimizer.state2." + entry.name, DataType::f32, entry.shape, state2_ + entry.offset});
  }
  tensors.push_back({"optimizer.steps", DataType::i64, {int64_t(steps.size())}, steps.data()});
  if (queue_->length() > 0) {
    tensors.push_back(
        {"queue", DataType::f32, {config_.assign_count, queue_->length(), network_.config().dim}, queue_->values().data()});
    tensors.push_back({"queue.inserted", DataType::i64, {}, &queue_inserted});
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
  Parameters loaded = parameters;
  std::vector<float> state1(size_t(parameters.size())), state2(state2_ ? size_t(parameters.size()) : 0);
  for (const TensorEntry& entry : loaded.entries()) {
    const StoredTensor& stored = find(entry.name, entry.shape);
    if (entry.kind == SWAV_TENSOR_COUNTER) {
      file.read(stored, static_cast<int64_t*>(loaded.data(entry)));
      continue;
    }
    file.read(stored, static_cast<float*>(loaded.data(entry)));
    if (entry.kind != SWAV_TENSOR_PARAMETER) continue;
    file.read(find("optimizer.state1." + entry.name, entry.shape), state1.data() + entry.offset);
    if (state2_) file.read(find("optimizer.state2." + entry.name, entry.shape), state2.data() + entry.offset);
  }
  std::vector<int64_t> steps(optimizer_->parameters().size());
  file.read(find("optimizer.steps", {int64_t(steps.size())}), steps.data());
  std::vector<float> queue(queue_->values().size());
  int64_t inserted = 0;
  if (queue_->length() > 0) {
    file.read(find("queue", {config_.assign_count, queue_->length(), network_.config().dim}), queue.data());
    file.read(find("queue.inserted", {}), &inserted);
    if (inserted < 0) fail(SWAV_ERROR_FORMAT, "%s is damaged: queue.inserted is negative", path.c_str());
  }

  parameters.assign(loaded);
  std::copy(state1.begin(), state1.end(), state1_);
  std::copy(state2.begin(), state2.end(), state2_);
  for (size_t i = 0; i < steps.size(); ++i) optimizer_->parameters()[i].steps = steps[i];
  if (queue_->length() > 0) queue_->restore(queue.data(), inserted);
}

}  // namespace swav
