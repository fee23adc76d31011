#include "ops/residual.h"

#include <algorithm>

#include "base/parallel.h"
#include "kernels/kernels.h"

namespace swav {

int64_t pass_block_rows(int64_t channels) { return std::clamp<int64_t>(32768 / channels, 8, 112); }

void residual_forward(const ResidualLink* links, int64_t count, int64_t rows, float* sum) {
  const Kernels& kernel = kernels();
  const int64_t n = links[0].norm->channels, block_rows = pass_block_rows(n);
  parallel::for_each((rows + block_rows - 1) / block_rows, [&](int64_t block, int) {
    const int64_t row0 = block * block_rows, some = std::min(rows - row0, block_rows), at = row0 * n;
    for (int64_t i = 0; i < count; ++i) {
      const ResidualLink& link = links[i];
      const float* side = (link.side != nullptr ? link.side : sum) + at;
      if (link.side_norm != nullptr) {
        kernel.residual_projected(link.y + at, side, some, n, link.norm->scale, link.norm->shift, link.side_norm->scale,
                                  link.side_norm->shift, sum + at);
      } else {
        kernel.residual_plain(link.y + at, side, some, n, link.norm->scale, link.norm->shift, sum + at);
      }
    }
  });
}

void ResidualGradient::apply(float* d, int64_t block, int64_t row0, int64_t row1, int64_t c0, int64_t c1) const {
  const Kernels& kernel = kernels();
  const int64_t n = norm->channels, at = row0 * n + c0, to = block * n + c0;
  kernel.masked_gradient_sums(d + at, sum + at, y + at, n, row1 - row0, c1 - c0, norm->mean + c0, sums.first + to,
                              sums.second + to);
  if (projected == nullptr) return;
  kernel.gradient_sums(d + at, projected + at, n, row1 - row0, c1 - c0, projected_norm->mean + c0, projected_sums.first + to,
                       projected_sums.second + to);
}

void residual_backward(float* d, const ResidualGradient& gradient, int64_t rows) {
  const int64_t n = gradient.norm->channels, block_rows = pass_block_rows(n);
  parallel::for_each((rows + block_rows - 1) / block_rows, [&](int64_t block, int) {
    const int64_t row0 = block * block_rows;
    gradient.apply(d, block, row0, std::min(rows, row0 + block_rows), 0, n);
  });
}

}  // namespace swav
