#include "objective/usage.h"

#include <algorithm>
#include <cmath>

namespace swav {

PrototypeUsage::PrototypeUsage(int64_t prototypes, int64_t codes_a_step)
    : prototypes_(prototypes), window_(std::max<int64_t>(16, (8 * prototypes + codes_a_step - 1) / codes_a_step)) {}

void PrototypeUsage::take(Arena& arena) {
  mean_ = arena.take<double>(prototypes_);
  step_mean_ = arena.take<double>(prototypes_);
  step_used_ = arena.take<float>(prototypes_);
  last_used_ = arena.take<int64_t>(prototypes_);
}

void PrototypeUsage::add() {
  ++steps_;
  // The first steps weigh alike; then the average forgets.
  const double share = 1.0 / double(std::min(steps_, window_));
  for (int64_t k = 0; k < prototypes_; ++k) {
    mean_[k] += share * (step_mean_[k] - mean_[k]);
    if (step_used_[k] != 0) last_used_[k] = steps_;
  }
}

double PrototypeUsage::perplexity() const {
  if (steps_ == 0) return 0;
  double entropy = 0;
  for (int64_t k = 0; k < prototypes_; ++k) entropy -= mean_[k] > 0 ? mean_[k] * std::log(mean_[k]) : 0;
  return std::exp(entropy);
}

int64_t PrototypeUsage::dead() const {
  if (steps_ == 0) return 0;
  const int64_t before = std::max<int64_t>(0, steps_ - window_);  // the last step that is too long ago
  return std::count_if(last_used_, last_used_ + prototypes_, [=](int64_t step) { return step <= before; });
}

}  // namespace swav
