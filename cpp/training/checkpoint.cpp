// The trainer's state as one safetensors file: the network's tensors under their own names, optimizer.* and objective.* beside
// them. The metadata has the network's description, the caller's note, and under "swav_training" (JSON, with a version of its
// own) who wrote the file and the settings of the run. Format 1 had the settings as lines of text, and the objective's tensors
// without a prefix.
#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/cpu.h"
#include "base/memory.h"
#include "base/status.h"
#include "comm/on_root.h"
#include "io/shallow_json.h"
#include "network/finite.h"
#include "network/weights.h"
#include "training/checkpoint_settings.h"
#include "training/rank_state.h"
#include "training/trainer.h"

namespace swav {
namespace {

using nlohmann::json;

constexpr int32_t newest_format = 3;              // 2: the queue's age was not kept
constexpr int64_t most_steps = int64_t{1} << 53;  // of an optimizer: what its double counts exactly
const char* const key = "swav_training";
const char* const state1_prefix = "optimizer.state1.";
const char* const state2_prefix = "optimizer.state2.";
const char* const steps_name = "optimizer.steps";
const char* const objective_prefix = "objective.";
const char* const step_prefix = "step.";  // of the tensors of step_file.cpp

template <size_t Capacity>
void copy_text(char (&to)[Capacity], const std::string& text) {
  const size_t size = std::min(text.size(), Capacity - 1);
  std::memcpy(to, text.data(), size);
  to[size] = 0;
}

std::string version_text(int32_t version) {
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." + std::to_string(version % 100);
}

struct Header {
  swav_checkpoint_info info{};
  int64_t parts = 1;
  bool fast = false;  // sums in the order of the transport
  Settings settings;
};

// Who wrote the file, and for which settings. Before there were several, one process did.
Header read_header(const TensorFile& file) {
  const char* path = file.path().c_str();
  Header header;
  const auto current = file.metadata().find(key), old = file.metadata().find("settings");
  if (current == file.metadata().end()) {
    if (old == file.metadata().end())
      fail(SWAV_ERROR_FORMAT, "%s is no checkpoint: it holds weights without a training state", path);
    header.info.format = 1;
    header.settings = parse_old_settings(old->second);
    return header;
  }
  const json root = parse_shallow(current->second);
  const auto damaged = [&](const char* what) {
    fail(SWAV_ERROR_FORMAT, "%s is damaged: the %s of its training state is not there", path, what);
  };
  const auto member = [&](const char* name, bool (json::*is)() const noexcept) -> const json& {
    const auto found = root.is_object() ? root.find(name) : root.end();
    if (!root.is_object() || found == root.end() || !((*found).*is)()) damaged(name);
    return *found;
  };
  const int64_t format = member("format", &json::is_number_integer).get<int64_t>();
  if (format > newest_format) {
    fail(SWAV_ERROR_UNSUPPORTED, "%s was written by a later version: it has format %lld, %d is the newest known here", path,
         static_cast<long long>(format), newest_format);
  }
  if (format < 2) damaged("format");
  header.info.format = int32_t(format);
  header.info.version = int32_t(std::clamp<int64_t>(member("engine", &json::is_number_integer).get<int64_t>(), 0, INT32_MAX));
  copy_text(header.info.isa, member("isa", &json::is_string).get<std::string>());
  // Older files name one instruction set, not each extension.
  if (root.contains("used")) copy_text(header.info.used, member("used", &json::is_string).get<std::string>());
  if (root.contains("fast")) header.fast = member("fast", &json::is_boolean).get<bool>();
  if (root.contains("ranks")) header.parts = member("ranks", &json::is_number_integer).get<int64_t>();
  for (const auto& [name, value] : member("settings", &json::is_object).items()) {
    if (!value.is_string()) damaged("text of a setting");
    header.settings[name] = value.get<std::string>();
  }
  return header;
}

// What decides about the last bits of a step. Products of bfloat16 have another order in AMX's tiles.
std::string instruction_set(const TrainerSettings& settings) {
  const bool amx = settings.storage == Storage::bfloat16 && tiles().tile.words == bfloat_amx_tile.words;
  return std::string(name(current_isa())) + (amx ? "+amx" : "");
}

// Why the bits of this run will not be those of a run without a break.
std::string warning(const Header& header, const std::string& isa, int64_t now, bool fast) {
  const swav_checkpoint_info& info = header.info;
  const int64_t then = header.parts;
  if (info.isa[0] != 0 && info.isa != isa) {
    return std::string("the checkpoint was written with the instruction set ") + info.isa + " and training goes on with " +
           isa + ": the weights will differ in their last bits from those of a run without a break";
  }
  if (info.version != 0 && info.version != SWAV_VERSION) {
    return "the checkpoint was written by version " + version_text(info.version) + " and training goes on with " +
           version_text(SWAV_VERSION) + ": the weights may differ in their last bits from those of a run without a break";
  }
  if (then != now) {
    return "the checkpoint was written by a run that added up " + std::to_string(then) + (then == 1 ? " part" : " parts") +
           " of a batch, and training goes on with " + std::to_string(now) +
           ": sums are rounded in another order, and the weights will differ in their last bits from those of a run without a "
           "change";
  }
  if (now > 1 && (fast || header.fast)) {
    return "sums over processes are or were fast, in whatever order the transport takes: the weights will differ in their last "
           "bits from those of a run without a break";
  }
  return "";
}

// Reads the tensors of a checkpoint, each once, and then says whether there were others.
class StateReader {
 public:
  // any_value: what is not finite is read too, and tensors of a step are passed over.
  StateReader(const TensorFile& file, bool any_value) : file_(file), any_value_(any_value) {}

