#include "evaluation/features.h"

#include <atomic>
#include <numeric>

#include "base/parallel.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "ops/row_blocks.h"

namespace swav {

void check_features(const char* what, const float* features, const int32_t* labels, int64_t count, int64_t dim,
                    int32_t classes) {
  SWAV_REQUIRE(count >= 1 && dim >= 1 && count <= (int64_t{1} << 60) / dim, "%s are %lld x %lld; at least 1 x 1 is needed",
               what, (long long)count, (long long)dim);
  SWAV_REQUIRE(dim <= most_feature_dim, "%s have %lld numbers a row; at most %lld are allowed", what, (long long)dim,
               (long long)most_feature_dim);
  SWAV_REQUIRE(classes >= 1, "classes are %d; at least 1 is needed", classes);
  for (int64_t n = 0; labels && n < count; ++n) {
    SWAV_REQUIRE(labels[n] >= 0 && labels[n] < classes, "label %lld is %d; 0 to %d is allowed", (long long)n, labels[n],
                 classes - 1);
  }
  std::atomic<int64_t> first{count};  // smallest row that is not finite, whichever thread finds it
  parallel::for_each(feature_blocks(count), [&](int64_t block, int) {
    for (int64_t n = block * feature_block; n < std::min(count, (block + 1) * feature_block); ++n) {
      const double squares = kernels().sum_squares(features + n * dim, dim);
      if (squares - squares == 0) continue;
      for (int64_t seen = first; n < seen && !first.compare_exchange_weak(seen, n);) {
      }
      return;
    }
  });
  if (first < count)
    fail(SWAV_ERROR_NUMERIC, "row %lld of the %s is not finite; finite features are needed", (long long)first.load(), what);
}

namespace {

template <class Term>
float sum_of(int64_t n, Term&& term) {
  constexpr int64_t lanes = 16;
  float sums[lanes] = {};
  const int64_t whole = n / lanes * lanes;
  for (int64_t i = 0; i < whole; i += lanes) {
    for (int64_t j = 0; j < lanes; ++j) sums[j] += term(i + j);
  }
  float sum = 0;
  for (int64_t i = whole; i < n; ++i) sum += term(i);
  for (const float lane : sums) sum += lane;
  return sum;
}

}  // namespace

float dot(const float* a, const float* b, int64_t n) {
  return sum_of(n, [&](int64_t i) { return a[i] * b[i]; });
}

float squared_distance(const float* a, const float* b, int64_t n) {
  return sum_of(n, [&](int64_t i) { return (a[i] - b[i]) * (a[i] - b[i]); });
}

FeatureProduct::FeatureProduct(int64_t depth, int64_t most_columns) : depth_(depth) {
  layout_.depth_at.resize(size_t(depth));
  std::iota(layout_.depth_at.begin(), layout_.depth_at.end(), 0);
  columns_ = most_columns;
  packed_.resize(size_t(packed_weight_count(gather(1))));
}

// A map of one pixel an image, as a linear layer.
Gather FeatureProduct::gather(int64_t rows) const {
  Gather g;
  g.images = rows;
  g.source_height = g.source_width = g.grid_height = g.grid_width = g.target_height = g.target_width = 1;
  g.tap_count = 1;
  g.pixel = g.channels = int32_t(depth_);
  g.columns = int32_t(columns_);
  return g;
}

void FeatureProduct::pack(const float* right, int64_t columns, int64_t stride) {
  columns_ = columns;
  layout_.column_stride = stride;
  const Gather g = gather(1);
  pack_weights(g, layout_, blocking(g).block_depth, right, packed_.data());
}

void FeatureProduct::multiply(const float* left, int64_t rows, float* result) const {
  Operand source;
  source.data = left;
  gather_product(gather(rows), source, packed_.data(), result, false, {});
}

void FeatureProduct::add_gradient(const float* left, const float* d, int64_t rows, float* gradient) {
  Operand source, target;
  source.data = left;
  target.data = d;
  const Gather g = gather(rows);
  workspace_.resize(size_t(std::max(int64_t(workspace_.size()), weight_gradient_workspace(g))));
  weight_gradient(g, layout_, source, target, workspace_.data(), gradient);
}

}  // namespace swav
