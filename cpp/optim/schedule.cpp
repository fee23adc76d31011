#include "optim/schedule.h"

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
  constexpr int64_t limit = int64_t{1} << 31;  // of each factor, so that their product fits
  SWAV_REQUIRE(schedule.steps_per_epoch >= 1 && schedule.steps_per_epoch < limit,
               "steps an epoch are %lld; 1 to 2^31 - 1 is allowed", (long long)schedule.steps_per_epoch);
  SWAV_REQUIRE(schedule.epochs >= 1 && schedule.epochs < limit, "epochs are %lld; 1 to 2^31 - 1 is allowed",
               (long long)schedule.epochs);
  SWAV_REQUIRE(schedule.warmup_epochs >= 0 && schedule.warmup_epochs <= schedule.epochs,
               "warm-up epochs are %lld; 0 to %lld is allowed", (long long)schedule.warmup_epochs, (long long)schedule.epochs);
}

double learning_rate(const swav_schedule& schedule, int64_t step) {
  check(schedule);
  const int64_t total = schedule.epochs * schedule.steps_per_epoch;
  const int64_t warmup = schedule.warmup_epochs * schedule.steps_per_epoch;
  SWAV_REQUIRE(step >= 0 && step < total, "step is %lld; this schedule has steps 0 to %lld", (long long)step,
               (long long)total - 1);
  if (step < warmup) {
    if (step == 0) return schedule.start_rate;
    const double progress = double(step) / double(warmup - 1);
    return progress == 1 ? schedule.base_rate : schedule.start_rate + (schedule.base_rate - schedule.start_rate) * progress;
  }
  constexpr double pi = 3.14159265358979323846;
  const double progress = double(step - warmup) / double(total - warmup);
  return schedule.final_rate + 0.5 * (schedule.base_rate - schedule.final_rate) * (1 + std::cos(pi * progress));
}

}  // namespace swav
