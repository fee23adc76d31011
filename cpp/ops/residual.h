// The elementwise passes between convolutions: residual sums, their backward, and rows in blocks of a fixed size.
#pragma once

#include <cstdint>

#include "ops/batch_norm.h"
#include "ops/values.h"

namespace swav {

// Rows a task, so that a block of all channels stays in the cache: a function of the channels only.
int64_t pass_block_rows(int64_t channels);

// The passes' kernels on either storage; all maps of a call have the same. Contracts: kernels/kernel_table.inl.h.
void block_moments(ConstValues y, int64_t stride, int64_t rows, int64_t n, float* mean, float* m2);
void relu_backward(Values dx, ConstValues y, int64_t stride, int64_t rows, int64_t n, const float* scale, const float* shift,
                   const float* mean, float* sum, float* sum_centred);
void gradient_sums(ConstValues d, ConstValues y, int64_t stride, int64_t rows, int64_t n, const float* mean, float* sum,
                   float* sum_centred);

// A residual sum max(scale * y + shift + side, 0), all [rows][channels]. side: the identity, or NULL for what `sum` holds;
// where side_norm is there, a projection before its batch-norm.
struct ResidualLink {
  ConstValues y = {};
  const BatchNormValues* norm = nullptr;
  ConstValues side = {};
  const BatchNormValues* side_norm = nullptr;
};

// The sums of `count` links, one after the other, in one pass over memory; only the last one stays.
void residual_forward(const ResidualLink* links, int64_t count, int64_t rows, Values sum);

// The backward of a residual sum: its gradient d becomes dz = d where sum > 0, else 0, with sums of blocks of rows for both
// batch-norms. All [rows][channels].
struct ResidualGradient {
  ConstValues sum = {};
  ConstValues y = {};
  const BatchNormValues* norm = nullptr;
  BlockSums sums = {};
  // NULL without a projection.
  ConstValues projected = {};
  const BatchNormValues* projected_norm = nullptr;
  BlockSums projected_sums = {};

  // Rows [row0, row1) and channels [c0, c1), which are block number `block`.
  void apply(Values d, int64_t block, int64_t row0, int64_t row1, int64_t c0, int64_t c1) const;
};

// The whole of it, in blocks of pass_block_rows.
void residual_backward(Values d, const ResidualGradient& gradient, int64_t rows);

}  // namespace swav
