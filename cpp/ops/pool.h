// Pooling: the stem's 3x3 stride 2 maximum over ReLU(batch-norm), and the global average before the head.
#pragma once

#include <cstdint>

#include "ops/batch_norm.h"
#include "ops/values.h"

namespace swav {

struct PoolShape {
  int64_t images = 0;
  int32_t height = 0, width = 0, channels = 0;  // of the input
  int32_t out_height() const { return (height - 1) / 2 + 1; }
  int32_t out_width() const { return (width - 1) / 2 + 1; }
  int64_t out_count() const { return images * out_height() * out_width() * channels; }
};

// out and index [images][out_height][out_width][channels]; index: kernels/kernel_table.inl.h, max_pool.
void max_pool_forward(const PoolShape& shape, ConstValues y, const BatchNormValues& norm, Values out, uint8_t* index);

// dz towards the batch-norm's output (the ReLU's mask included), and block sums for its backward, max_pool_blocks of them.
int64_t max_pool_blocks(const PoolShape& shape);
void max_pool_backward(const PoolShape& shape, ConstValues d_out, const uint8_t* index, ConstValues y,
                       const BatchNormValues& norm, Values dz, BlockSums sums);

// features [images][channels] = mean over `pixels` rows of x [images][pixels][channels].
void average_pool_forward(ConstValues x, int64_t images, int64_t pixels, int64_t channels, float* features);
void average_pool_backward(const float* d_features, int64_t images, int64_t pixels, int64_t channels, Values dx);

}  // namespace swav
