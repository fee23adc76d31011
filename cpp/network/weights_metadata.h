// What a file of this library says about its network beside the tensors: one JSON text under the key "swav", with a version.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "network/network.h"

namespace swav {

using Metadata = std::map<std::string, std::string>;

// {"swav": {"format": 2, "engine": "0.1.0", "network": {...}, "input": {...}}}.
Metadata weights_metadata(const swav_network_config& config, const swav_input_description& input);

// What a file declares. Before format 2 files named architecture and stem; the rest of the network was left to names and
// shapes.
struct Declaration {
  int32_t format = 0;                         // 0: nothing is declared, the file is of others
  std::optional<swav_network_config> config;  // format 2: all of it; format 1: depth, width, base_width and stem
  std::optional<swav_input_description> input;
};

// Throws SWAV_ERROR_FORMAT naming what is damaged (a standard deviation of 0, a mean that is not finite, JSON that is none),
// SWAV_ERROR_UNSUPPORTED for a later format.
Declaration read_declaration(const std::string& path, const Metadata& metadata);

// depth, width and base_width of "resnet50w2b32"; nothing where the name is none of architecture_name.
std::optional<swav_network_config> parse_architecture(const std::string& name);

}  // namespace swav
