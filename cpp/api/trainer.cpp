#include "training/trainer.h"

#include <algorithm>
#include <cstring>

#include "api/api.h"
#include "api/handles.h"
#include "api/trainer_config.h"
#include "io/tensor_file.h"

using namespace swav;

namespace swav::api {

TrainerSettings trainer_settings(const swav_trainer_config& c) {
  SWAV_REQUIRE(c.group_count >= 1 && c.group_count <= SWAV_MAX_GROUPS, "group_count is %d; 1 to %d is allowed", c.group_count,
               SWAV_MAX_GROUPS);
  TrainerSettings settings;
  for (int32_t g = 0; g < c.group_count; ++g) settings.groups.push_back({c.crop_counts[g], c.crop_sizes[g]});
  settings.batch = c.batch;
  settings.optimizer = {c.optimizer, c.momentum, c.trust, c.beta1, c.beta2, c.adam_epsilon, c.weight_decay};
  settings.direct = c.direct;
  settings.micro_batch = c.micro_batch > 0 && c.micro_batch == c.batch ? 0 : c.micro_batch;
  settings.storage = c.bfloat16 ? Storage::bfloat16 : Storage::float32;
  return settings;
}

std::unique_ptr<Objective> objective(const swav_trainer_config& c) {
  SWAV_REQUIRE(c.assign_count >= 1 && c.assign_count <= SWAV_MAX_GROUPS, "assign_count is %d; 1 to %d is allowed",
               c.assign_count, SWAV_MAX_GROUPS);
  const SwappedPredictionSettings settings{{c.assign, c.assign + c.assign_count}, c.codes, c.temperature, c.queue_length};
  return std::make_unique<SwappedPrediction>(settings);
}

int parts_of(int wanted, int ranks) {
  SWAV_REQUIRE(wanted >= 0 && wanted <= SWAV_MAX_PARTS, "parts is %d; 0 (one a rank) to %d is allowed", wanted, SWAV_MAX_PARTS);
  SWAV_REQUIRE(wanted % ranks == 0, "parts is %d, and there are %d ranks; a multiple of their number is needed, as %d", wanted,
               ranks, (wanted / ranks + 1) * ranks);
  return wanted == 0 ? ranks : wanted;
}

swav_trainer_config share(const swav_trainer_config& config, int parts, const char* name) {
  swav_trainer_config own = config;
  SWAV_REQUIRE(config.batch % parts == 0, "batch is %d, and there are %d %s; a multiple of their number is needed, as %d",
               config.batch, parts, name, (config.batch / parts + 1) * parts);
  own.batch /= parts;
  // Whole batches, as one process would keep.
  if (config.batch > 0 && config.queue_length > 0)
    own.queue_length = int32_t(EmbeddingQueue::rounded_length(config.queue_length, config.batch) / parts);
  return own;
}

// Of part number `part` of this process: who shares its batch-norm statistics. `width`: 0: all, 1: nobody, else so many
// neighbours.
static Communicator& norm_group(Parts& parts, int part, int width, std::vector<std::unique_ptr<Communicator>>& neighbours) {
  if (width == 1) return group_of_one();
  Communicator& all = parts.member(part);
  if (width == 0 || width >= parts.total()) return all;
  neighbours.push_back(std::make_unique<Neighbours>(all, width));
  return *neighbours.back();
}

}  // namespace swav::api

