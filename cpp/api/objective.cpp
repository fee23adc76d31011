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

// rows * columns floats must be addressable.
void check_shape(const char* function, int64_t rows, int64_t columns) {
  SWAV_REQUIRE(rows >= 1 && columns >= 1 && rows <= (int64_t{1} << 60) / columns,
               "%s: scores are %lld x %lld; at least 1 x 1 is needed", function, (long long)rows, (long long)columns);
}

}  // namespace

extern "C" {

swav_codes_config swav_codes_config_default(void) { return {0.05f, false, 1e-3f, 3}; }

swav_status swav_codes(const float* scores, int64_t rows, int64_t prototypes, int64_t keep, const swav_codes_config* config,
                       float* codes, float* epsilon_used) {
  return api::interruptible([&] {
    SWAV_REQUIRE(scores != nullptr, "swav_codes: scores is NULL");
    SWAV_REQUIRE(config != nullptr, "swav_codes: config is NULL");
    SWAV_REQUIRE(codes != nullptr, "swav_codes: codes is NULL");
    check_shape("swav_codes", rows, prototypes);
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
    SWAV_REQUIRE(scores != nullptr, "swav_swapped_loss: scores is NULL");
    SWAV_REQUIRE(codes != nullptr, "swav_swapped_loss: codes is NULL");
    SWAV_REQUIRE(assign != nullptr, "swav_swapped_loss: assign is NULL");
    SWAV_REQUIRE(loss != nullptr, "swav_swapped_loss: loss is NULL");
    const SwappedLoss shape{crops, batch, prototypes, assign, assign_count, temperature, 1.0};
    check(shape);
    check_shape("swav_swapped_loss", crops, batch);
    check_shape("swav_swapped_loss", crops * batch, prototypes);
    std::vector<float> workspace = floats(swapped_loss_workspace(shape));
    const double value = swapped_loss(shape, scores, codes, workspace.data(), gradient);
    if (!(value - value == 0))
      fail(SWAV_ERROR_NUMERIC, "swav_swapped_loss: the loss is not finite; finite scores and codes are needed");
    *loss = value;
  });
}

}  // extern "C"
