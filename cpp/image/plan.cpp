#include "image/plan.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "base/status.h"

namespace swav::image {
namespace {

constexpr int max_crop_size = 8192;
constexpr float max_sigma = 64.0f;

struct Box {
  int left, top, width, height;
};

// torchvision.transforms.RandomResizedCrop.get_params: ten tries, then the largest central box whose aspect is allowed.
// std::nearbyint rounds halves to even, as Python's round does.
Box sample_box(Random& random, const swav_crop_group& group, float min_aspect, float max_aspect, int width, int height) {
  const double area = double(width) * height;
  const double low = std::log(double(min_aspect)), high = std::log(double(max_aspect));
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double target = area * random.uniform(group.min_scale, group.max_scale);
    const double aspect = std::exp(random.uniform(low, high));
    const int w = int(std::nearbyint(std::sqrt(target * aspect)));
    const int h = int(std::nearbyint(std::sqrt(target / aspect)));
    if (w > 0 && w <= width && h > 0 && h <= height) {
      const int top = int(random.below(uint32_t(height - h + 1)));
      const int left = int(random.below(uint32_t(width - w + 1)));
      return {left, top, w, h};
    }
  }
  const double aspect = double(width) / height;
  int w = width, h = height;
  if (aspect < min_aspect) h = std::clamp(int(std::nearbyint(w / double(min_aspect))), 1, height);
  if (aspect > max_aspect) w = std::clamp(int(std::nearbyint(h * double(max_aspect))), 1, width);
  return {(width - w) / 2, (height - h) / 2, w, h};
}

swav_crop_plan plain_plan(const Box& box, int size) {
  swav_crop_plan plan{};
  plan.left = box.left;
  plan.top = box.top;
  plan.width = box.width;
  plan.height = box.height;
  plan.resized_width = plan.resized_height = plan.size = size;
  for (int i = 0; i < 4; ++i) plan.color_order[i] = uint8_t(i);
  plan.color_factor[SWAV_COLOR_BRIGHTNESS] = plan.color_factor[SWAV_COLOR_CONTRAST] = plan.color_factor[SWAV_COLOR_SATURATION] =
      1;
  return plan;
}

// torchvision.transforms.ColorJitter.get_params: a fresh order, factors uniform; a strength of 0 leaves the factor neutral.
void sample_jitter(Random& random, const swav_recipe& recipe, swav_crop_plan& plan) {
  for (uint32_t i = 3; i > 0; --i) std::swap(plan.color_order[i], plan.color_order[random.below(i + 1)]);
  const float strengths[3] = {recipe.brightness, recipe.contrast, recipe.saturation};
  for (int i = 0; i < 3; ++i) {
    plan.color_factor[i] = float(random.uniform(std::max(0.0f, 1 - strengths[i]), 1 + double(strengths[i])));
  }
  plan.color_factor[SWAV_COLOR_HUE] = float(random.uniform(-recipe.hue, recipe.hue));
}

void check_size(int size) {
  SWAV_REQUIRE(size >= 1 && size <= max_crop_size, "crop size is %d; 1 to %d pixels a side is allowed", size, max_crop_size);
}

void check_image_size(int width, int height) {
  SWAV_REQUIRE(width >= 1 && height >= 1, "image is %d x %d pixels; both sides must be at least 1", width, height);
}

bool probability(float p) { return p >= 0 && p <= 1; }

}  // namespace

swav_recipe default_recipe() {
  swav_recipe recipe{};
  recipe.groups[0] = {2, 224, 0.14f, 1.0f};
  recipe.groups[1] = {6, 96, 0.05f, 0.14f};
  recipe.group_count = 2;
  recipe.channels = 3;
  recipe.min_aspect = 3.0f / 4.0f;
  recipe.max_aspect = 4.0f / 3.0f;
  recipe.flip_probability = 0.5f;
  recipe.jitter_probability = 0.8f;
  recipe.brightness = recipe.contrast = recipe.saturation = 0.8f;
  recipe.hue = 0.2f;
  recipe.grayscale_probability = 0.2f;
  recipe.blur_probability = 0.5f;
  recipe.min_sigma = 0.1f;
  recipe.max_sigma = 2.0f;
  const float mean[3] = {0.485f, 0.456f, 0.406f}, std[3] = {0.228f, 0.224f, 0.225f};
  std::copy(mean, mean + 3, recipe.mean);
  std::copy(std, std + 3, recipe.std);
  recipe.precision = SWAV_PRECISION_FAST;
  return recipe;
}

int crop_count(const swav_recipe& recipe) {
  int count = 0;
  for (int g = 0; g < recipe.group_count; ++g) count += recipe.groups[g].count;
  return count;
}

