// What a network sees of an encoded image when it is evaluated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "swav.h"

namespace swav::image {

// Decodes, takes the centre crop of size x size (see centre_plan) and normalises: [size][size][channels], channels 1 or 3.
// Throws what decoding throws, SWAV_ERROR_ARGUMENT for another number of channels.
std::vector<float> centre_view(const uint8_t* bytes, size_t count, int size, int channels, const swav_input_description& input);

}  // namespace swav::image
