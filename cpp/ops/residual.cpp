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

void residual_backward(float* d_sum, const float* sum, const float* y, const BatchNormValues& norm, BlockSums sums,
                       const float* projected, const BatchNormValues* projected_norm, BlockSums projected_sums, int64_t rows) {
  const Kernels& kernel = kernels();
  const int64_t n = norm.channels, block_rows = pass_block_rows(n);
  parallel::for_each((rows + block_rows - 1) / block_rows, [&](int64_t block, int) {
    const int64_t row0 = block * block_rows, count = std::min(rows - row0, block_rows), at = row0 * n;
    kernel.mask_positive(d_sum + at, sum + at, count * n);
    kernel.gradient_sums(d_sum + at, y + at, n, count, n, norm.mean, sums.first + block * n, sums.second + block * n);
    if (projected_norm != nullptr) {
      kernel.gradient_sums(d_sum + at, projected + at, n, count, n, projected_norm->mean, projected_sums.first + block * n,
                           projected_sums.second + block * n);
    }
  });
}

}  // namespace swav