const swav_crop_group& group_of(const swav_recipe& recipe, int crop) {
  int g = 0;
  while (crop >= recipe.groups[g].count) crop -= recipe.groups[g++].count;
  return recipe.groups[g];
}

// Comparisons are written so that a NaN fails them.
void check_recipe(const swav_recipe& r) {
  SWAV_REQUIRE(r.group_count >= 1 && r.group_count <= SWAV_MAX_GROUPS, "group_count is %d; 1 to %d is allowed", r.group_count,
               SWAV_MAX_GROUPS);
  for (int g = 0; g < r.group_count; ++g) {
    const swav_crop_group& group = r.groups[g];
    SWAV_REQUIRE(group.count >= 1 && group.count <= 1024, "groups[%d].count is %d; 1 to 1024 is allowed", g, group.count);
    check_size(group.size);
    SWAV_REQUIRE(group.min_scale > 0 && group.min_scale <= group.max_scale && group.max_scale <= 1,
                 "groups[%d] takes area fractions %g to %g; 0 < min_scale <= max_scale <= 1 is allowed", g,
                 double(group.min_scale), double(group.max_scale));
  }
  SWAV_REQUIRE(r.channels == 1 || r.channels == 3, "recipe.channels is %d; 1 or 3 is allowed", r.channels);
  SWAV_REQUIRE(r.min_aspect > 1e-6f && r.min_aspect <= r.max_aspect && r.max_aspect < 1e6f,
               "aspect ratios are %g to %g; 1e-6 < min_aspect <= max_aspect < 1e6 is allowed", double(r.min_aspect),
               double(r.max_aspect));
  SWAV_REQUIRE(probability(r.flip_probability), "flip_probability is %g; 0 to 1 is allowed", double(r.flip_probability));
  SWAV_REQUIRE(probability(r.jitter_probability), "jitter_probability is %g; 0 to 1 is allowed", double(r.jitter_probability));
  SWAV_REQUIRE(probability(r.grayscale_probability), "grayscale_probability is %g; 0 to 1 is allowed",
               double(r.grayscale_probability));
  SWAV_REQUIRE(probability(r.blur_probability), "blur_probability is %g; 0 to 1 is allowed", double(r.blur_probability));
  const float strengths[3] = {r.brightness, r.contrast, r.saturation};
  const char* const names[3] = {"brightness", "contrast", "saturation"};
  for (int i = 0; i < 3; ++i) {
    SWAV_REQUIRE(strengths[i] >= 0 && strengths[i] <= 100, "%s is %g; 0 to 100 is allowed", names[i], double(strengths[i]));
  }
  SWAV_REQUIRE(r.hue >= 0 && r.hue <= 0.5f, "hue is %g; 0 to 0.5 is allowed", double(r.hue));
  SWAV_REQUIRE(r.min_sigma >= 0 && r.min_sigma <= r.max_sigma && r.max_sigma <= max_sigma,
               "blur sigmas are %g to %g; 0 <= min_sigma <= max_sigma <= %g is allowed", double(r.min_sigma),
               double(r.max_sigma), double(max_sigma));
  SWAV_REQUIRE(r.precision == SWAV_PRECISION_FAST || r.precision == SWAV_PRECISION_EXACT,
               "precision is %d; SWAV_PRECISION_FAST (0) or _EXACT (1) is allowed", int(r.precision));
  for (int c = 0; c < r.channels; ++c) {
    SWAV_REQUIRE(std::isfinite(r.mean[c]), "mean[%d] is %g; a finite number is allowed", c, double(r.mean[c]));
    SWAV_REQUIRE(r.std[c] > 0 && std::isfinite(r.std[c]), "std[%d] is %g; a finite number above 0 is allowed", c,
                 double(r.std[c]));
  }
}

swav_crop_plan sample_plan(const swav_recipe& recipe, uint64_t seed, uint64_t epoch, uint64_t sample, int crop, int image_width,
                           int image_height) {
  check_recipe(recipe);
  check_image_size(image_width, image_height);
  const int crops = crop_count(recipe);
  SWAV_REQUIRE(crop >= 0 && crop < crops, "crop is %d; this recipe has crops 0 to %d", crop, crops - 1);
  const swav_crop_group& group = group_of(recipe, crop);
  Random random(seed, Purpose::crops, epoch, sample, uint64_t(crop));
  const Box box = sample_box(random, group, recipe.min_aspect, recipe.max_aspect, image_width, image_height);
  swav_crop_plan plan = plain_plan(box, group.size);
  plan.flip = random.uniform() < recipe.flip_probability;
  plan.jitter = random.uniform() < recipe.jitter_probability;
  if (plan.jitter) sample_jitter(random, recipe, plan);
  plan.grayscale = random.uniform() < recipe.grayscale_probability;
  plan.blur = random.uniform() < recipe.blur_probability;
  if (plan.blur) plan.sigma = float(random.uniform(recipe.min_sigma, recipe.max_sigma));
  return plan;
}

