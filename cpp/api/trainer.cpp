#include "training/trainer.h"

#include <cstring>

#include "api/api.h"
#include "api/handles.h"
#include "api/trainer_config.h"
#include "io/safetensors.h"

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
  return settings;
}

std::unique_ptr<Objective> objective(const swav_trainer_config& c) {
  SWAV_REQUIRE(c.assign_count >= 1 && c.assign_count <= SWAV_MAX_GROUPS, "assign_count is %d; 1 to %d is allowed",
               c.assign_count, SWAV_MAX_GROUPS);
  const SwappedPredictionSettings settings{{c.assign, c.assign + c.assign_count}, c.codes, c.temperature, c.queue_length};
  return std::make_unique<SwappedPrediction>(settings);
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
    SWAV_REQUIRE(network && config && trainer, "swav_trainer_create: an argument is NULL");
    *trainer = new swav_trainer{Trainer(*network->network, api::trainer_settings(*config), api::objective(*config))};
  });
}

void swav_trainer_destroy(swav_trainer* trainer) {
  api::computed([&] { delete trainer; });
}

swav_status swav_trainer_memory(const swav_trainer* trainer, swav_memory_plan* plan) {
  return api::guarded([&] {
    SWAV_REQUIRE(trainer && plan, "swav_trainer_memory: an argument is NULL");
    *plan = trainer->trainer.memory();
  });
}

swav_status swav_trainer_step(swav_trainer* trainer, const swav_step_input* input, swav_step_report* report) {
  return api::interruptible([&] {
    SWAV_REQUIRE(trainer && input && report, "swav_trainer_step: an argument is NULL");
    trainer->trainer.step(*input, *report);
  });
}

swav_status swav_trainer_health(swav_trainer* trainer, swav_health* health) {
  return api::computed([&] {
    SWAV_REQUIRE(trainer && health, "swav_trainer_health: an argument is NULL");
    *health = trainer->trainer.health();
  });
}

swav_status swav_trainer_tensor_health(swav_trainer* trainer, int32_t index, swav_tensor_health* health) {
  return api::computed([&] {
    SWAV_REQUIRE(trainer && health, "swav_trainer_tensor_health: an argument is NULL");
    *health = trainer->trainer.tensor_health(index);
  });
}

swav_status swav_trainer_step_times(const swav_trainer* trainer, swav_step_times* times) {
  return api::guarded([&] {
    SWAV_REQUIRE(trainer && times, "swav_trainer_step_times: an argument is NULL");
    *times = trainer->trainer.step_times();
  });
}

swav_status swav_trainer_layer_times(const swav_trainer* trainer, int32_t index, swav_layer_times* times) {
  return api::guarded([&] {
    SWAV_REQUIRE(trainer && times, "swav_trainer_layer_times: an argument is NULL");
    *times = trainer->trainer.layer_times(index);
  });
}

swav_status swav_trainer_save(const swav_trainer* trainer, const char* path, const char* note) {
  return api::computed([&] {
    SWAV_REQUIRE(trainer && path, "swav_trainer_save: an argument is NULL");
    trainer->trainer.save(path, note ? note : "");
  });
}

swav_status swav_trainer_load(swav_trainer* trainer, const char* path) {
  return api::computed([&] {
    SWAV_REQUIRE(trainer && path, "swav_trainer_load: an argument is NULL");
    trainer->trainer.load(path);
  });
}

swav_status swav_checkpoint_note(const char* path, char* buffer, size_t capacity, size_t* size) {
  return api::guarded([&] {
    SWAV_REQUIRE(path && size && (buffer || capacity == 0), "swav_checkpoint_note: an argument is NULL");
    const SafetensorsReader file(path);
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
