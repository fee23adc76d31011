// What the evaluations share: checks of matrices of features, one row an image, and their products by the engine's kernels.
#pragma once

#include <cstdint>
#include <vector>

#include "base/function_ref.h"
#include "ops/product.h"
#include "swav.h"

namespace swav {

// Numbers of a row at most.
constexpr int64_t most_feature_dim = int64_t{1} << 20;

// Rows that one task handles.
constexpr int64_t feature_block = 64;
inline int64_t feature_blocks(int64_t count) { return (count + feature_block - 1) / feature_block; }

// Throws SWAV_ERROR_ARGUMENT unless count, dim and classes are at least 1, the matrix fits in memory's addresses and each label
// is in 0..classes-1; SWAV_ERROR_NUMERIC, naming the row, when a feature is not finite. labels may be NULL. `what` names the
// matrix.
void check_features(const char* what, const float* features, const int32_t* labels, int64_t count, int64_t dim,
                    int32_t classes);

// The product of two rows, and the square of their distance, in float: sixteen sums side by side, added in order.
float dot(const float* a, const float* b, int64_t n);
float squared_distance(const float* a, const float* b, int64_t n);

// The caller's progress function, where there is one.
class Progress {
 public:
  Progress(swav_progress function, void* context) : function_(function), context_(context) {}
  void operator()(int64_t done, int64_t total) const {
    if (function_ != nullptr) function_(context_, done, total);
  }

 private:
  swav_progress function_;
  void* context_;
};

// Products with one matrix, the right one [columns][depth], after it was packed. A number has the same bits wherever in the
// matrices it stands; it depends on depth and the instruction set, not on threads or the caches of the CPU at hand.
class FeatureProduct {
 public:
  // At most so many columns.
  FeatureProduct(int64_t depth, int64_t most_columns);

  // The right matrix, its rows `stride` floats apart.
  void pack(const float* right, int64_t columns, int64_t stride);

  // result [rows][columns] = left [rows][depth] times the transpose of the right one.
  void multiply(const float* left, int64_t rows, float* result) const;

  // gradient [columns][stride] += the transpose of d [rows][columns] times left, in float.
  void add_gradient(const float* left, const float* d, int64_t rows, float* gradient);

 private:
  Gather gather(int64_t rows) const;

  int64_t depth_, columns_ = 0;
  WeightLayout layout_;
  std::vector<float> packed_, workspace_;
};

}  // namespace swav
