// Writing the safetensors format: 8 bytes length of a JSON header, the header (name -> dtype, shape, data_offsets;
// "__metadata__" -> texts), then the data. Keys are sorted, so that equal contents are equal files. Reading: tensor_file.h.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "io/tensor_source.h"

namespace swav {

// Writes the file aside, flushes and renames it.
void write_safetensors(const std::string& path, const std::vector<TensorSource>& tensors,
                       const std::map<std::string, std::string>& metadata);

}  // namespace swav
