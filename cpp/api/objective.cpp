#include <algorithm>
#include <vector>

#include "api/api.h"
#include "base/memory.h"
#include "objective/codes.h"
#include "objective/swapped_loss.h"

using namespace swav;

namespace {

std::vector<float> floats(int64_t count) {
  require_memory(count * int64_t(sizeof(float)), "the objective", "fewer rows or prototypes need less");
  return std::vector<float>(size_t(count));
}

}  // namespace

extern "C" {

swav_codes_config swav_codes_config_default(void) { return {0.05f, false, 1e-3f, 3}; }

swav_status swav_codes(const float* scores, int64_t rows, int64_t prototypes, int64_t keep, const swav_codes_config* config,
                       float* codes, float* epsilon_used) {
  return api::interruptible([&] {
    api::check_pointers("swav_codes", {{"scores", scores}, {"config", config}, {"codes", codes}});
    api::check_count("swav_codes", "rows", rows);
    api::check_count("swav_codes", "prototypes", prototypes);
    api::check_array("swav_codes", "scores", {rows, prototypes});
    SWAV_REQUIRE(keep >= 1 && keep <= rows, "swav_codes: keep is %lld; 1 to %lld rows is allowed", (long long)keep,
                 (long long)rows);
    check(*config);
    std::vector<float> workspace = floats(codes_workspace(rows, prototypes));
    Communicator& group = group_of_one();
    const float* batch = scores + (rows - keep) * prototypes;
    const double spread = config->relative ? score_spread(batch, keep, prototypes, group, workspace.data()) : 0;
    const float epsilon = codes_epsilon(*config, spread);
    compute_codes(scores, rows, prototypes, keep, double(epsilon), config->iterations, group, workspace.data(), codes);
    if (epsilon_used) *epsilon_used = epsilon;
  });
}

swav_status swav_swapped_loss(const float* scores, int64_t crops, int64_t batch, int64_t prototypes, const float* codes,
                              const int32_t* assign, int32_t assign_count, float temperature, double* loss, float* gradient) {
  return api::interruptible([&] {
    const char* const function = "swav_swapped_loss";
    api::check_pointers(function, {{"scores", scores}, {"codes", codes}, {"assign", assign}, {"loss", loss}});
    api::check_count(function, "crops", crops, 2);
    api::check_count(function, "batch", batch);
    api::check_count(function, "prototypes", prototypes);
    api::check_array(function, "scores", {crops, batch, prototypes});
    SWAV_REQUIRE(assign_count >= 1 && assign_count <= SWAV_MAX_GROUPS && assign_count <= crops,
                 "%s: assign_count is %d; 1 to %d, and no more than crops, is allowed", function, assign_count,
                 SWAV_MAX_GROUPS);
    const SwappedLoss shape{crops, batch, prototypes, assign, assign_count, temperature, 1.0};
    check(shape);
    std::vector<float> workspace = floats(swapped_loss_workspace(shape));
    const double value = swapped_loss(shape, scores, codes, workspace.data(), gradient);
    if (!(value - value == 0))
      fail(SWAV_ERROR_NUMERIC, "swav_swapped_loss: the loss is not finite; finite scores and codes are needed");
    *loss = value;
  });
}

}  // extern "C"
