// Retrieval: a bank of features ranked by cosine with each query, and where the rows of the query's label stand.
#pragma once

#include "evaluation/nearest.h"

namespace swav {

struct RetrievalInput {
  const float* bank;      // [count][dim]
  const int32_t* labels;  // [count], from 0 up
  int64_t count;
  const float* queries;         // [query_count][dim]; NULL: the bank itself, and no row is its own neighbour
  const int32_t* query_labels;  // [query_count]; of the bank where that is asked about
  int64_t query_count;
  int64_t dim;
};

// precision [queries]: the mean over the rows of the query's label of (rows of that label so far / rows so far) in the ranking,
// or -1 where the bank has none; rank [queries]: the place of the first of them from 0, or -1. Throws SWAV_ERROR_ARGUMENT,
// SWAV_ERROR_NUMERIC for a feature that is not finite.
void retrieve(const RetrievalInput& input, const Progress& progress, double* precision, int64_t* rank);

}  // namespace swav
