#include "io/tensor_file.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "api/api.h"
#include "api/handles.h"
#include "network/weights.h"

using namespace swav;

struct swav_tensor_file {
  TensorFile file;
};

namespace {

constexpr int64_t inspected_at_once = int64_t{1} << 27;  // numbers of a tensor: 1 GiB

// Mean and standard deviation of the finite values, in two passes; the extremes; how many are not finite.
void describe_values(const std::vector<double>& values, swav_stored_tensor& t) {
  double sum = 0, squares = 0;
  int64_t finite = 0;
  t.smallest = HUGE_VAL;
  t.largest = -HUGE_VAL;
  for (double value : values) {
    if (!std::isfinite(value)) continue;
    ++finite;
    sum += value;
    t.smallest = std::min(t.smallest, value);
    t.largest = std::max(t.largest, value);
  }
  t.non_finite = int64_t(values.size()) - finite;
  if (finite == 0) {
    t.smallest = t.largest = 0;
    return;
  }
  t.mean = sum / double(finite);
  for (double value : values) squares += std::isfinite(value) ? (value - t.mean) * (value - t.mean) : 0;
  t.std = std::sqrt(squares / double(finite));
}

}  // namespace

extern "C" {

swav_status swav_tensor_file_open(const char* path, swav_tensor_file** file) {
  return api::guarded([&] {
    api::check_pointers("swav_tensor_file_open", {{"path", path}, {"file", file}});
    *file = new swav_tensor_file{TensorFile(path)};
  });
}

void swav_tensor_file_close(swav_tensor_file* file) { delete file; }

swav_status swav_tensor_file_describe(const swav_tensor_file* file, swav_tensor_file_info* info) {
  return api::guarded([&] {
    api::check_pointers("swav_tensor_file_describe", {{"file", file}, {"info", info}});
    swav_tensor_file_info found{};
    std::strncpy(found.format, file->file.format(), sizeof found.format - 1);
    found.tensor_count = int64_t(file->file.tensors().size());
    found.metadata_count = int64_t(file->file.metadata().size());
    *info = found;
  });
}

swav_status swav_tensor_file_metadata(const swav_tensor_file* file, int64_t index, const char** key, const char** value) {
  return api::guarded([&] {
    api::check_pointers("swav_tensor_file_metadata", {{"file", file}, {"key", key}, {"value", value}});
    const auto& texts = file->file.metadata();
    SWAV_REQUIRE(index >= 0 && index < int64_t(texts.size()), "metadata index is %lld; 0 to %zu - 1 is allowed",
                 static_cast<long long>(index), texts.size());
    const auto found = std::next(texts.begin(), index);
    *key = found->first.c_str();
    *value = found->second.c_str();
  });
}

swav_status swav_tensor_file_tensor(const swav_tensor_file* file, int64_t index, swav_stored_tensor* tensor) {
  return api::guarded([&] {
    api::check_pointers("swav_tensor_file_tensor", {{"file", file}, {"tensor", tensor}});
    const auto& tensors = file->file.tensors();
    SWAV_REQUIRE(index >= 0 && index < int64_t(tensors.size()), "tensor index is %lld; 0 to %zu - 1 is allowed",
                 static_cast<long long>(index), tensors.size());
    const StoredTensor& stored = tensors[size_t(index)];
    swav_stored_tensor found{};
    found.name = stored.name.c_str();
    found.type = stored.type_name.c_str();
    found.rank = int32_t(stored.shape.size());
    std::copy_n(stored.shape.begin(), std::min<size_t>(stored.shape.size(), SWAV_MAX_RANK), found.shape);
    found.count = stored.count();
    found.has_values = stored.type != DataType::other;
    if (found.has_values) {
      if (found.count > inspected_at_once) {
        fail(SWAV_ERROR_LIMIT, "%s: tensor %s has %lld numbers; %lld are looked at", file->file.path().c_str(), found.name,
             static_cast<long long>(found.count), static_cast<long long>(inspected_at_once));
      }
      std::vector<double> values(static_cast<size_t>(found.count));
      file->file.read(stored, values.data());
      describe_values(values, found);
    }
    *tensor = found;
  });
}

swav_status swav_tensor_file_recognize(const swav_tensor_file* file, const swav_load_options* options,
                                       swav_network_config* config, swav_load_report* report) {
  return api::guarded([&] {
    api::check_pointers("swav_tensor_file_recognize", {{"file", file}, {"config", config}, {"report", report}});
    swav_network_config found{};
    *report = preview(file->file, api::choice(options), found);
    *config = found;
  });
}

}  // extern "C"
