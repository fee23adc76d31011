// Decisions of the image stage: distributions of the plans, and the order of an epoch.
#include <doctest/doctest.h>

#include <algorithm>
#include <climits>
#include <cmath>
#include <string>
#include <vector>

#include "base/status.h"
#include "image/plan.h"
#include "swav.h"

using namespace swav::image;

namespace {

// Kolmogorov-Smirnov distance of samples to the uniform distribution on [0, 1].
double distance_to_uniform(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  double worst = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    worst = std::max(worst, std::abs(samples[i] - double(i) / double(samples.size())));
    worst = std::max(worst, std::abs(samples[i] - double(i + 1) / double(samples.size())));
  }
  return worst;
}

// Exceeded with probability 1e-6 by true samples: sqrt(ln(2 / 1e-6) / 2 / n).
double ks_bound(size_t n) { return std::sqrt(std::log(2e6) / 2 / double(n)); }

// A binomial frequency is within 5 standard deviations of p with probability above 1 - 1e-6.
void check_frequency(int hits, int n, double p) {
  CAPTURE(hits);
  CHECK(std::abs(hits / double(n) - p) < 5 * std::sqrt(p * (1 - p) / n));
}

constexpr int trials = 20000;

}  // namespace

TEST_CASE("crop areas and log aspects are uniform where no box is rejected, and boxes lie in the image") {
  swav_recipe recipe = default_recipe();
  recipe.groups[0] = {1, 96, 0.05f, 0.5f};
  recipe.group_count = 1;
  std::vector<double> area, aspect;
  for (int i = 0; i < trials; ++i) {
    const swav_crop_plan plan = sample_plan(recipe, 1, 2, uint64_t(i), 0, 1600, 1600);
    CHECK(plan.left >= 0);
    CHECK(plan.top >= 0);
    CHECK(plan.left + plan.width <= 1600);
    CHECK(plan.top + plan.height <= 1600);
    area.push_back((double(plan.width) * plan.height / (1600.0 * 1600.0) - 0.05) / 0.45);
    aspect.push_back(std::log(double(plan.width) / plan.height) / (2 * std::log(4.0 / 3)) + 0.5);
  }
  // Rounding a side of at least 300 pixels moves the distributions by less than 1/600 each.
  CHECK(distance_to_uniform(area) < ks_bound(area.size()) + 1.0 / 300);
  CHECK(distance_to_uniform(aspect) < ks_bound(aspect.size()) + 1.0 / 100);
}

TEST_CASE("offsets are uniform over all places that fit") {
  swav_recipe recipe = default_recipe();
  recipe.groups[0] = {1, 96, 0.25f, 0.25f};
  recipe.group_count = 1;
  recipe.min_aspect = recipe.max_aspect = 1;
  std::vector<int> seen(6, 0);  // 5 of 10 pixels: offsets 0 to 5
  for (int i = 0; i < trials; ++i) ++seen[size_t(sample_plan(recipe, 3, 0, uint64_t(i), 0, 10, 10).left)];
  for (int count : seen) check_frequency(count, trials, 1.0 / 6);
}

TEST_CASE("an extreme image falls back to the largest central box of an allowed aspect") {
  const swav_recipe recipe = default_recipe();
  const swav_crop_plan tall = sample_plan(recipe, 0, 0, 0, 0, 6, 3000);
  CHECK(tall.width == 6);
  CHECK(tall.height == 8);
  CHECK(tall.top == (3000 - 8) / 2);
  const swav_crop_plan wide = sample_plan(recipe, 0, 0, 0, 0, 4000, 8);
  CHECK(wide.height == 8);
  CHECK(wide.width == 11);  // round(8 * 4 / 3)
  const swav_crop_plan pixel = sample_plan(recipe, 0, 0, 0, 7, 1, 1);
  CHECK(pixel.width == 1);
  CHECK(pixel.height == 1);
}

