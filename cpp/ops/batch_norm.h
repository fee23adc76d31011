// Batch normalisation as coefficients: y -> scale * y + shift forward, d -> a * d + b * y + c backward. The elementwise work is
// done by whoever reads the values (operand.h, residual.h); this file turns moments and sums into coefficients.
//
// Moments are a mean and an M2 a row block, combined in block order in double; the communicator adds the ranks.
#pragma once

#include <cstdint>

#include "base/arena.h"
#include "base/scratch.h"
#include "comm/communicator.h"
#include "ops/row_blocks.h"

namespace swav {

constexpr double batch_norm_epsilon = 1e-5;
constexpr double batch_norm_momentum = 0.1;

// Per-channel values of one batch-norm in one pass, all [channels].
struct BatchNormValues {
  int64_t channels = 0;
  float *mean, *variance;  // of the batch, biased
  float *scale, *shift;    // forward
  float *a, *b, *c;        // backward
  double count = 0;        // values a channel, over all ranks

  void take(Arena& arena, int64_t channel_count);
};

// Sums of row blocks, [blocks][channels] each. Forward: mean and M2; backward: sum and centred sum.
struct BlockSums {
  float* first = nullptr;
  float* second = nullptr;
};

// Scratch of the calling thread for combine_moments and backward_coefficients.
ScratchSize batch_norm_scratch(int64_t channels);

// Batch moments from block moments.
void combine_moments(const BlockSums& sums, const RowBlocks& blocks, Communicator& communicator, BatchNormValues& values);

// scale and shift for mean and variance given.
void forward_coefficients(const float* gamma, const float* beta, const float* mean, const float* variance,
                          BatchNormValues& values);

// Adds to d_gamma and d_beta, and sets a, b, c, from block sums of d and d * (y - mean).
void backward_coefficients(const BlockSums& blocks, int64_t block_count, const float* gamma, Communicator& communicator,
                           BatchNormValues& values, float* d_gamma, float* d_beta);

// running = 0.9 running + 0.1 batch, the variance unbiased.
void update_running(const BatchNormValues& values, float* running_mean, float* running_variance);

}  // namespace swav
