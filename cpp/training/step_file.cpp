// One step as a file: a checkpoint of the state before it, with the crops as tensors step.crops0.. and the rest of the input as
// JSON in the metadata under "swav_step". A step that fails leaves all state as it was, so what it was made of can be written
// then.
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "io/shallow_json.h"
#include "io/tensor_file.h"
#include "training/trainer.h"

namespace swav {
namespace {

using nlohmann::json;

const char* const key = "swav_step";

std::string crops_name(size_t group) { return "step.crops" + std::to_string(group); }

}  // namespace

void Trainer::save_step(const std::string& path, const std::string& note, const swav_step_input& input) const {
  check_input(input);
  if (processes().size() > 1) fail(SWAV_ERROR_UNSUPPORTED, "a step of several processes cannot be written to a file");
  const int64_t channels = network_.config().channels;
  std::vector<TensorSource> crops;
  for (size_t g = 0; g < settings_.groups.size(); ++g) {
    const CropGroup& group = settings_.groups[g];
    crops.push_back({crops_name(g),
                     DataType::f32,
                     {int64_t(group.count) * settings_.images(), group.size, group.size, channels},
                     input.crops[g]});
  }
  const json step{{"learning_rate", input.learning_rate},
                  {"freeze_prototypes", input.freeze_prototypes},
                  {"use_queue", input.use_queue},
                  {"update", input.update}};
  write(path, note, own_[0].objective->state(), gather_state(), crops, {{key, step.dump()}});
}

void Trainer::replay(const std::string& path, swav_step_report& report) {
  if (processes().size() > 1) fail(SWAV_ERROR_UNSUPPORTED, "a step from a file is made again by one process");
  const TensorFile file(path);
  const auto text = file.metadata().find(key);
  if (text == file.metadata().end()) fail(SWAV_ERROR_FORMAT, "%s holds no step", path.c_str());
  const json step = parse_shallow(text->second);
  swav_step_input input{};
  try {
    input.learning_rate = step.at("learning_rate").get<double>();
    input.freeze_prototypes = step.at("freeze_prototypes").get<bool>();
    input.use_queue = step.at("use_queue").get<bool>();
    input.update = step.at("update").get<bool>();
  } catch (const json::exception&) {
    fail(SWAV_ERROR_FORMAT, "%s is damaged: its step is not whole", path.c_str());
  }
  std::vector<std::vector<float>> crops;
  std::vector<const float*> pointers;
  for (size_t g = 0; g < settings_.groups.size(); ++g) {
    const CropGroup& group = settings_.groups[g];
    const std::vector<int64_t> shape{int64_t(group.count) * settings_.images(), group.size, group.size,
                                     network_.config().channels};
    const StoredTensor* stored = file.find(crops_name(g));
    if (stored == nullptr || stored->shape != shape) {
      fail(SWAV_ERROR_FORMAT, "%s is damaged: tensor %s is missing or has another shape", path.c_str(), crops_name(g).c_str());
    }
    crops.emplace_back(size_t(stored->count()));
    file.read(*stored, crops.back().data());
    pointers.push_back(crops.back().data());
  }
  restore(path, Values::any);
  input.crops = pointers.data();
  this->step(input, report);
}

}  // namespace swav
