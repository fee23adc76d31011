// Linear evaluation: multinomial logistic regression on frozen features, fitted by L-BFGS instead of a tuned SGD run, so that a
// figure does not depend on a learning rate.
#pragma once

#include <cstdint>

#include "swav.h"

namespace swav {

// Minimises  mean over rows of cross-entropy(softmax(W x + b), label) + penalty * |W|^2  over W [classes][dim] and b [classes],
// where x is a row of features [count][dim] with each column scaled to mean 0 and standard deviation 1 (columns whose deviation
// is under 1e-6 of their mean are left out). Starts from zero; ends after max_iterations, when the gradient is below 1e-5, or
// when a step changes nothing that products in float could tell (lbfgs.h). weights [classes][dim + 1] apply to raw features,
// the bias last. Keeps a scaled copy of the features. Same bits with any number of threads. Throws SWAV_ERROR_ARGUMENT for
// sizes, labels (0..classes-1), penalty (>= 0) or max_iterations (>= 1) out of range, SWAV_ERROR_NUMERIC for a feature that is
// not finite, or so small that a weight would not be.
void linear_fit(const float* features, const int32_t* labels, int64_t count, int64_t dim, int32_t classes,
                const swav_linear_config& config, float* weights);

// predictions [count]: for each row of features [count][dim] the class with the largest score in double (of equal ones the
// smallest), weights as above.
void linear_predict(const float* weights, int64_t dim, int32_t classes, const float* features, int64_t count,
                    int32_t* predictions);

// scores [count][classes]: W x + b of each row, in float.
void linear_scores(const float* weights, int64_t dim, int32_t classes, const float* features, int64_t count, float* scores);

}  // namespace swav
