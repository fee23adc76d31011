#include "optim/schedule.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"

namespace swav {
namespace {

void check_rate(const char* name, double rate) {
  SWAV_REQUIRE(std::isfinite(rate) && rate >= 0, "%s is %g; a finite number, 0 or more, is needed", name, rate);
}

}  // namespace

void check(const swav_schedule& schedule) {
  check_rate("base learning rate", schedule.base_rate);
  check_rate("final learning rate", schedule.final_rate);
  check_rate("start of the warm-up", schedule.start_rate);
  constexpr int64_t limit = int64_t{1} << 53;  // what a double counts exactly
  SWAV_REQUIRE(schedule.steps >= 1 && schedule.steps <= limit, "steps are %lld; 1 to 2^53 is allowed",
               (long long)schedule.steps);
  SWAV_REQUIRE(schedule.warmup_steps >= 0 && schedule.warmup_steps <= schedule.steps,
               "warm-up steps are %lld; 0 to %lld is allowed", (long long)schedule.warmup_steps, (long long)schedule.steps);
}

double learning_rate(const swav_schedule& schedule, double step) {
  check(schedule);
  SWAV_REQUIRE(step >= 0 && step < double(schedule.steps), "step is %.15g; this schedule has steps 0 to %lld", step,
               (long long)schedule.steps - 1);
  const double warmup = double(schedule.warmup_steps);
  if (step < warmup) {
    if (step == 0) return schedule.start_rate;
    const double progress = warmup > 1 ? std::min(1.0, step / (warmup - 1)) : 0.0;
    return progress == 1 ? schedule.base_rate : schedule.start_rate + (schedule.base_rate - schedule.start_rate) * progress;
  }
  constexpr double pi = 3.14159265358979323846;
  const double progress = (step - warmup) / (double(schedule.steps) - warmup);
  return schedule.final_rate + 0.5 * (schedule.base_rate - schedule.final_rate) * (1 + std::cos(pi * progress));
}

}  // namespace swav
