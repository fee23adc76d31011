#include "io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/status.h"

namespace swav {
namespace {

using nlohmann::json;

constexpr int64_t header_limit = int64_t{100} << 20;  // the format's own limit

struct TypeRow {
  const char* name;
  DataType type;
  int64_t bytes;
};
constexpr TypeRow type_table[] = {{"F16", DataType::f16, 2},
                                  {"BF16", DataType::bf16, 2},
                                  {"F32", DataType::f32, 4},
                                  {"F64", DataType::f64, 8},
                                  {"I64", DataType::i64, 8}};

const TypeRow* row_of(DataType type) {
  for (const TypeRow& row : type_table) {
    if (row.type == type) return &row;
  }
  return nullptr;
}

float half_to_float(uint16_t half) {
  const uint32_t sign = uint32_t(half & 0x8000) << 16, magnitude = half & 0x7fff;
  float value;
  if (magnitude < 0x0400) {  // zero and subnormal
    value = float(magnitude) * 0x1p-24f;
  } else {
    const uint32_t bits = magnitude >= 0x7c00 ? (magnitude << 13) + 0x70000000u : (magnitude << 13) + 0x38000000u;
    std::memcpy(&value, &bits, sizeof value);
  }
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  bits |= sign;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

float bfloat_to_float(uint16_t stored) {
  const uint32_t bits = uint32_t(stored) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

StoredTensor parse_tensor(const std::string& path, const std::string& name, const json& row, int64_t data_begin,
                          int64_t file_size) {
  StoredTensor tensor;
  const auto broken = [&](const char* what) { fail(SWAV_ERROR_FORMAT, "%s: tensor %s: %s", path.c_str(), name.c_str(), what); };
  try {
    const std::string type = row.at("dtype").get<std::string>();
    int64_t unit = 0;
    for (const TypeRow& known : type_table) {
      if (type == known.name) tensor.type = known.type, unit = known.bytes;
    }
    int64_t count = 1;
    for (const json& n : row.at("shape")) {
      const int64_t extent = n.get<int64_t>();
      if (extent < 0 || (extent > 0 && count > (int64_t{1} << 50) / extent)) broken("its shape is impossible");
      tensor.shape.push_back(extent);
      count *= extent;
    }
    const json& offsets = row.at("data_offsets");
    const int64_t begin = offsets.at(0).get<int64_t>(), end = offsets.at(1).get<int64_t>();
    if (begin < 0 || end < begin) broken("its data offsets are impossible");
    if (end > file_size - data_begin) broken("the file ends before its data; it was cut short");
    if (unit > 0 && end - begin != count * unit) broken("its shape and its length differ");
    tensor.offset = data_begin + begin;
    tensor.bytes = end - begin;
  } catch (const json::exception&) {
    broken("its header entry is damaged");
  }
  return tensor;
}

}  // namespace

int64_t StoredTensor::count() const {
  int64_t count = 1;
  for (int64_t n : shape) count *= n;
  return count;
}

SafetensorsReader::SafetensorsReader(const std::string& path) : path_(path), file_(path) {
  uint8_t length_bytes[8];
  if (file_.size() < 8)
    fail(SWAV_ERROR_FORMAT, "%s is not a safetensors file: it has only %lld bytes", path.c_str(),
         static_cast<long long>(file_.size()));
  file_.read(0, length_bytes, 8);
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | length_bytes[i];
  if (length > uint64_t(header_limit))
    fail(SWAV_ERROR_FORMAT, "%s is not a safetensors file: its header would be %llu bytes", path.c_str(),
         static_cast<unsigned long long>(length));
  if (int64_t(length) > file_.size() - 8) fail(SWAV_ERROR_FORMAT, "%s is cut short: its header is not complete", path.c_str());
  std::string text(size_t(length), '\0');
  file_.read(8, text.data(), int64_t(length));
  const json header = json::parse(text, nullptr, false);
  if (!header.is_object()) fail(SWAV_ERROR_FORMAT, "%s is not a safetensors file: its header is not JSON", path.c_str());
  for (const auto& [name, row] : header.items()) {
    if (name != "__metadata__") {
      tensors_[name] = parse_tensor(path, name, row, 8 + int64_t(length), file_.size());
      continue;
    }
    for (const auto& [key, value] : row.items()) {
      if (value.is_string()) metadata_[key] = value.get<std::string>();
    }
  }
}

void SafetensorsReader::read(const StoredTensor& tensor, float* values) const {
  const int64_t count = tensor.count();
  switch (tensor.type) {
    case DataType::f32: file_.read(tensor.offset, values, tensor.bytes); return;
    case DataType::f64: {
      std::vector<double> wide(static_cast<size_t>(count));
      file_.read(tensor.offset, wide.data(), tensor.bytes);
      std::transform(wide.begin(), wide.end(), values, [](double x) { return float(x); });
      return;
    }
    case DataType::f16:
    case DataType::bf16: {
      std::vector<uint16_t> narrow(static_cast<size_t>(count));
      file_.read(tensor.offset, narrow.data(), tensor.bytes);
      std::transform(narrow.begin(), narrow.end(), values, tensor.type == DataType::f16 ? half_to_float : bfloat_to_float);
      return;
    }
    case DataType::i64:
    case DataType::other: break;
  }
  fail(SWAV_ERROR_UNSUPPORTED, "%s: a tensor of weights has a type that is not F16, BF16, F32 or F64", path_.c_str());
}

void SafetensorsReader::read(const StoredTensor& tensor, int64_t* values) const {
  if (tensor.type != DataType::i64) fail(SWAV_ERROR_UNSUPPORTED, "%s: a counter has a type that is not I64", path_.c_str());
  file_.read(tensor.offset, values, tensor.bytes);
}

void write_safetensors(const std::string& path, const std::vector<TensorSource>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  json header = json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  int64_t offset = 0;
  std::vector<int64_t> sizes;
  for (const TensorSource& tensor : tensors) {
    int64_t bytes = row_of(tensor.type)->bytes;
    for (int64_t n : tensor.shape) bytes *= n;
    header[tensor.name] = {
        {"dtype", row_of(tensor.type)->name}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
    sizes.push_back(bytes);
  }
  std::string text = header.dump(-1, ' ', false, json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  uint8_t length[8];
  for (int i = 0; i < 8; ++i) length[i] = uint8_t(uint64_t(text.size()) >> (8 * i));
  OutputFile file(path);
  file.write(length, 8);
  file.write(text.data(), int64_t(text.size()));
  for (size_t i = 0; i < tensors.size(); ++i) file.write(tensors[i].data, sizes[i]);
  file.commit();
}

}  // namespace swav
