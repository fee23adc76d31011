// The elementwise passes between convolutions: residual sums, their backward, and rows in blocks of a fixed size.
#pragma once

#include <cstdint>

#include "ops/batch_norm.h"

namespace swav {

// Rows a task, so that a block of all channels stays in the cache: a function of the channels only.
int64_t pass_block_rows(int64_t channels);

// A residual sum max(scale * y + shift + side, 0), all [rows][channels]. side: the identity, or NULL for what `sum` holds;
// where side_norm is there, a projection before its batch-norm.
struct ResidualLink {
  const float* y = nullptr;
  const BatchNormValues* norm = nullptr;
  const float* side = nullptr;
  const BatchNormValues* side_norm = nullptr;
};

// The sums of `count` links, one after the other, in one pass over memory; only the last one stays.
void residual_forward(const ResidualLink* links, int64_t count, int64_t rows, float* sum);

// d_sum becomes dz = d_sum where sum > 0, else 0. Sums of blocks of pass_block_rows for both batch-norms (projected may be
// NULL).
void residual_backward(float* d_sum, const float* sum, const float* y, const BatchNormValues& norm, BlockSums sums,
                       const float* projected, const BatchNormValues* projected_norm, BlockSums projected_sums, int64_t rows);
}  // namespace swav
