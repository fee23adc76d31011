// Places for buffers of which each is needed for some steps of a plan only: buffers whose lives do not meet share memory.
#pragma once

#include <cstdint>
#include <vector>

namespace swav {

struct BufferLife {
  int64_t bytes = 0;
  int first = 0, last = 0;  // steps, inclusive
  int64_t offset = 0;       // set by place_buffers; a multiple of 64
};

// Sets the offsets, largest buffer first, each at the lowest place that is free throughout its life. Returns the bytes of all.
int64_t place_buffers(std::vector<BufferLife>& buffers);

}  // namespace swav
