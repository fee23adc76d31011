// Fact 22: the learning rate.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "swav.h"

namespace {

double rate(const swav_schedule& schedule, double step) {
  double value = NAN;
  REQUIRE_MESSAGE(swav_learning_rate(&schedule, step, &value) == SWAV_OK, swav_error_message());
  return value;
}

}  // namespace

TEST_CASE(
    "the 4096-image recipe: starts at the warm-up's start, base rate twice in a row, strictly falling after, above final") {
  const int64_t steps = 312;  // floor(ceil(1281167 / 64) / 64)
  const swav_schedule recipe{4.8, 0.0048, 0.3, 400 * steps, 10 * steps};
  CHECK(rate(recipe, 0) == 0.3);
  CHECK(rate(recipe, double(10 * steps - 1)) == 4.8);
  CHECK(rate(recipe, double(10 * steps)) == 4.8);
  CHECK(rate(recipe, 1) == doctest::Approx(0.3 + 4.5 / (10 * steps - 1)).epsilon(1e-15));
  for (int64_t t = 1; t < 10 * steps; ++t) CHECK(rate(recipe, double(t)) > rate(recipe, double(t - 1)));
  for (int64_t t = 10 * steps + 1; t < 400 * steps; ++t) CHECK(rate(recipe, double(t)) < rate(recipe, double(t - 1)));
  CHECK(rate(recipe, double(400 * steps - 1)) > 0.0048);
  CHECK(rate(recipe, double(205 * steps)) == doctest::Approx((4.8 + 0.0048) / 2).epsilon(1e-12));  // half of the cosine
}

TEST_CASE("no warm-up is a pure cosine, a warm-up of one step is its start, and nothing but warm-up is allowed") {
  const swav_schedule cosine{0.6, 0.0006, 0.3, 20, 0};
  for (int64_t t = 0; t < 20; ++t) {
    CHECK(rate(cosine, double(t)) ==
          doctest::Approx(0.0006 + 0.5 * 0.5994 * (1 + std::cos(M_PI * double(t) / 20))).epsilon(1e-14));
  }
  const swav_schedule one{1.0, 0.0, 0.25, 3, 1};
  CHECK(rate(one, 0) == 0.25);
  CHECK(rate(one, 1) == 1.0);
  const swav_schedule all{1.0, 0.0, 0.0, 6, 6};
  CHECK(rate(all, 5) == 1.0);
}

TEST_CASE("between two steps the rate lies between theirs") {
  const swav_schedule recipe{4.8, 0.0048, 0.3, 100, 10};
  for (int64_t t = 0; t < 99; ++t) {
    const double here = rate(recipe, double(t)), next = rate(recipe, double(t + 1)), between = rate(recipe, double(t) + 0.5);
    CHECK(between >= std::min(here, next));
    CHECK(between <= std::max(here, next));
  }
  CHECK(rate(recipe, 4.5) == doctest::Approx((rate(recipe, 4) + rate(recipe, 5)) / 2).epsilon(1e-15));
}

TEST_CASE("swav_learning_rate refuses steps outside the schedule and settings out of range") {
  const auto message = [](swav_schedule schedule, double step) {
    double value;
    CHECK(swav_learning_rate(&schedule, step, &value) == SWAV_ERROR_ARGUMENT);
    return std::string(swav_error_message());
  };
  CHECK(message({1, 0, 0, 30, 10}, 30) == "step is 30; this schedule has steps 0 to 29");
  CHECK(message({1, 0, 0, 30, 10}, -1) == "step is -1; this schedule has steps 0 to 29");
  CHECK(message({-1, 0, 0, 30, 10}, 0) == "base learning rate is -1; a finite number, 0 or more, is needed");
  CHECK(message({1, NAN, 0, 30, 10}, 0) == "final learning rate is nan; a finite number, 0 or more, is needed");
  CHECK(message({1, 0, 0, 0, 0}, 0) == "steps are 0; 1 to 2^53 is allowed");
  CHECK(message({1, 0, 0, 30, 40}, 0) == "warm-up steps are 40; 0 to 30 is allowed");
}
