// The learning rate: linear warm-up, then a cosine (published recipe; reached step by step, not epoch by epoch).
#pragma once

#include <cstdint>

#include "swav.h"

namespace swav {

// Throws SWAV_ERROR_ARGUMENT unless rates are finite and not negative, steps at least 1 and warmup_steps in [0, steps].
void check(const swav_schedule& schedule);

// With W = warmup_steps and C the steps after them:
//   step < W:   evenly spaced from start_rate to base_rate, both inclusive (start_rate alone if W = 1)
//   after:      final_rate + (base_rate - final_rate) / 2 * (1 + cos(pi (step - W) / C))
// so base_rate comes twice in a row and final_rate is approached but not reached. Places between two steps are allowed. Throws
// unless 0 <= step < W + C.
double learning_rate(const swav_schedule& schedule, double step);

}  // namespace swav