TEST_CASE(
    "flip, jitter, grayscale and blur come with probabilities 0.5, 0.8, 0.2 and 0.5; orders of jitter are equally frequent") {
  const swav_recipe recipe = default_recipe();
  int flip = 0, jitter = 0, gray = 0, blur = 0;
  std::vector<int> orders(256, 0);
  std::vector<double> sigma, brightness, hue;
  for (int i = 0; i < trials; ++i) {
    const swav_crop_plan plan = sample_plan(recipe, 31, 0, uint64_t(i), i % 8, 500, 375);
    flip += plan.flip;
    jitter += plan.jitter;
    gray += plan.grayscale;
    blur += plan.blur;
    if (plan.blur) sigma.push_back((plan.sigma - 0.1) / 1.9);
    if (!plan.jitter) continue;
    brightness.push_back((plan.color_factor[SWAV_COLOR_BRIGHTNESS] - 0.2) / 1.6);
    hue.push_back((plan.color_factor[SWAV_COLOR_HUE] + 0.2) / 0.4);
    int code = 0;
    for (uint8_t operation : plan.color_order) code = code * 4 + operation;
    ++orders[size_t(code)];
  }
  check_frequency(flip, trials, 0.5);
  check_frequency(jitter, trials, 0.8);
  check_frequency(gray, trials, 0.2);
  check_frequency(blur, trials, 0.5);
  CHECK(std::count_if(orders.begin(), orders.end(), [](int n) { return n > 0; }) == 24);
  for (int n : orders) {
    if (n > 0) check_frequency(n, jitter, 1.0 / 24);
  }
  CHECK(distance_to_uniform(sigma) < ks_bound(sigma.size()));
  CHECK(distance_to_uniform(brightness) < ks_bound(brightness.size()));
  CHECK(distance_to_uniform(hue) < ks_bound(hue.size()));
}

TEST_CASE("crops are in the order of the groups, and each decision depends on all of seed, epoch, sample and crop") {
  const swav_recipe recipe = default_recipe();
  for (int crop = 0; crop < 8; ++crop) CHECK(sample_plan(recipe, 0, 0, 0, crop, 500, 400).size == (crop < 2 ? 224 : 96));
  const auto sigma_of_box = [&](uint64_t seed, uint64_t epoch, uint64_t sample, int crop) {
    const swav_crop_plan p = sample_plan(recipe, seed, epoch, sample, crop, 50000, 40000);
    return int64_t(p.left) * 100000 + p.top;
  };
  const int64_t here = sigma_of_box(5, 6, 7, 2);
  CHECK(here == sigma_of_box(5, 6, 7, 2));
  CHECK(here != sigma_of_box(4, 6, 7, 2));
  CHECK(here != sigma_of_box(5, 5, 7, 2));
  CHECK(here != sigma_of_box(5, 6, 8, 2));
  CHECK(here != sigma_of_box(5, 6, 7, 3));
}

TEST_CASE("the centre plan is torchvision's Resize and CenterCrop") {
  const swav_crop_plan plan = centre_plan(224, 500, 375);
  CHECK(plan.resized_height == 256);
  CHECK(plan.resized_width == 341);  // int(256 * 500 / 375)
  CHECK(plan.offset_y == 16);
  CHECK(plan.offset_x == 58);  // round(58.5), halves to even
  CHECK(centre_plan(96, 100, 100).resized_width == 110);
  // Sides of pictures that no plan has numbers for.
  CHECK_THROWS_AS(centre_plan(1792, 1048576, 1), swav::Error);
  CHECK_THROWS_AS(centre_plan(224, 1, INT_MAX), swav::Error);
  swav_crop_plan bad = plan;
  bad.resized_width = INT_MIN;
  CHECK_THROWS_AS(check_plan(bad, 500, 375), swav::Error);
}

