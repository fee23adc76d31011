// Checks of arguments that every function makes: pointers, counts, sizes of arrays. They throw SWAV_ERROR_ARGUMENT with the
// name of the function and of the argument.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "swav.h"

namespace swav::api {

struct Pointer {
  const char* name;
  const void* value;
};

// None of them is NULL.
void check_pointers(const char* function, std::initializer_list<Pointer> pointers);

// A number of rows, images or classes: least to 2^31 - 1. What is more was not meant.
void check_count(const char* function, const char* name, int64_t count, int64_t least = 1);

// An array of 4-byte numbers that could be in memory: extents are 0 or more and their product is less than 2^45.
void check_array(const char* function, const char* name, std::initializer_list<int64_t> extents);

// A batch of images of 8 to 16384 pixels a side: [count][height][width][channels].
void check_images(const char* function, int64_t count, int32_t height, int32_t width, int32_t channels, int64_t least);

}  // namespace swav::api