swav_crop_plan centre_plan(int size, int image_width, int image_height) {
  check_size(size);
  check_image_size(image_width, image_height);
  const int shorter = int(std::nearbyint(size * 256.0 / 224.0));
  const int64_t wanted = int64_t(shorter) * std::max(image_width, image_height) / std::min(image_width, image_height);
  if (wanted > INT32_MAX) {
    fail(SWAV_ERROR_LIMIT, "image is %d x %d pixels: with a shorter side of %d the longer one would have %lld", image_width,
         image_height, shorter, static_cast<long long>(wanted));
  }
  const int longer = int(wanted);
  swav_crop_plan plan = plain_plan({0, 0, image_width, image_height}, size);
  plan.resized_width = image_width <= image_height ? shorter : longer;
  plan.resized_height = image_width <= image_height ? longer : shorter;
  plan.offset_x = int(std::nearbyint((plan.resized_width - size) / 2.0));
  plan.offset_y = int(std::nearbyint((plan.resized_height - size) / 2.0));
  return plan;
}

swav_crop_plan whole_plan(int size, int image_width, int image_height) {
  check_size(size);
  check_image_size(image_width, image_height);
  return plain_plan({0, 0, image_width, image_height}, size);
}

void check_plan(const swav_crop_plan& p, int image_width, int image_height) {
  check_size(p.size);
  SWAV_REQUIRE(p.width >= 1 && p.height >= 1 && p.left >= 0 && p.top >= 0 && p.left <= image_width - p.width &&
                   p.top <= image_height - p.height,
               "source box is %d x %d at (%d, %d); it must lie in the image of %d x %d", p.width, p.height, p.left, p.top,
               image_width, image_height);
  SWAV_REQUIRE(p.resized_width >= p.size && p.resized_height >= p.size && p.offset_x >= 0 && p.offset_y >= 0 &&
                   p.offset_x <= p.resized_width - p.size && p.offset_y <= p.resized_height - p.size,
               "window of %d pixels at (%d, %d) must lie in the resized image of %d x %d", p.size, p.offset_x, p.offset_y,
               p.resized_width, p.resized_height);
  if (p.blur)
    SWAV_REQUIRE(p.sigma >= 0 && p.sigma <= max_sigma, "sigma is %g; 0 to %g is allowed", double(p.sigma), double(max_sigma));
  if (!p.jitter) return;
  unsigned seen = 0;
  for (int i = 0; i < 4; ++i) {
    SWAV_REQUIRE(p.color_order[i] < 4, "color_order[%d] is %d; 0 to 3 is allowed", i, p.color_order[i]);
    seen |= 1u << p.color_order[i];
    const float factor = p.color_factor[i];
    const bool hue = i == SWAV_COLOR_HUE;
    SWAV_REQUIRE(hue ? factor >= -0.5f && factor <= 0.5f : factor >= 0 && factor <= 101,
                 "color_factor[%d] is %g; %s is allowed", i, double(factor), hue ? "-0.5 to 0.5" : "0 to 101");
  }
  SWAV_REQUIRE(seen == 15, "color_order must name each of the four operations once");
}

// A balanced Feistel network on the smallest even number of bits that covers count; results outside 0..count-1 are put through
// it again (cycle walking: at most 4 times on average, as the domain is below 4 * count). Eight rounds, Philox as round
// function.
uint64_t epoch_order(uint64_t seed, uint64_t epoch, uint64_t count, uint64_t position) {
  if (count <= 1) return 0;
  int half = 1;
  while (half < 32 && (count - 1) >> (2 * half)) ++half;
  const uint64_t mask = (uint64_t{1} << half) - 1;
  const Random name(seed, Purpose::order, epoch, count);
  const std::array<uint32_t, 2> key = {name.bits(0), name.bits(1)};
  uint64_t value = position % count;
  do {
    uint64_t left = value >> half, right = value & mask;
    for (uint32_t round = 0; round < 8; ++round) {
      const uint64_t next = left ^ (philox({uint32_t(right), round, 0, 0}, key)[0] & mask);
      left = right;
      right = next;
    }
    value = left << half | right;
  } while (value >= count);
  return value;
}

}  // namespace swav::image
