// What the tests of parity with PyTorch share. They take ten training steps through the C interface and compare them with
// Tests/Fixtures/make_parity_fixtures.py, which runs the same in float64 and float32. Weights, crops and projections are
// computed here from the same counter-based streams.
//
// Tolerance for each quantity: three times the error of PyTorch's float32. Where that error happens to be small by luck, a
// floor holds: for a tensor the median relative error of PyTorch's float32 over the tensors of its kind in that case, or one
// eps of its norm (the rounding of what is stored); for a loss the root mean square of its errors over the ten steps. Where
// Winograd's convolutions are used, the errors of PyTorch, which sums directly, are multiplied by `rounding`.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "base/random.h"
#include "swav.h"

namespace swav::test::parity {

using swav::Purpose;
using swav::Random;
using Doubles = std::vector<double>;
using Floats = std::vector<float>;

enum Stream : uint64_t { weights = 1, noise = 2, coarse = 3, projection = 4, scores = 5 };  // as in the script
constexpr int projections = 6;

// In [-1, 1), exact in float.
inline double next(Random& random) { return double(random.next_bits() >> 8) * 0x1p-23 - 1; }

inline uint64_t hashed(const std::string& name) {
  uint32_t value = 2166136261u;  // FNV-1a
  for (const char c : name) value = (value ^ uint8_t(c)) * 16777619u;
  return value;
}

// One row of the file: the quantity in float64 and the error of float32.
struct Golden {
  std::string name;
  double norm, error;
  Doubles projections;
};

struct Case {
  std::map<std::string, Doubles> settings;
  std::vector<Golden> losses, gradients, tensors, features;  // a loss: norm is its value

  double operator[](const char* key) const { return settings.at(key).at(0); }
  uint64_t seed() const { return uint64_t((*this)["seed"]); }
  bool direct() const { return settings.count("direct") == 0 || (*this)["direct"] != 0; }
  // F(4x4, 3x3) against a direct sum of 9 products for each channel: winograd_test.cpp derives the 97, as the script says.
  double rounding() const { return direct() ? 1.0 : 97.0 / 9; }
  bool bfloat16() const { return settings.count("bfloat16") > 0; }
};

inline Case read_case(const std::string& name) {
  std::ifstream file(SWAV_FIXTURES "/parity/" + name + ".txt");
  REQUIRE_MESSAGE(file.good(), "no fixture ", name);
  Case c;
  for (std::string line, kind; std::getline(file, line);) {
    std::istringstream words(line);
    Golden row;
    words >> kind >> row.name;
    if (kind != "setting") words >> row.norm >> row.error;
    for (double x; words >> x;) row.projections.push_back(x);
    if (kind == "setting") c.settings[row.name] = row.projections;
    if (kind == "loss") c.losses.push_back(row);
    if (kind == "gradient") c.gradients.push_back(row);
    if (kind == "tensor") c.tensors.push_back(row);
    if (kind == "features") c.features.push_back(row);
  }
  return c;
}

struct Destroy {
  void operator()(swav_network* network) const { swav_network_destroy(network); }
  void operator()(swav_trainer* trainer) const { swav_trainer_destroy(trainer); }
};
using Network = std::unique_ptr<swav_network, Destroy>;
using Trainer = std::unique_ptr<swav_trainer, Destroy>;

inline void require(swav_status status) { REQUIRE_MESSAGE(status == SWAV_OK, swav_error_message()); }

inline swav_network_config network_config(const Case& c) {
  swav_network_config config{};
  config.depth = int32_t(c["depth"]);
  config.width = 1;
  config.base_width = int32_t(c["base_width"]);
  config.stem = swav_stem(int(c["stem"]));
  config.channels = 3;
  config.hidden = int32_t(c["hidden"]);
  config.dim = int32_t(c["dim"]);
  for (const double k : c.settings.at("prototypes")) config.prototypes[config.head_count++] = int32_t(k);
  return config;
}

inline swav_trainer_config trainer_config(const Case& c) {
  swav_trainer_config config = swav_trainer_config_default();
  config.direct = c.direct();
  config.bfloat16 = c.bfloat16();
  config.group_count = 0;
  for (const double size : c.settings.at("crop_sizes")) {
    config.crop_counts[config.group_count] = int32_t(c.settings.at("crop_counts")[size_t(config.group_count)]);
    config.crop_sizes[config.group_count++] = int32_t(size);
  }
  config.batch = int32_t(c["batch"]);
  config.assign_count = 0;
  for (const double crop : c.settings.at("assign")) config.assign[config.assign_count++] = int32_t(crop);
  config.codes = {float(c["epsilon"]), c["relative"] != 0, float(c["epsilon_floor"]), int32_t(c["iterations"])};
  config.temperature = float(c["temperature"]);
  config.queue_length = int32_t(c["queue_length"]);
  config.optimizer = swav_optimizer(int(c["optimizer"]));
  config.momentum = float(c["momentum"]);
  config.trust = float(c["trust"]);
  config.beta1 = float(c["beta1"]);
  config.beta2 = float(c["beta2"]);
  config.adam_epsilon = float(c["adam_epsilon"]);
  config.weight_decay = float(c["weight_decay"]);
  return config;
}

// A tensor and where it is.
struct Placed : swav_tensor {
  int64_t index;
};

inline std::vector<Placed> tensors_of(swav_network* network) {
  swav_network_info info;
  require(swav_network_describe(network, &info));
  std::vector<Placed> tensors(size_t(info.tensor_count));
  for (size_t i = 0; i < tensors.size(); ++i) {
    require(swav_network_tensor(network, int64_t(i), &tensors[i]));
    tensors[i].index = int64_t(i);
  }
  return tensors;
}

inline bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// The script's fill().
inline Floats filled(const Case& c, const swav_tensor& tensor) {
  const std::string name = tensor.name;
  Random random(c.seed(), Purpose::test, weights, hashed(name));
  Floats values;
  const bool branch_end = name.rfind("layer", 0) == 0 && ends_with(name, c["depth"] == 50 ? "bn3.weight" : "bn2.weight");
  for (int64_t i = 0; i < tensor.count; ++i) {
    double u = next(random);
    if (tensor.rank == 4) {
      u *= std::sqrt(6.0 / double(tensor.shape[0] * tensor.shape[2] * tensor.shape[3]));
    } else if (tensor.rank == 2) {
      u *= std::sqrt(1.0 / double(tensor.shape[1]));
    } else if (name == "projection_head.0.bias" || name == "projection_head.3.bias") {
      u *= 0.125;
    } else {
      u = (ends_with(name, "weight") ? 1.0 : 0.0) + (c["random_norms"] != 0 ? u * 0.25 : 0);
      if (c["random_norms"] != 0 && branch_end) u *= 0.25;
    }
    values.push_back(float(u));
  }
  return values;
}

// The script's crops(), as [count * batch][size][size][3].
inline Floats crops(const Case& c, int step, size_t group) {
  const int64_t count = int64_t(c.settings.at("crop_counts")[group]), size = int64_t(c.settings.at("crop_sizes")[group]);
  const int64_t batch = int64_t(c["batch"]);
  Random coarse_stream(c.seed(), Purpose::test, coarse, uint64_t(step));
  Random noise_stream(c.seed(), Purpose::test, noise, uint64_t(step), group);
  Doubles pattern;
  for (int64_t i = 0; i < batch * 3 * 16; ++i) pattern.push_back(next(coarse_stream));
  Floats x;
  for (int64_t v = 0; v < count; ++v) {
    for (int64_t b = 0; b < batch; ++b) {
      for (int64_t h = 0; h < size; ++h) {
        for (int64_t w = 0; w < size; ++w) {
          const int64_t column = v % 2 ? size - 1 - w : w;
          for (int64_t channel = 0; channel < 3; ++channel) {
            const double base = pattern[size_t(((b * 3 + channel) * 4 + h * 4 / size) * 4 + column * 4 / size)];
            x.push_back(float(base + 0.5 * next(noise_stream)));
          }
        }
      }
    }
  }
  return x;
}

// Root mean square of the differences of six projections from the golden ones.
template <class T>
double projection_error(const Case& c, const Golden& golden, const T* values, int64_t count) {
  double squares = 0;
  for (int j = 0; j < projections; ++j) {
    Random random(c.seed(), Purpose::test, projection, hashed(golden.name), uint64_t(j));
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += next(random) * double(values[i]);
    squares += std::pow(sum - golden.projections.at(size_t(j)), 2) / projections;
  }
  return std::sqrt(squares);
}

inline double median_relative_error(const std::vector<Golden>& rows) {
  Doubles errors;
  for (const Golden& row : rows) {
    if (row.norm > 0) errors.push_back(row.error / row.norm);
  }
  std::sort(errors.begin(), errors.end());
  return errors.at(errors.size() / 2);
}

inline double tolerance(const Case& c, const Golden& golden, double median) {
  return std::max(3 * c.rounding() * std::max(golden.error, median * golden.norm), double(FLT_EPSILON) * golden.norm);
}

inline const Golden& find(const std::vector<Golden>& rows, const std::string& name) {
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const Golden& g) { return g.name == name; });
  REQUIRE_MESSAGE(row != rows.end(), "PyTorch has no ", name);
  return *row;
}

