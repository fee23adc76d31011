// Weighted k-nearest-neighbour classification of frozen features (Wu et al., "Unsupervised feature learning via non-parametric
// instance discrimination", section 3.4), the measure that needs no training.
#pragma once

#include <cstdint>

#include "evaluation/features.h"

namespace swav {

struct KnnInput {
  const float* train;  // [count][dim]
  const int32_t* labels;
  int64_t count;
  const float* queries;  // [query_count][dim], not read where each training row is asked about among the others
  int64_t query_count;
  int64_t dim;
  int32_t classes;
};

// Rows are scaled to unit norm (zero rows stay zero). Each query takes the `neighbours` training rows with the largest cosine
// (of equal ones the earlier), each votes for its label 0..classes-1 with exp(cosine / temperature), or with 1, and predictions
// [query_count] gets the class with the most votes (of equal ones the smaller). neighbours > count: all. leave_one_out: the
// queries are the training rows, and no row is its own neighbour. Throws SWAV_ERROR_ARGUMENT for sizes or labels out of range,
// SWAV_ERROR_NUMERIC for a feature that is not finite.
void knn_predict(const KnnInput& input, const swav_knn_config& config, int32_t* predictions);

}  // namespace swav