TEST_CASE("a bad recipe is refused by the name of its field") {
  swav_crop_plan plan;
  const auto refused = [&](const char* name, auto change) {
    swav_recipe recipe = swav_recipe_default();
    change(recipe);
    CAPTURE(name);
    CHECK(swav_crop_plan_sample(&recipe, 0, 0, 0, 0, 10, 10, &plan) == SWAV_ERROR_ARGUMENT);
    CHECK(std::string(swav_error_message()).find(name) != std::string::npos);
  };
  refused("group_count", [](swav_recipe& r) { r.group_count = 0; });
  refused("groups[1].count", [](swav_recipe& r) { r.groups[1].count = 0; });
  refused("crop size", [](swav_recipe& r) { r.groups[0].size = 0; });
  refused("groups[0]", [](swav_recipe& r) { r.groups[0].min_scale = 0; });
  refused("channels", [](swav_recipe& r) { r.channels = 2; });
  refused("aspect", [](swav_recipe& r) { r.min_aspect = NAN; });
  refused("aspect", [](swav_recipe& r) { r.min_aspect = r.max_aspect = 1e-30f; });
  refused("flip_probability", [](swav_recipe& r) { r.flip_probability = 1.5f; });
  refused("hue", [](swav_recipe& r) { r.hue = 0.6f; });
  refused("sigma", [](swav_recipe& r) { r.max_sigma = 0; });
  refused("std[2]", [](swav_recipe& r) { r.std[2] = 0; });
  swav_recipe recipe = swav_recipe_default();
  CHECK(swav_crop_plan_sample(&recipe, 0, 0, 0, 8, 10, 10, &plan) == SWAV_ERROR_ARGUMENT);
}

TEST_CASE("the epoch order is a permutation of every size, and differs between epochs and seeds") {
  for (uint64_t count : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 100, 1000, 4096, 4097, 65537}) {
    CAPTURE(count);
    std::vector<bool> seen(count, false);
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t sample = swav_epoch_order(1, 0, count, i);
      REQUIRE(sample < count);
      CHECK(!seen[sample]);
      seen[sample] = true;
    }
  }
  int same_epoch = 0, same_seed = 0, fixed = 0;
  for (uint64_t i = 0; i < 1000; ++i) {
    const uint64_t sample = swav_epoch_order(1, 0, 1000, i);
    fixed += sample == i;
    same_epoch += sample == swav_epoch_order(1, 1, 1000, i);
    same_seed += sample == swav_epoch_order(2, 0, 1000, i);
  }
  // Agreements of independent permutations are Poisson(1): more than 10 have probability 1e-8.
  CHECK(fixed <= 10);
  CHECK(same_epoch <= 10);
  CHECK(same_seed <= 10);
}

TEST_CASE("every sample comes to every position equally often, and neighbours are spread") {
  constexpr int count = 10;
  std::vector<int> at(count * count, 0);
  for (int epoch = 0; epoch < trials; ++epoch) {
    for (int i = 0; i < count; ++i) ++at[size_t(i * count) + swav_epoch_order(9, uint64_t(epoch), count, uint64_t(i))];
  }
  for (int n : at) check_frequency(n, trials, 1.0 / count);
  // Distance between successive samples of a long epoch: mean a third of the length, as for independent uniforms.
  constexpr uint64_t length = 1000000007;
  double total = 0;
  for (uint64_t i = 0; i < trials; ++i) {
    total +=
        std::abs(double(swav_epoch_order(9, 0, length, i)) - double(swav_epoch_order(9, 0, length, i + 1))) / double(length);
  }
  // Standard deviation of |u - v| is 1 / sqrt(18).
  CHECK(std::abs(total / trials - 1.0 / 3) < 5 / std::sqrt(18.0 * trials) * 1.5);
}

TEST_CASE("orders of very long epochs stay in range") {
  const uint64_t huge = ~uint64_t{0} - 58;
  for (uint64_t i = 0; i < 1000; ++i) CHECK(swav_epoch_order(3, 1, huge, i * 0x123456789ull) < huge);
  CHECK(swav_epoch_order(3, 1, 0, 5) == 0);
}
