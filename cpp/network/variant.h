// Residual networks that are no ResNet-18, 34 or 50 of torchvision's, though their tensors go by the same names.
#pragma once

#include "network/key_map.h"

namespace swav {

// Throws SWAV_ERROR_UNSUPPORTED, naming each difference that names and shapes show: a deep stem, pooling in the downsample,
// grouped convolutions, wider bottlenecks, norms without statistics. What leaves no trace in them, as fixed filters of blur,
// cannot be seen.
void check_variant(const std::string& path, const KeyMap& keys);

}  // namespace swav
