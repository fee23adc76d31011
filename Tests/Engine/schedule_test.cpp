// Fact 22: the learning rate.
#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "swav.h"

namespace {

double rate(const swav_schedule& schedule, int64_t step) {
  double value = NAN;
  REQUIRE_MESSAGE(swav_learning_rate(&schedule, step, &value) == SWAV_OK, swav_error_message());
  return value;
}

}  // namespace

TEST_CASE(
    "the 4096-image recipe: starts at the warm-up's start, base rate twice in a row, strictly falling after, above final") {
  const int64_t steps = 312;  // floor(ceil(1281167 / 64) / 64)
  const swav_schedule recipe{4.8, 0.0048, 0.3, steps, 400, 10};
  CHECK(rate(recipe, 0) == 0.3);
  CHECK(rate(recipe, 10 * steps - 1) == 4.8);
  CHECK(rate(recipe, 10 * steps) == 4.8);
  CHECK(rate(recipe, 1) == doctest::Approx(0.3 + 4.5 / (10 * steps - 1)).epsilon(1e-15));
  for (int64_t t = 1; t < 10 * steps; ++t) CHECK(rate(recipe, t) > rate(recipe, t - 1));
  for (int64_t t = 10 * steps + 1; t < 400 * steps; ++t) CHECK(rate(recipe, t) < rate(recipe, t - 1));
  CHECK(rate(recipe, 400 * steps - 1) > 0.0048);
  CHECK(rate(recipe, 205 * steps) == doctest::Approx((4.8 + 0.0048) / 2).epsilon(1e-12));  // half of the cosine
}

TEST_CASE("no warm-up is a pure cosine, a warm-up of one step is its start, and nothing but warm-up is allowed") {
  const swav_schedule cosine{0.6, 0.0006, 0.3, 5, 4, 0};
  for (int64_t t = 0; t < 20; ++t) {
    CHECK(rate(cosine, t) == doctest::Approx(0.0006 + 0.5 * 0.5994 * (1 + std::cos(M_PI * double(t) / 20))).epsilon(1e-14));
  }
  const swav_schedule one{1.0, 0.0, 0.25, 1, 3, 1};
  CHECK(rate(one, 0) == 0.25);
  CHECK(rate(one, 1) == 1.0);
  const swav_schedule all{1.0, 0.0, 0.0, 2, 3, 3};
  CHECK(rate(all, 5) == 1.0);
}

TEST_CASE("swav_learning_rate refuses steps outside the schedule and settings out of range") {
  const auto message = [](swav_schedule schedule, int64_t step) {
    double value;
    CHECK(swav_learning_rate(&schedule, step, &value) == SWAV_ERROR_ARGUMENT);
    return std::string(swav_error_message());
  };
  CHECK(message({1, 0, 0, 10, 3, 1}, 30) == "step is 30; this schedule has steps 0 to 29");
  CHECK(message({1, 0, 0, 10, 3, 1}, -1) == "step is -1; this schedule has steps 0 to 29");
  CHECK(message({-1, 0, 0, 10, 3, 1}, 0) == "base learning rate is -1; a finite number, 0 or more, is needed");
  CHECK(message({1, NAN, 0, 10, 3, 1}, 0) == "final learning rate is nan; a finite number, 0 or more, is needed");
  CHECK(message({1, 0, 0, 0, 3, 1}, 0) == "steps an epoch are 0; 1 to 2^31 - 1 is allowed");
  CHECK(message({1, 0, 0, 10, 3, 4}, 0) == "warm-up epochs are 4; 0 to 3 is allowed");
}
