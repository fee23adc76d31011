// Pixels -> bytes: baseline JPEG and PNG, for sheets that people look at and for pictures that the program renders itself.
#pragma once

#include <cstdint>
#include <vector>

namespace swav::image {

// samples [height][width][channels], channels 1 or 3, quality 1..100. Chroma at half resolution, as libjpeg's default.
std::vector<uint8_t> encode_jpeg(const uint8_t* samples, int width, int height, int channels, int quality);

std::vector<uint8_t> encode_png(const uint8_t* samples, int width, int height, int channels);

}  // namespace swav::image
