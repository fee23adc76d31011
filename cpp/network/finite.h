// The contract for values that are not finite: none goes in, and none comes out unnoticed. Kernels hand NaN on (ReLU, pooling
// and variances do not hide it), so it is enough to look at inputs, at weights when they change, and at results.
#pragma once

#include <cstdint>
#include <string>

#include "network/parameters.h"
#include "ops/values.h"

namespace swav {

// Index of the first value that is NaN or infinite; -1 where all are finite.
int64_t first_not_finite(const float* values, int64_t count);

bool all_finite(ConstValues values, int64_t count);

// Throws SWAV_ERROR_NUMERIC naming the image and the place unless all pixels [count][height][width][channels] are finite.
// `what` says which images: "images", "crops of group 1".
void require_finite_images(const std::string& what, const float* images, int64_t count, int32_t height, int32_t width,
                           int32_t channels);

// Throws SWAV_ERROR_NUMERIC naming tensor and index unless all parameters and buffers are finite and variances not negative.
void require_finite(const Parameters& parameters);

}  // namespace swav