// The network of the case, with the script's weights.
inline Network network_of(const Case& c) {
  swav_network* handle = nullptr;
  const swav_network_config config = network_config(c);
  require(swav_network_create(&config, 1, &handle));
  Network network(handle);
  for (const Placed& tensor : tensors_of(network.get())) {
    if (tensor.kind != SWAV_TENSOR_PARAMETER) continue;
    require(swav_network_write_tensor(network.get(), tensor.index, filled(c, tensor).data(), tensor.count));
  }
  return network;
}

// Compares all tensors, but for those whose name begins with one of `without`; gives how many it compared.
inline size_t check_tensors(const Case& c, swav_network* network, const std::vector<std::string>& without = {}) {
  const double median = median_relative_error(c.tensors);
  size_t compared = 0;
  for (const Placed& tensor : tensors_of(network)) {
    const std::string name = tensor.name;
    const auto begins = [&](const std::string& start) { return name.rfind(start, 0) == 0; };
    if (std::any_of(without.begin(), without.end(), begins)) continue;
    const Golden& golden = find(c.tensors, name);
    CAPTURE(name);
    ++compared;
    if (tensor.kind == SWAV_TENSOR_COUNTER) {
      int64_t counted = -1;
      require(swav_network_read_tensor(network, tensor.index, &counted, 1));
      CHECK(double(counted) == golden.norm);
    } else {
      Floats values(size_t(tensor.count));
      require(swav_network_read_tensor(network, tensor.index, values.data(), tensor.count));
      CHECK(projection_error(c, golden, values.data(), tensor.count) <= tolerance(c, golden, median));
    }
  }
  return compared;
}

}  // namespace swav::test::parity