  const StoredTensor& find(const std::string& name, const std::vector<int64_t>& shape) {
    const StoredTensor* found = file_.find(name);
    if (found == nullptr || found->shape != shape) {
      fail(SWAV_ERROR_FORMAT, "%s is damaged: tensor %s is missing or has another shape", file_.path().c_str(), name.c_str());
    }
    read_.insert(name);
    return *found;
  }
  void read(const TensorEntry& entry, void* values) {
    const StoredTensor& stored = find(entry.name, entry.shape);
    if (any_value_ && entry.kind != SWAV_TENSOR_COUNTER) return file_.read(stored, static_cast<float*>(values));
    read_tensor(file_, stored, entry, values);
  }
  void read(const std::string& name, const std::vector<int64_t>& shape, float* values, bool squares = false) {
    const StoredTensor& stored = find(name, shape);
    file_.read(stored, values);
    if (!any_value_) check_values(file_, stored, values, squares);
  }
  void read(const std::string& name, const std::vector<int64_t>& shape, int64_t* values) {
    const StoredTensor& stored = find(name, shape);
    file_.read(stored, values);
    const int64_t count = stored.count();
    if (std::any_of(values, values + count, [](int64_t n) { return n < 0 || n > most_steps; })) {
      fail(SWAV_ERROR_FORMAT, "%s is damaged: %s holds a number that is no count of steps", file_.path().c_str(), name.c_str());
    }
  }
  void finish() const {
    for (const StoredTensor& tensor : file_.tensors()) {
      if (read_.count(tensor.name) > 0 || (any_value_ && tensor.name.rfind(step_prefix, 0) == 0)) continue;
      fail(SWAV_ERROR_FORMAT, "%s holds a tensor that no run of these settings has: %s", file_.path().c_str(),
           tensor.name.c_str());
    }
  }

