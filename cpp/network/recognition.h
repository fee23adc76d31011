// The network that a file of tensors is of: as its metadata declares it, else deduced from names and shapes.
#pragma once

#include "network/key_map.h"
#include "network/weights_metadata.h"

namespace swav {

// Which part of a file is loaded.
struct LoadChoice {
  std::string prefix;
  bool head = true;
  bool prototypes = true;
};

struct Recognition {
  Description description;
  Declaration declaration;
  bool guessed = false;  // some of it was deduced
};

// Throws SWAV_ERROR_FORMAT naming the first tensor that is missing or of another shape than the network needs,
// SWAV_ERROR_UNSUPPORTED for a network that is none of those known. Nothing is read but names, types and shapes, so that a file
// costs no more than its length.
Recognition recognize(const TensorFile& file, const KeyMap& keys, const LoadChoice& choice);

// Throws SWAV_ERROR_UNSUPPORTED where the backbone of a file has tensors that the network has not: squeeze and excitation,
// biases of convolutions. It computes something else.
void check_strangers(const TensorFile& file, const KeyMap& keys, const Description& description);

// Whether a tensor may stand for the network's: its shape, where a counter has any shape of one number.
bool fits(const StoredTensor& stored, const TensorEntry& entry);

// A tensor that a file lacks without harm: counters, and the bias before a batch-norm of the head, which takes it away again.
bool is_dispensable(const TensorEntry& entry, const Description& description);

std::string shape_text(const std::vector<int64_t>& shape);

}  // namespace swav
