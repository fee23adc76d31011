// Which format bytes are in, told by what they begin with, never by a name.
#pragma once

#include <cstddef>
#include <cstdint>

#include "swav.h"

namespace swav::image {

swav_image_format sniff(const uint8_t* bytes, size_t size);

// Throws SWAV_ERROR_FORMAT: says what the bytes seem to be, and which formats are read.
[[noreturn]] void fail_unknown(const uint8_t* bytes, size_t size);

}  // namespace swav::image
