// Decisions of the image stage: which pixels a crop takes and what is done to them, and in which order samples come. Pure
// functions of their arguments; no pixel is touched here.
#pragma once

#include <cstdint>

#include "swav.h"

namespace swav::image {

swav_recipe default_recipe();

// Number of crops V of a recipe.
int crop_count(const swav_recipe& recipe);

// The group of crop number `crop`, which is in 0..V-1.
const swav_crop_group& group_of(const swav_recipe& recipe, int crop);

// Throws SWAV_ERROR_ARGUMENT naming the first field outside its range.
void check_recipe(const swav_recipe& recipe);

// torchvision's RandomResizedCrop, then flip, ColorJitter, grayscale and blur, each with its probability (paper appendix A).
swav_crop_plan sample_plan(const swav_recipe& recipe, uint64_t seed, uint64_t epoch, uint64_t sample, int crop, int image_width,
                           int image_height);

// torchvision's Resize(round(size * 256 / 224)) and CenterCrop(size).
swav_crop_plan centre_plan(int size, int image_width, int image_height);

// The whole image to size x size, aspect ignored.
swav_crop_plan whole_plan(int size, int image_width, int image_height);

// Throws SWAV_ERROR_ARGUMENT unless the plan can be carried out on an image of this size.
void check_plan(const swav_crop_plan& plan, int image_width, int image_height);

// Position -> sample: a permutation of 0..count-1 that depends on (seed, epoch, count). 0 for an empty epoch.
uint64_t epoch_order(uint64_t seed, uint64_t epoch, uint64_t count, uint64_t position);

}  // namespace swav::image
