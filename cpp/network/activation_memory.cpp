#include "network/activation_memory.h"

#include <algorithm>
#include <numeric>

#include "ops/row_blocks.h"

namespace swav {

int64_t place_buffers(std::vector<BufferLife>& buffers) {
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return buffers[a].bytes != buffers[b].bytes ? buffers[a].bytes > buffers[b].bytes : a < b;
  });
  std::vector<const BufferLife*> placed;  // by offset
  int64_t total = 0;
  for (size_t index : order) {
    BufferLife& buffer = buffers[index];
    int64_t offset = 0;
    for (const BufferLife* other : placed) {
      if (other->last < buffer.first || buffer.last < other->first) continue;
      if (offset + buffer.bytes <= other->offset) break;
      offset = std::max(offset, round_up(other->offset + other->bytes, 64));
    }
    buffer.offset = offset;
    total = std::max(total, round_up(offset + buffer.bytes, 64));
    placed.insert(std::upper_bound(placed.begin(), placed.end(), &buffer,
                                   [](const BufferLife* a, const BufferLife* b) { return a->offset < b->offset; }),
                  &buffer);
  }
  return total;
}

}  // namespace swav
