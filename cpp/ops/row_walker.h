// Walks the rows of a gather: source addresses of consecutive rows, tap by tap, and their packing.
#pragma once

#include <algorithm>

#include "ops/lookahead.h"
#include "ops/product.h"
#include "ops/row_blocks.h"

namespace swav {

class RowWalker {
 public:
  static constexpr int64_t most_rows = 256;  // in one call of pack

  RowWalker(const Kernels& kernels, const Gather& gather, const Operand& source)
      : kernels_(kernels), g_(gather), source_(source) {}

  // to[r * stride + k - k0] = value at depth k of row first + r, for k0 <= k < k1 and 0 <= r < count <= most_rows.
  void pack(int64_t first, int64_t count, int64_t k0, int64_t k1, float* to, int64_t stride) const {
    const float* rows[most_rows];
    for (int64_t k = k0; k < k1;) {
      const int64_t tap = k / g_.channels, channel = k % g_.channels;
      const int64_t n = std::min(g_.channels - channel, k1 - k);
      addresses(first, count, g_.taps[size_t(tap)], channel, rows);
      swav::pack(kernels_, source_, rows, count, channel, n, to + (k - k0), stride);
      k += n;
    }
  }

  // Asks for what pack of rows [first, end) will read, where that lies together.
  void look_ahead(int64_t first, int64_t end, Lookahead& lookahead) const {
    if (first >= end || (g_.step > 1 && g_.tap_count == 1)) return;
    const float* ends[2];
    addresses(first, 1, {0, 0}, 0, &ends[0]);
    addresses(end - 1, 1, {0, 0}, 0, &ends[1]);
    if (ends[0] == nullptr || ends[1] == nullptr) return;
    lookahead.add(ends[0], ends[1] + g_.pixel);
    if (source_.partner == nullptr) return;
    const int64_t partner = source_.partner - source_.data;
    lookahead.add(ends[0] + partner, ends[1] + g_.pixel + partner);
  }

  // rows[i] = address of `channel` at the tap of row first + i, NULL for padding.
  void addresses(int64_t first, int64_t count, Tap tap, int64_t channel, const float** rows) const {
    const int64_t grid = int64_t(g_.grid_height) * g_.grid_width;
    int64_t image = first / grid;
    int32_t gy = int32_t(first % grid / g_.grid_width), gx = int32_t(first % g_.grid_width);
    for (int64_t i = 0; i < count; ++i) {
      const int32_t y = gy * g_.step + tap.dy, x = gx * g_.step + tap.dx;
      const bool inside = uint32_t(y) < uint32_t(g_.source_height) && uint32_t(x) < uint32_t(g_.source_width);
      rows[i] = inside ? source_.data + ((image * g_.source_height + y) * g_.source_width + x) * g_.pixel + channel : nullptr;
      if (++gx == g_.grid_width) {
        gx = 0;
        if (++gy == g_.grid_height) gy = 0, ++image;
      }
    }
  }

 private:
  const Kernels& kernels_;
  const Gather& g_;
  const Operand& source_;
};

}  // namespace swav