extern "C" {

swav_trainer_config swav_trainer_config_default(void) {
  swav_trainer_config c{};
  c.group_count = 2;
  c.crop_counts[0] = 2;
  c.crop_sizes[0] = 224;
  c.crop_counts[1] = 6;
  c.crop_sizes[1] = 96;
  c.batch = 64;
  c.assign_count = 2;
  c.assign[1] = 1;
  c.codes = swav_codes_config_default();
  c.temperature = 0.1f;
  c.optimizer = SWAV_OPTIMIZER_LARC;
  c.momentum = 0.9f;
  c.trust = 0.001f;
  c.beta1 = 0.9f;
  c.beta2 = 0.999f;
  c.adam_epsilon = 1e-8f;
  c.weight_decay = 1e-6f;
  return c;
}

swav_status swav_trainer_create(swav_network* network, const swav_trainer_config* config, swav_trainer** trainer) {
  return api::computed([&] {
    api::check_pointers("swav_trainer_create", {{"network", network}, {"config", config}, {"trainer", trainer}});
    *trainer = new swav_trainer{network->network,
                                nullptr,
                                nullptr,
                                {},
                                Trainer(*network->network, api::trainer_settings(*config), api::objective(*config))};
  });
}

swav_group_config swav_group_config_default(void) { return {false, 0, 0}; }

swav_status swav_trainer_create_in_group(swav_network* network, const swav_trainer_config* config,
                                         const swav_communicator* communicator, const swav_group_config* group_config,
                                         swav_trainer** trainer) {
  return api::computed([&] {
    api::check_pointers("swav_trainer_create_in_group",
                        {{"network", network}, {"config", config}, {"group", group_config}, {"trainer", trainer}});
    const int width = group_config->norm_ranks;
    SWAV_REQUIRE(width >= 0, "norm_ranks is %d; 0 (all) or more is allowed", width);
    const int ranks = communicator ? std::max(1, communicator->size) : 1;
    const int total = api::parts_of(group_config->parts, ranks), count = total / ranks;
    std::unique_ptr<Communicator> group;
    if (communicator) group = std::make_unique<ProcessGroup>(*communicator, group_config->fast, count);
    const swav_trainer_config own = api::share(*config, total, total == ranks ? "ranks" : "parts");
    auto parts = std::make_unique<Parts>(group ? *group : group_of_one(), count);
    std::vector<std::unique_ptr<Communicator>> neighbours;
    std::vector<TrainerPart> list;
    for (int part = 0; part < count; ++part)
      list.push_back({api::objective(own), &api::norm_group(*parts, part, width, neighbours)});
    TrainerSettings settings = api::trainer_settings(own);
    settings.norm_parts = width == 0 || width >= total ? total : total % width > 0 ? total % width : width;
    Parts& own_parts = *parts;
    *trainer = new swav_trainer{network->network, std::move(group), std::move(parts), std::move(neighbours),
                                Trainer(*network->network, settings, std::move(list), own_parts)};
  });
}

void swav_trainer_destroy(swav_trainer* trainer) {
  if (trainer) api::computed([&] { delete trainer; });
}

swav_status swav_trainer_memory(const swav_trainer* trainer, swav_memory_plan* plan) {
  return api::guarded([&] {
    api::check_pointers("swav_trainer_memory", {{"trainer", trainer}, {"plan", plan}});
    *plan = trainer->trainer.memory();
  });
}

swav_status swav_trainer_step(swav_trainer* trainer, const swav_step_input* input, swav_step_report* report) {
  auto step = [&] {
    api::check_pointers("swav_trainer_step", {{"trainer", trainer}, {"input", input}, {"report", report}});
    trainer->trainer.step(*input, *report);
  };
  // A rank that gave up in the middle would leave the others waiting.
  return trainer && trainer->parts ? api::computed(step) : api::interruptible(step);
}

swav_status swav_trainer_health(swav_trainer* trainer, swav_health* health) {
  return api::computed([&] {
    api::check_pointers("swav_trainer_health", {{"trainer", trainer}, {"health", health}});
    *health = trainer->trainer.health();
  });
}

swav_status swav_trainer_tensor_health(swav_trainer* trainer, int32_t index, swav_tensor_health* health) {
  return api::computed([&] {
    api::check_pointers("swav_trainer_tensor_health", {{"trainer", trainer}, {"health", health}});
    *health = trainer->trainer.tensor_health(index);
  });
}

swav_status swav_trainer_read_gradient(const swav_trainer* trainer, int64_t index, float* values, int64_t count) {
  return api::computed([&] {
    api::check_pointers("swav_trainer_read_gradient", {{"trainer", trainer}, {"values", values}});
    const auto& entries = trainer->network->parameters().entries();
    SWAV_REQUIRE(index >= 0 && index < int64_t(entries.size()), "tensor index is %lld; 0 to %zu is allowed", (long long)index,
                 entries.size() - 1);
    const TensorEntry& entry = entries[size_t(index)];
    SWAV_REQUIRE(entry.kind == SWAV_TENSOR_PARAMETER, "tensor %s is not learned: it has no gradient", entry.name.c_str());
    SWAV_REQUIRE(count == entry.count, "count is %lld; %s has %lld numbers", (long long)count, entry.name.c_str(),
                 (long long)entry.count);
    const float* gradients = trainer->trainer.gradients();
    SWAV_REQUIRE(gradients != nullptr, "swav_trainer_read_gradient: there are no gradients before the first step");
    std::copy(gradients + entry.offset, gradients + entry.offset + count, values);
  });
}

swav_status swav_trainer_read_features(const swav_trainer* trainer, float* values, int64_t count) {
  return api::computed([&] {
    api::check_pointers("swav_trainer_read_features", {{"trainer", trainer}, {"values", values}});
    const int64_t needed = trainer->trainer.feature_count();
    SWAV_REQUIRE(count == needed, "count is %lld; the features are %lld numbers", (long long)count, (long long)needed);
    trainer->trainer.read_features(values);
  });
}

swav_status swav_trainer_step_times(const swav_trainer* trainer, swav_step_times* times) {
  return api::computed([&] {
    api::check_pointers("swav_trainer_step_times", {{"trainer", trainer}, {"times", times}});
    *times = trainer->trainer.step_times();
  });
}

swav_status swav_trainer_layer_times(const swav_trainer* trainer, int32_t index, swav_layer_times* times) {
  return api::computed([&] {
    api::check_pointers("swav_trainer_layer_times", {{"trainer", trainer}, {"times", times}});
    *times = trainer->trainer.layer_times(index);
  });
}

swav_status swav_trainer_save(const swav_trainer* trainer, const char* path, const char* note) {
  return api::computed([&] {
    api::check_pointers("swav_trainer_save", {{"trainer", trainer}, {"path", path}});
    trainer->trainer.save(path, note ? note : "");
  });
}

swav_status swav_trainer_load(swav_trainer* trainer, const char* path, swav_checkpoint_info* info) {
  return api::computed([&] {
    api::check_pointers("swav_trainer_load", {{"trainer", trainer}, {"path", path}});
    const swav_checkpoint_info found = trainer->trainer.load(path);
    if (info) *info = found;
  });
}

swav_status swav_trainer_save_step(const swav_trainer* trainer, const swav_step_input* input, const char* path,
                                   const char* note) {
  return api::computed([&] {
    api::check_pointers("swav_trainer_save_step", {{"trainer", trainer}, {"input", input}, {"path", path}});
    trainer->trainer.save_step(path, note ? note : "", *input);
  });
}

swav_status swav_trainer_replay(swav_trainer* trainer, const char* path, swav_step_report* report) {
  return api::interruptible([&] {
    api::check_pointers("swav_trainer_replay", {{"trainer", trainer}, {"path", path}, {"report", report}});
    trainer->trainer.replay(path, *report);
  });
}

swav_status swav_checkpoint_note(const char* path, char* buffer, size_t capacity, size_t* size) {
  return api::guarded([&] {
    api::check_pointers("swav_checkpoint_note", {{"path", path}, {"size", size}});
    SWAV_REQUIRE(buffer || capacity == 0, "swav_checkpoint_note: buffer is NULL with a capacity of %zu", capacity);
    const TensorFile file(path);
    const auto note = file.metadata().find("note");
    if (note == file.metadata().end()) fail(SWAV_ERROR_FORMAT, "%s is no checkpoint: it holds no note", path);
    *size = note->second.size();
    if (note->second.size() + 1 > capacity) {
      fail(SWAV_ERROR_LIMIT, "the note of %s takes %zu bytes, the buffer has %zu", path, note->second.size() + 1, capacity);
    }
    std::memcpy(buffer, note->second.c_str(), note->second.size() + 1);
  });
}

}  // extern "C"
