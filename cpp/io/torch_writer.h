// Writing PyTorch's zip archive, so that torch.load(weights_only=True) reads it: an ordered dictionary of tensors by name.
// Reading: tensor_file.h.
#pragma once

#include <string>
#include <vector>

#include "io/tensor_source.h"

namespace swav {

// An entry beside those of PyTorch, which passes over it: what the metadata of safetensors has under "swav".
inline constexpr char torch_description[] = "swav.json";

// Numbers are float32 or int64. `key`, where it is not empty, is the key of an outer dictionary that holds this one;
// `description` goes into torch_description, unless it is empty. Writes the file aside, flushes and renames it. Throws
// SWAV_ERROR_LIMIT where it would be longer than 4 GiB, which the plain form of a zip archive cannot be.
void write_torch_zip(const std::string& path, const std::vector<TensorSource>& tensors, const std::string& key,
                     const std::string& description);

}  // namespace swav