 private:
  const TensorFile& file_;
  bool any_value_;
  std::set<std::string> read_;
};

}  // namespace

std::map<std::string, std::string> Trainer::checkpoint_settings() const {
  // Those of all parts, as a process with the whole batch would have them.
  TrainerSettings whole = settings_;
  whole.batch *= parts_->total();
  std::vector<Setting> objective = own_[0].objective->settings();
  for (Setting& setting : objective) setting.value *= setting.counts_rows ? parts_->total() : 1;
  Settings settings = settings_of(network_.config(), whole, objective);
  const int norm_parts = own_[0].norm_group->size();
  const bool common = norm_parts == parts_->total() && settings_.micro_batches() == 1;
  settings["norm_images"] = std::to_string(common ? 0 : norm_parts * settings_.images_at_once());
  return settings;
}

std::vector<StateArray> Trainer::state_of_parts(size_t array) const {
  std::vector<StateArray> arrays;
  for (const TrainerPart& part : own_) arrays.push_back(part.objective->state()[array]);
  return arrays;
}

// Of arrays of which each part has its rows, on rank 0; empty for the others.
std::vector<std::vector<float>> Trainer::gather_state() const {
  std::vector<std::vector<float>> gathered;
  const size_t arrays = own_[0].objective->state().size();
  for (size_t i = 0; i < arrays; ++i) {
    const std::vector<StateArray> parts = state_of_parts(i);
    gathered.push_back(parts[0].batch > 0 && parts_->total() > 1 ? gather_whole(parts, processes()) : std::vector<float>());
  }
  return gathered;
}

void Trainer::save(const std::string& path, const std::string& note) const {
  on_root(processes(), [&] { swav::require_finite(network_.parameters()); });
  const std::vector<StateArray> objective = own_[0].objective->state();
  const std::vector<std::vector<float>> gathered = gather_state();
  on_root(processes(), [&] { write(path, note, objective, gathered, {}, {}); });
}

void Trainer::write(const std::string& path, const std::string& note, const std::vector<StateArray>& objective,
                    const std::vector<std::vector<float>>& gathered, const std::vector<TensorSource>& more_tensors,
                    const Metadata& more_metadata) const {
  std::vector<TensorSource> tensors = tensor_sources(network_);
  std::vector<int64_t> steps;
  for (const ParameterView& view : optimizer_->parameters()) steps.push_back(view.steps);
  for (const TensorEntry& entry : network_.parameters().entries()) {
    if (entry.kind != SWAV_TENSOR_PARAMETER) continue;
    tensors.push_back({state1_prefix + entry.name, DataType::f32, entry.shape, plan().state1 + entry.offset});
    if (plan().state2)
      tensors.push_back({state2_prefix + entry.name, DataType::f32, entry.shape, plan().state2 + entry.offset});
  }
  tensors.push_back({steps_name, DataType::i64, {int64_t(steps.size())}, steps.data()});
  for (size_t i = 0; i < objective.size(); ++i) {
    const StateArray& array = objective[i];
    const DataType type = array.values ? DataType::f32 : DataType::i64;
    const void* values = array.values ? static_cast<const void*>(array.values) : array.counters;
    if (!gathered[i].empty()) values = gathered[i].data();
    tensors.push_back({objective_prefix + array.name, type, whole_shape(array, parts_->total()), values});
  }
  tensors.insert(tensors.end(), more_tensors.begin(), more_tensors.end());
  Metadata metadata = weights_metadata(network_.config(), network_.input);
  metadata.insert(more_metadata.begin(), more_metadata.end());
  metadata["note"] = note;
  metadata[key] = json{{"format", newest_format},          {"engine", SWAV_VERSION},   {"isa", instruction_set(settings_)},
                       {"used", used_features().text()},   {"ranks", parts_->total()}, {"fast", processes().fast()},
                       {"settings", checkpoint_settings()}}
                      .dump();
  write_safetensors(path, tensors, metadata);
}

// All state of a trainer, apart from it: everything is read before anything is changed.
struct Trainer::State {
  Parameters parameters;
  std::vector<float> state1, state2;
  std::vector<int64_t> steps;
  std::vector<std::vector<float>> values;  // of each array of the objective, or
  std::vector<std::vector<int64_t>> counters;
};

Trainer::State Trainer::sized_state() const {
  require_memory(plan().bytes().parameters * 2 + plan().bytes().optimizer + plan().bytes().queue * parts_->total(),
                 "reading a checkpoint", "it is held beside the training state for a moment");
  State state{network_.parameters(), {}, {}, {}, {}, {}};
  state.state1.resize(size_t(state.parameters.size()));
  if (plan().state2) state.state2.resize(size_t(state.parameters.size()));
  state.steps.resize(optimizer_->parameters().size());
  for (const StateArray& array : own_[0].objective->state()) {
    int64_t count = 1;
    for (int64_t n : whole_shape(array, parts_->total())) count *= n;
    state.values.emplace_back(array.values ? size_t(count) : 0);
    state.counters.emplace_back(array.values ? 0 : size_t(count));
  }
  return state;
}

void Trainer::read_state(const TensorFile& file, State& state, Values values) const {
  StateReader reader(file, values == Values::any);
  for (const TensorEntry& entry : state.parameters.entries()) {
    reader.read(entry, state.parameters.data(entry));
    if (entry.kind != SWAV_TENSOR_PARAMETER) continue;
    reader.read(state1_prefix + entry.name, entry.shape, state.state1.data() + entry.offset);
    if (plan().state2) reader.read(state2_prefix + entry.name, entry.shape, state.state2.data() + entry.offset, true);
  }
  reader.read(steps_name, {int64_t(state.steps.size())}, state.steps.data());
  const std::vector<StateArray> objective = own_[0].objective->state();
  for (size_t i = 0; i < objective.size(); ++i) {
    const StateArray& array = objective[i];
    if (array.may_lack && file.find(objective_prefix + array.name) == nullptr) continue;
    const std::string name = file.find(array.name) != nullptr ? array.name : objective_prefix + array.name;
    const std::vector<int64_t> shape = whole_shape(array, parts_->total());
    if (array.values) {
      reader.read(name, shape, state.values[i].data());
    } else {
      reader.read(name, shape, state.counters[i].data());
    }
  }
  reader.finish();
}

void Trainer::broadcast(State& state) const {
  if (processes().size() == 1) return;
  const auto send = [&](auto& values) { processes().broadcast(values.data(), int64_t(values.size() * sizeof values[0]), 0); };
  for (const TensorEntry& entry : state.parameters.entries()) {
    const int64_t size = entry.kind == SWAV_TENSOR_COUNTER ? sizeof(int64_t) : sizeof(float);
    processes().broadcast(state.parameters.data(entry), entry.count * size, 0);
  }
  for (auto* values : {&state.state1, &state.state2}) send(*values);
  send(state.steps);
  for (auto& values : state.values) send(values);
  for (auto& counters : state.counters) send(counters);
}

swav_checkpoint_info Trainer::load(const std::string& path) { return restore(path, Values::finite); }

swav_checkpoint_info Trainer::restore(const std::string& path, Values values) {
  std::optional<State> room;
  on_all(processes(), [&] { room.emplace(sized_state()); });
  State& state = *room;
  swav_checkpoint_info info{};
  swav_input_description input{};
  on_root(processes(), [&] {
    const TensorFile file(path);
    const Header header = read_header(file);
    const std::string differences = difference(header.settings, checkpoint_settings());
    if (!differences.empty()) fail(SWAV_ERROR_FORMAT, "%s belongs to other settings: %s", path.c_str(), differences.c_str());
    const Declaration declared = read_declaration(path, file.metadata());
    if (!declared.input) fail(SWAV_ERROR_FORMAT, "%s is damaged: it does not describe its input", path.c_str());
    read_state(file, state, values);
    input = *declared.input;
    info = header.info;
    copy_text(info.warning, warning(header, instruction_set(settings_), parts_->total(), processes().fast()));
  });
  processes().broadcast(&info, sizeof info, 0);
  processes().broadcast(&input, sizeof input, 0);
  broadcast(state);

  network_.parameters().assign(state.parameters);
  network_.input = input;
  std::copy(state.state1.begin(), state.state1.end(), plan().state1);
  std::copy(state.state2.begin(), state.state2.end(), plan().state2);
  for (size_t i = 0; i < state.steps.size(); ++i) optimizer_->parameters()[i].steps = state.steps[i];
  const std::vector<StateArray> objective = own_[0].objective->state();
  for (size_t i = 0; i < objective.size(); ++i) {
    const std::vector<StateArray> parts = state_of_parts(i);
    for (int part = 0; part < parts_->count(); ++part) {
      const StateArray& own = parts[size_t(part)];
      take_part(state.values[i], own, parts_->total(), parts_->member(part).rank());
      std::copy(state.counters[i].begin(), state.counters[i].end(), own.counters);
    }
  }
  return info;
}

}  // namespace swav
