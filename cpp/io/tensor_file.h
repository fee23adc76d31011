// Files of tensors whatever their format: safetensors, an index of several files, PyTorch's zip archive and its older stream.
//
// A file is opened once: names, types and shapes are read and every tensor is checked to lie inside the file. Values are read
// when asked for, straight to where they belong: one copy out of the system's cache of the file. Mapping the file would save
// none, and a file that another process cuts while it is mapped ends ours with a signal, where a read gives an error.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/file.h"
#include "io/tensor_type.h"

namespace swav {

struct StoredTensor {
  std::string name;
  DataType type = DataType::other;
  std::string type_name;         // as the file has it where the type is `other`
  std::vector<int64_t> shape;    // each 0 or more
  std::vector<int64_t> strides;  // in numbers, 0 or more; as many as shape
  int32_t file = 0;              // which of several
  int64_t offset = 0;            // of the first number in that file
  int64_t count() const;         // product of shape
};

// Strides of a tensor of that shape that has no gaps, row-major.
std::vector<int64_t> dense_strides(const std::vector<int64_t>& shape);

// Whether a shape is one: no extent below 0, not more than 2^50 numbers.
bool is_possible(const std::vector<int64_t>& shape);
// How many numbers lie between the first and behind the last of a tensor, gaps included; shape and strides are possible.
int64_t span_of(const StoredTensor& tensor);

// What a reader of one format finds.
struct TensorContents {
  const char* format = "";  // "safetensors", ...
  std::vector<std::unique_ptr<InputFile>> files;
  std::vector<StoredTensor> tensors;
  std::map<std::string, std::string> metadata;
};

class TensorFile {
 public:
  // Recognises the format by its first bytes. Throws SWAV_ERROR_FORMAT naming the path and what is wrong,
  // SWAV_ERROR_UNSUPPORTED for what is sound but not read here, SWAV_ERROR_LIMIT for more than any network needs.
  explicit TensorFile(const std::string& path);

  const std::string& path() const { return path_; }
  const char* format() const { return contents_.format; }
  const std::vector<StoredTensor>& tensors() const { return contents_.tensors; }  // ascending by name
  const StoredTensor* find(const std::string& name) const;                        // NULL: none of that name
  const std::map<std::string, std::string>& metadata() const { return contents_.metadata; }

  // Values, row-major, converted. Throws SWAV_ERROR_UNSUPPORTED for a type that is none of DataType, SWAV_ERROR_LIMIT for
  // numbers that lie so that the file would be read many times over.
  void read(const StoredTensor& tensor, float* values) const;
  void read(const StoredTensor& tensor, double* values) const;
  // The same; SWAV_ERROR_FORMAT where a number is none.
  void read(const StoredTensor& tensor, int64_t* values) const;

 private:
  std::string path_;
  TensorContents contents_;
};

// -- the formats; each throws as TensorFile's constructor --

// Reads a header whose tensors cover the data without gap or overlap, as the format demands.
TensorContents read_safetensors(std::unique_ptr<InputFile> file);
// X.safetensors.index.json: which tensor is in which file beside it.
TensorContents read_index(std::unique_ptr<InputFile> file);
TensorContents read_torch_zip(std::unique_ptr<InputFile> file);
TensorContents read_torch_stream(std::unique_ptr<InputFile> file);

// Opens what the path names; the format by the first bytes. What an index names is no index itself.
TensorContents read_tensors(const std::string& path, bool from_index = false);

}  // namespace swav
