// A small network with its trainer, driven through the C interface by crops that are a pure function of (seed, step): what the
// tests of the network, its gradients, the trainer and checkpoints share.
#pragma once

#include <doctest/doctest.h>

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "api/handles.h"
#include "kernel_samples.h"
#include "swav.h"

namespace swav::test {

inline swav_network_config small_network(int32_t depth = 18, swav_stem stem = SWAV_STEM_SMALL, int32_t hidden = 16) {
  swav_network_config c = swav_network_config_default();
  c.depth = depth;
  c.base_width = 4;
  c.stem = stem;
  c.hidden = hidden;
  c.dim = 8;
  c.head_count = 1;
  c.prototypes[0] = 12;
  return c;
}

// 2x16+2x8, 6 images, learning by LARC.
inline swav_trainer_config small_training() {
  swav_trainer_config c = swav_trainer_config_default();
  c.crop_counts[1] = 2;
  c.crop_sizes[0] = 16;
  c.crop_sizes[1] = 8;
  c.batch = 6;
  return c;
}

// Wide enough for Winograd's convolutions, with crops that are small otherwise: 2x12+2x8, 8 images.
inline swav_network_config wide_network() {
  swav_network_config c = small_network();
  c.base_width = 32;
  return c;
}

inline swav_trainer_config wide_training() {
  swav_trainer_config c = small_training();
  c.crop_sizes[0] = 12;
  c.batch = 8;
  return c;
}

// Names and bytes of all tensors of a network: equal if and only if every bit is.
using State = std::map<std::string, std::vector<uint8_t>>;

inline State state_of(swav_network* network) {
  State state;
  swav_network_info info;
  REQUIRE(swav_network_describe(network, &info) == SWAV_OK);
  for (int64_t i = 0; i < info.tensor_count; ++i) {
    swav_tensor t;
    REQUIRE(swav_network_tensor(network, i, &t) == SWAV_OK);
    std::vector<uint8_t>& bytes = state[t.name];
    bytes.resize(size_t(t.count) * (t.kind == SWAV_TENSOR_COUNTER ? 8 : 4));
    REQUIRE(swav_network_read_tensor(network, i, bytes.data(), t.count) == SWAV_OK);
  }
  return state;
}

inline swav_tensor tensor_of(swav_network* network, const std::string& name) {
  swav_tensor t;
  for (int64_t i = 0; swav_network_tensor(network, i, &t) == SWAV_OK; ++i) {
    if (name == t.name) return t;
  }
  FAIL("no tensor " << name);
  return t;
}

inline int64_t index_of(swav_network* network, const std::string& name) {
  swav_tensor t;
  for (int64_t i = 0; swav_network_tensor(network, i, &t) == SWAV_OK; ++i) {
    if (name == t.name) return i;
  }
  FAIL("no tensor " << name);
  return -1;
}

// The numbers of a parameter or buffer.
inline Floats values_of(swav_network* network, const std::string& name) {
  Floats values(size_t(tensor_of(network, name).count));
  REQUIRE(swav_network_read_tensor(network, index_of(network, name), values.data(), int64_t(values.size())) == SWAV_OK);
  return values;
}

inline void set_values(swav_network* network, const std::string& name, const Floats& values) {
  REQUIRE(swav_network_write_tensor(network, index_of(network, name), values.data(), int64_t(values.size())) == SWAV_OK);
}

// Of the trainer's last step.
inline Floats gradient_of(swav_network* network, swav_trainer* trainer, const std::string& name) {
  Floats values(size_t(tensor_of(network, name).count));
  REQUIRE(swav_trainer_read_gradient(trainer, index_of(network, name), values.data(), int64_t(values.size())) == SWAV_OK);
  return values;
}

// Restores the size of the team at the end of the scope.
struct Threads {
  explicit Threads(int32_t count) { REQUIRE(swav_set_threads(count) == SWAV_OK); }
  ~Threads() { swav_set_threads(0); }
};

class TrainingBench {
 public:
  swav_network* network = nullptr;
  swav_trainer* trainer = nullptr;
  swav_trainer_config config;
  swav_step_report report{};

  TrainingBench(const swav_network_config& network_config, const swav_trainer_config& trainer_config, uint64_t seed = 1)
      : config(trainer_config), channels_(network_config.channels) {
    REQUIRE_MESSAGE(swav_network_create(&network_config, seed, &network) == SWAV_OK, swav_error_message());
    REQUIRE_MESSAGE(swav_trainer_create(network, &config, &trainer) == SWAV_OK, swav_error_message());
  }
  ~TrainingBench() {
    swav_trainer_destroy(trainer);
    swav_network_destroy(network);
  }
  TrainingBench(const TrainingBench&) = delete;
  TrainingBench& operator=(const TrainingBench&) = delete;

  // The crops of a step, one array a group.
  std::vector<Floats> crops(uint64_t step) const {
    std::vector<Floats> groups;
    for (int32_t g = 0; g < config.group_count; ++g) {
      const int64_t side = config.crop_sizes[g];
      groups.push_back(normals(1000 + 10 * step + uint64_t(g), config.crop_counts[g] * config.batch * side * side * channels_));
    }
    return groups;
  }

  swav_status step_on(const std::vector<Floats>& groups, double rate = 0.1, bool update = true, bool queue = true,
                      bool freeze = false) {
    std::vector<const float*> pointers;
    for (const Floats& group : groups) pointers.push_back(group.data());
    const swav_step_input input{pointers.data(), rate, freeze, queue, update};
    return swav_trainer_step(trainer, &input, &report);
  }

  void step(uint64_t number, double rate = 0.1, bool update = true, bool queue = true, bool freeze = false) {
    REQUIRE_MESSAGE(step_on(crops(number), rate, update, queue, freeze) == SWAV_OK, swav_error_message());
  }

  // How many convolutions of the trainer are Winograd's.
  int winograd_layers() const {
    swav_layer_times layer;
    int count = 0;
    for (int32_t i = 0; swav_trainer_layer_times(trainer, i, &layer) == SWAV_OK; ++i)
      count += layer.algorithm == std::string("winograd");
    return count;
  }

  const Description& description() const { return network->network->description(); }
  const Parameters& parameters() const { return network->network->parameters(); }

 private:
  int32_t channels_;
};

}  // namespace swav::test
