// Linear support vector machines on features, one a class, by liblinear (Fan et al., "LIBLINEAR", JMLR 2008): the classifier of
// the VOC07 protocol.
#pragma once

#include "evaluation/features.h"

namespace swav {

// Minimises |w|^2 / 2 + cost * sum over rows of weight * max(0, 1 - target * w . (x, 1))^2 for each class by liblinear's trust
// region method, which draws no random numbers: same bits at any number of threads. features [count][dim]; targets
// [classes][count]: 1, -1, or 0 for a row that is left out; costs [classes] -> weights [classes][dim + 1], bias last, zeros for
// a class without rows of both signs. Throws SWAV_ERROR_ARGUMENT, SWAV_ERROR_NUMERIC for a feature that is not finite.
void svm_fit(const float* features, const int8_t* targets, int64_t count, int64_t dim, int32_t classes, const double* costs,
             const swav_svm_config& config, float* weights);

}  // namespace swav
