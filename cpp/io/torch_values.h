// The tensors in the pickle of a PyTorch file: which there are, under which names, and in which storage each lies.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "io/pickle.h"
#include "io/tensor_file.h"
#include "io/torch_names.h"

namespace swav {

// A storage as a pickle refers to it: a run of numbers outside the pickle.
struct TorchStorage {
  std::string key;
  DataType type = DataType::other;
  int64_t count = 0;  // numbers; bytes where it is untyped
  int64_t first = 0;  // of the view of it that is meant, in numbers
  int64_t bytes() const { return count * size_of(type); }
};

// All storages that a pickle refers to, by key; those of its tensors and of whatever else it holds. Throws SWAV_ERROR_FORMAT
// where a key stands for two.
std::map<std::string, TorchStorage> torch_storages(const std::string& path, const PickleTree& tree);

// A tensor and its storage; `tensor.offset` is in numbers, from the storage's start.
struct TorchTensor {
  StoredTensor tensor;
  TorchStorage storage;
};

// All tensors below dictionaries and lists, named by the keys on the way, with dots between. Throws SWAV_ERROR_FORMAT for a
// tensor that is damaged.
std::vector<TorchTensor> torch_tensors(const std::string& path, const PickleTree& tree);

// Reads a pickle with the names that PyTorch files may use.
PickleTree read_torch_pickle(ByteStream& stream);

}  // namespace swav
