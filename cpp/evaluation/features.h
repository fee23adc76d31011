// What kNN and logistic regression share: matrices of features, one row an image.
#pragma once

#include <Eigen/Core>
#include <cstdint>

namespace swav {

using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using FeatureMap = Eigen::Map<const RowMatrix>;

// Rows that one task handles: the products of a task are the same whatever the number of threads.
constexpr int64_t feature_block = 128;
inline int64_t feature_blocks(int64_t count) { return (count + feature_block - 1) / feature_block; }

// Throws SWAV_ERROR_ARGUMENT unless count, dim and classes are at least 1, the matrix fits in memory's addresses and each label
// is in 0..classes-1; SWAV_ERROR_NUMERIC, naming the row, when a feature is not finite. labels may be NULL. `what` names the
// matrix.
void check_features(const char* what, const float* features, const int32_t* labels, int64_t count, int64_t dim,
                    int32_t classes);

}  // namespace swav
