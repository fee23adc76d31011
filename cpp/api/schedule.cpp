#include "optim/schedule.h"

#include "api/api.h"

using namespace swav;

extern "C" {

swav_status swav_learning_rate(const swav_schedule* schedule, double step, double* rate) {
  return api::guarded([&] {
    api::check_pointers("swav_learning_rate", {{"schedule", schedule}});
    api::check_pointers("swav_learning_rate", {{"rate", rate}});
    *rate = learning_rate(*schedule, step);
  });
}

}  // extern "C"
