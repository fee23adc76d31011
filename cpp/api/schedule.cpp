#include "optim/schedule.h"

#include "api/api.h"

using namespace swav;

extern "C" {

swav_status swav_learning_rate(const swav_schedule* schedule, int64_t step, double* rate) {
  return api::guarded([&] {
    SWAV_REQUIRE(schedule != nullptr, "swav_learning_rate: schedule is NULL");
    SWAV_REQUIRE(rate != nullptr, "swav_learning_rate: rate is NULL");
    *rate = learning_rate(*schedule, step);
  });
}

}  // extern "C"
