// Walks the rows of a gather: source addresses of consecutive rows, tap by tap, and their packing.
#pragma once

#include <algorithm>

#include "ops/lookahead.h"
#include "ops/product.h"
#include "ops/row_blocks.h"

namespace swav {

// rows[i] = address of `channel` at the tap of row first + i of a gather, NULL for padding. T: float or bfloat16.
template <class T>
void addresses(const Gather& g, const T* source, int64_t first, int64_t count, Tap tap, int64_t channel, const T** rows) {
  const int64_t grid = int64_t(g.grid_height) * g.grid_width;
  int64_t image = first / grid;
  int32_t gy = int32_t(first % grid / g.grid_width), gx = int32_t(first % g.grid_width);
  for (int64_t i = 0; i < count; ++i) {
    const int32_t y = gy * g.step + tap.dy, x = gx * g.step + tap.dx;
    const bool inside = uint32_t(y) < uint32_t(g.source_height) && uint32_t(x) < uint32_t(g.source_width);
    rows[i] = inside ? source + ((image * g.source_height + y) * g.source_width + x) * g.pixel + channel : nullptr;
    if (++gx == g.grid_width) {
      gx = 0;
      if (++gy == g.grid_height) gy = 0, ++image;
    }
  }
}

// Asks for what rows [first, end) of a gather read, where that lies together; the partner lies `partner` numbers behind the
// source, 0 for none.
template <class T>
void look_ahead(const Gather& g, const T* source, int64_t partner, int64_t first, int64_t end, Lookahead& lookahead) {
  if (first >= end || (g.step > 1 && g.tap_count == 1)) return;
  const T* ends[2];
  addresses(g, source, first, 1, {0, 0}, 0, &ends[0]);
  addresses(g, source, end - 1, 1, {0, 0}, 0, &ends[1]);
  if (ends[0] == nullptr || ends[1] == nullptr) return;
  lookahead.add(ends[0], ends[1] + g.pixel);
  if (partner != 0) lookahead.add(ends[0] + partner, ends[1] + g.pixel + partner);
}

// Of floats.
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

  // Asks for what pack of rows [first, end) will read.
  void look_ahead(int64_t first, int64_t end, Lookahead& lookahead) const {
    const int64_t partner = source_.partner ? source_.partner.floats() - source_.data.floats() : 0;
    swav::look_ahead(g_, source_.data.floats(), partner, first, end, lookahead);
  }

  void addresses(int64_t first, int64_t count, Tap tap, int64_t channel, const float** rows) const {
    swav::addresses(g_, source_.data.floats(), first, count, tap, channel, rows);
  }

 private:
  const Kernels& kernels_;
  const Gather& g_;
  const Operand& source_;
};

}  // namespace swav
