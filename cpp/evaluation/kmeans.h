// k-means of rows of features (Lloyd, 1982), started by k-means++ (Arthur and Vassilvitskii, 2007).
#pragma once

#include <cstdint>

#include "evaluation/features.h"

namespace swav {

// rows [count][dim], finite -> centres [clusters][dim], each the mean of its rows; assignment [count], the nearest centre of
// each row by Euclid (of equal ones the first); the sum of the squared distances. A pure function of the arguments, whatever
// the number of threads. A centre that loses all its rows takes the row that is farthest from its own. Where there are fewer
// different rows than clusters some centres are equal, and the later ones of these have no rows. Throws SWAV_ERROR_ARGUMENT for
// sizes out of range, SWAV_ERROR_NUMERIC for a row that is not finite.
double kmeans(const float* rows, int64_t count, int64_t dim, const swav_kmeans_config& config, float* centres,
              int32_t* assignment);

}  // namespace swav
