// Networks from files and into files.
#pragma once

#include <memory>
#include <string>

#include "io/safetensors.h"
#include "network/network.h"
#include "network/recognition.h"

namespace swav {

// Fills the network's tensors from a file; see swav_network_load. report may be NULL.
void load_weights(Network& network, const std::string& path, const LoadChoice& choice, swav_load_report* report);
std::unique_ptr<Network> open_network(const std::string& path, const LoadChoice& choice, swav_load_report* report);
void save_weights(const Network& network, const std::string& path);

// What open_network would make of a file, without reading values.
swav_load_report preview(const TensorFile& file, const LoadChoice& choice, swav_network_config& config);

// The network's tensors, to write; borrowed.
std::vector<TensorSource> tensor_sources(const Network& network);

// Reads one tensor of the network from its place in a file. Throws SWAV_ERROR_NUMERIC naming tensor and index where a value is
// not finite or a variance negative.
void read_tensor(const TensorFile& file, const StoredTensor& stored, const TensorEntry& entry, void* values);

// The first value of an array that is not finite, as "NAME[1, 2] is nan"; throws SWAV_ERROR_NUMERIC. Negative ones count where
// the values are squares.
void check_values(const TensorFile& file, const StoredTensor& stored, const float* values, bool squares);

}  // namespace swav
