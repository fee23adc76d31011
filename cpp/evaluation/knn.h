// Weighted k-nearest-neighbour classification of frozen features (Wu et al., "Unsupervised feature learning via non-parametric
// instance discrimination", section 3.4), the measure that needs no training.
#pragma once

#include <cstdint>

namespace swav {

// Rows of train [count][dim] and queries [query_count][dim] are scaled to unit norm (zero rows stay zero). Each query takes the
// `neighbours` training rows with the largest cosine (of equal ones the earlier), each votes for its label 0..classes-1 with
// exp(cosine / temperature), and predictions [query_count] gets the class with the most votes (of equal ones the smaller).
// neighbours > count: all. Throws SWAV_ERROR_ARGUMENT for sizes or labels out of range, SWAV_ERROR_NUMERIC for a feature that
// is not finite.
void knn_predict(const float* train, const int32_t* labels, int64_t count, const float* queries, int64_t query_count,
                 int64_t dim, int32_t classes, int32_t neighbours, float temperature, int32_t* predictions);

}  // namespace swav
