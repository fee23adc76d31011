#include "ops/residual.h"

#include <algorithm>

#include "base/parallel.h"
#include "kernels/kernels.h"

namespace swav {

namespace {

void residual_plain(ConstValues y, ConstValues identity, int64_t rows, const BatchNormValues& v, Values sum) {
  const int64_t n = v.channels;
  if (sum.half()) {
    bfloat_kernels().residual_plain_bfloat(y.halves(), identity.halves(), rows, n, v.scale, v.shift, sum.halves());
  } else {
    kernels().residual_plain(y.floats(), identity.floats(), rows, n, v.scale, v.shift, sum.floats());
  }
}

void residual_projected(ConstValues y, ConstValues side, int64_t rows, const BatchNormValues& v, const BatchNormValues& of_side,
                        Values sum) {
  const int64_t n = v.channels;
  if (sum.half()) {
    bfloat_kernels().residual_projected_bfloat(y.halves(), side.halves(), rows, n, v.scale, v.shift, of_side.scale,
                                               of_side.shift, sum.halves());
  } else {
    kernels().residual_projected(y.floats(), side.floats(), rows, n, v.scale, v.shift, of_side.scale, of_side.shift,
                                 sum.floats());
  }
}

void masked_gradient_sums(Values d, ConstValues x, ConstValues y, int64_t stride, int64_t rows, int64_t n, const float* mean,
                          float* sum, float* centred) {
  if (d.half()) {
    bfloat_kernels().masked_gradient_sums_bfloat(d.halves(), x.halves(), y.halves(), stride, rows, n, mean, sum, centred);
  } else {
    kernels().masked_gradient_sums(d.floats(), x.floats(), y.floats(), stride, rows, n, mean, sum, centred);
  }
}

}  // namespace

void block_moments(ConstValues y, int64_t stride, int64_t rows, int64_t n, float* mean, float* m2) {
  if (y.half()) bfloat_kernels().block_moments_bfloat(y.halves(), stride, rows, n, mean, m2);
  else kernels().block_moments(y.floats(), stride, rows, n, mean, m2);
}

void relu_backward(Values dx, ConstValues y, int64_t stride, int64_t rows, int64_t n, const float* scale, const float* shift,
                   const float* mean, float* sum, float* centred) {
  if (dx.half()) {
    bfloat_kernels().relu_backward_bfloat(dx.halves(), y.halves(), stride, rows, n, scale, shift, mean, sum, centred);
  } else {
    kernels().relu_backward(dx.floats(), y.floats(), stride, rows, n, scale, shift, mean, sum, centred);
  }
}

void gradient_sums(ConstValues d, ConstValues y, int64_t stride, int64_t rows, int64_t n, const float* mean, float* sum,
                   float* centred) {
  if (d.half()) bfloat_kernels().gradient_sums_bfloat(d.halves(), y.halves(), stride, rows, n, mean, sum, centred);
  else kernels().gradient_sums(d.floats(), y.floats(), stride, rows, n, mean, sum, centred);
}

int64_t pass_block_rows(int64_t channels) { return std::clamp<int64_t>(32768 / channels, 8, 112); }

void residual_forward(const ResidualLink* links, int64_t count, int64_t rows, Values sum) {
  const int64_t n = links[0].norm->channels, block_rows = pass_block_rows(n);
  parallel::for_each((rows + block_rows - 1) / block_rows, [&](int64_t block, int) {
    const int64_t row0 = block * block_rows, some = std::min(rows - row0, block_rows), at = row0 * n;
    for (int64_t i = 0; i < count; ++i) {
      const ResidualLink& link = links[i];
      const ConstValues side = (link.side ? link.side : ConstValues(sum)) + at;
      if (link.side_norm == nullptr) residual_plain(link.y + at, side, some, *link.norm, sum + at);
      else residual_projected(link.y + at, side, some, *link.norm, *link.side_norm, sum + at);
    }
  });
}

void ResidualGradient::apply(Values d, int64_t block, int64_t row0, int64_t row1, int64_t c0, int64_t c1) const {
  const int64_t n = norm->channels, at = row0 * n + c0, to = block * n + c0;
  masked_gradient_sums(d + at, sum + at, y + at, n, row1 - row0, c1 - c0, norm->mean + c0, sums.first + to, sums.second + to);
  if (!projected) return;
  gradient_sums(d + at, projected + at, n, row1 - row0, c1 - c0, projected_norm->mean + c0, projected_sums.first + to,
                projected_sums.second + to);
}

void residual_backward(Values d, const ResidualGradient& gradient, int64_t rows) {
  const int64_t n = gradient.norm->channels, block_rows = pass_block_rows(n);
  parallel::for_each((rows + block_rows - 1) / block_rows, [&](int64_t block, int) {
    const int64_t row0 = block * block_rows;
    gradient.apply(d, block, row0, std::min(rows, row0 + block_rows), 0, n);
  });
}

}  // namespace swav
