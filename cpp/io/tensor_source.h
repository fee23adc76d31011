// Tensors on their way into a file, whatever its format.
#pragma once

#include <string>
#include <vector>

#include "io/tensor_type.h"

namespace swav {

// A tensor to write: its numbers are dense, row-major, and borrowed.
struct TensorSource {
  std::string name;
  DataType type;
  std::vector<int64_t> shape;
  const void* data;
};

// Bytes of the numbers of a tensor.
inline int64_t bytes_of(const TensorSource& tensor) {
  int64_t bytes = size_of(tensor.type);
  for (int64_t extent : tensor.shape) bytes *= extent;
  return bytes;
}

}  // namespace swav
