// Files of tensors by hand, and networks behind a handle: what the tests of weights share.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "api/handles.h"
#include "io/safetensors.h"
#include "swav.h"

namespace swav::test {

// A safetensors file: 8 bytes length, the header as given, the data.
inline std::string file_of(const std::string& header, const std::string& data) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += char(uint8_t(uint64_t(header.size()) >> (8 * i)));
  return bytes + header + data;
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

struct Handle {
  swav_network* network = nullptr;
  Handle() = default;
  explicit Handle(const swav_network_config& config, uint64_t seed = 1) {
    REQUIRE_MESSAGE(swav_network_create(&config, seed, &network) == SWAV_OK, swav_error_message());
  }
  ~Handle() { swav_network_destroy(network); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  swav_network_config config() const { return network->network->config(); }
  Parameters& parameters() const { return network->network->parameters(); }
};

// A tensor of a file that a test may change before it is written.
struct FileTensor {
  std::string name;
  DataType type;
  std::vector<int64_t> shape;
  std::string bytes;
};

// The tensors of a network as a file would have them.
inline std::vector<FileTensor> tensors_of(const Handle& handle) {
  std::vector<FileTensor> tensors;
  for (const TensorEntry& entry : handle.parameters().entries()) {
    const bool counter = entry.kind == SWAV_TENSOR_COUNTER;
    const char* data = static_cast<const char*>(handle.parameters().data(entry));
    tensors.push_back({entry.name, counter ? DataType::i64 : DataType::f32, entry.shape,
                       std::string(data, size_t(entry.count) * (counter ? 8 : 4))});
  }
  return tensors;
}

inline bool is_counter(const std::string& name) { return name.find("num_batches_tracked") != std::string::npos; }

inline void write_file(const std::string& path, const std::vector<FileTensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {}) {
  std::vector<TensorSource> sources;
  for (const FileTensor& t : tensors) sources.push_back({t.name, t.type, t.shape, t.bytes.data()});
  write_safetensors(path, sources, metadata);
}

// The tensors of a network under names of the caller's; `keep` decides which are written.
template <class Rename, class Keep>
void write_renamed(const Handle& handle, const std::string& path, Rename rename, Keep keep) {
  std::vector<FileTensor> tensors;
  for (FileTensor& t : tensors_of(handle)) {
    if (!keep(t.name)) continue;
    t.name = rename(t.name);
    tensors.push_back(std::move(t));
  }
  write_file(path, tensors);
}

inline const auto everything = [](const std::string&) { return true; };
inline const auto same_name = [](const std::string& name) { return name; };

inline bool is_backbone(const std::string& name) {
  return name.rfind("projection", 0) != 0 && name.rfind("prototypes", 0) != 0;
}

// What swav_network_open says of a file that it refuses, behind the path.
inline std::string open_message(const std::string& path, swav_status expected, const swav_load_options* options = nullptr) {
  swav_network* network = nullptr;
  CHECK(swav_network_open(path.c_str(), options, &network, nullptr) == expected);
  CHECK(network == nullptr);
  const std::string message = swav_error_message();
  CHECK(message.find('\n') == std::string::npos);
  CHECK(message.rfind(path, 0) == 0);
  return message.substr(std::min(message.size(), path.size()));
}

}  // namespace swav::test
