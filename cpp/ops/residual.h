// The elementwise passes between convolutions: residual sums, their backward, and rows in blocks of a fixed size.
#pragma once

#include <cstdint>

#include "ops/batch_norm.h"

namespace swav {

// Rows a task, so that a block of all channels stays in the cache: a function of the channels only.
int64_t pass_block_rows(int64_t channels);

// sum = max(scale * y + shift + side, 0), side = identity, or projected with coefficients of its own. All [rows][channels].
void residual_forward(const float* y, const BatchNormValues& norm, const float* side, const BatchNormValues* side_norm,
                      int64_t rows, float* sum);

// d_sum becomes dz = d_sum where sum > 0, else 0. Sums of blocks of pass_block_rows for both batch-norms (projected may be
// NULL).
void residual_backward(float* d_sum, const float* sum, const float* y, const BatchNormValues& norm, BlockSums sums,
                       const float* projected, const BatchNormValues* projected_norm, BlockSums projected_sums, int64_t rows);
}  // namespace swav
