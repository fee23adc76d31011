// The largest error of many.
#pragma once

#include <algorithm>
#include <cmath>

namespace swav {

// std::max passes over an error that is no number.
inline double worse(double worst, double error) { return std::isnan(error) ? HUGE_VAL : std::max(worst, error); }

}  // namespace swav
