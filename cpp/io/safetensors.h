// The safetensors format: 8 bytes length of a JSON header, the header (name -> dtype, shape, data_offsets; "__metadata__" ->
// texts), then the data. Written with sorted keys, so that equal contents are equal files.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "io/file.h"

namespace swav {

enum class DataType { f16, bf16, f32, f64, i64, other };

struct StoredTensor {
  DataType type = DataType::other;
  std::vector<int64_t> shape;
  int64_t offset = 0;  // in the file
  int64_t bytes = 0;
  int64_t count() const;
};

// A file opened for reading: its header, checked against its length. Throws SWAV_ERROR_FORMAT naming the path and what is
// wrong.
class SafetensorsReader {
 public:
  explicit SafetensorsReader(const std::string& path);

  const std::map<std::string, StoredTensor>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  // Values of a tensor, converted to float32 or int64.
  void read(const StoredTensor& tensor, float* values) const;
  void read(const StoredTensor& tensor, int64_t* values) const;

 private:
  std::string path_;
  InputFile file_;
  std::map<std::string, StoredTensor> tensors_;
  std::map<std::string, std::string> metadata_;
};

// A tensor to write; data is borrowed.
struct TensorSource {
  std::string name;
  DataType type;  // f32 or i64
  std::vector<int64_t> shape;
  const void* data;
};

// Writes the file aside, flushes and renames it.
void write_safetensors(const std::string& path, const std::vector<TensorSource>& tensors,
                       const std::map<std::string, std::string>& metadata);

}  // namespace swav
