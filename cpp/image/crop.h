// Carrying plans out: pixels of a crop, before and after normalisation, and all crops of an encoded image.
#pragma once

#include <cstdint>

#include "image/decode.h"
#include "image/image.h"

namespace swav::image {

// 8-bit samples [size][size][channels]; 16-bit images are reduced at the end.
void render_crop(const Image& image, const swav_crop_plan& plan, uint8_t* samples);

// (sample / maximum - mean) / std, float32 [size][size][channels], as exactly as the recipe says.
void execute_crop(const Image& image, const swav_crop_plan& plan, const swav_recipe& recipe, float* pixels);

// What has been decoded of a picture: sample (0, 0) of the image is the mean of denominator x denominator pixels at (left,
// top).
struct Part {
  const Image* image;
  int left = 0, top = 0;
  int denominator = 1;
};

// The fast path of execute_crop for 8-bit images: the same steps by the vector kernels, on planes. The plan has been checked,
// and its box is part of what was decoded. Resize, blur and grayscale round as the exact path does; blends may be fused into
// one rounding, and hue is computed in float throughout (cpp/image/README.md has the measured difference).
void execute_crop_fast(const Part& part, const swav_crop_plan& plan, const swav_recipe& recipe, float* pixels);

// Decodes once, then plans and executes every crop of the recipe; outputs has one pointer a crop. The fast path decodes only
// what the crops need of a JPEG.
void multicrop(const uint8_t* bytes, size_t size, swav_decode_options options, const swav_recipe& recipe, uint64_t seed,
               uint64_t epoch, uint64_t sample, float* const* outputs);

}  // namespace swav::image
