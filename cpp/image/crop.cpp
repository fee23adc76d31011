#include "image/crop.h"

#include "base/status.h"
#include "image/blur.h"
#include "image/color.h"
#include "image/plan.h"
#include "image/resample.h"

namespace swav::image {
namespace {

// Scratch memory of the calling thread: grows to the largest crop and stays.
struct Scratch {
  ResizeScratch resize;
  BlurScratch blur;
  Buffer pixels;
};

Scratch& scratch() {
  thread_local Scratch instance;
  return instance;
}

template <class T>
void jitter(T* pixels, int64_t count, int channels, const swav_crop_plan& plan) {
  for (uint8_t operation : plan.color_order) {
    const float factor = plan.color_factor[operation];
    switch (operation) {
      case SWAV_COLOR_BRIGHTNESS: adjust_brightness(pixels, count, channels, factor); break;
      case SWAV_COLOR_CONTRAST: adjust_contrast(pixels, count, channels, factor); break;
      case SWAV_COLOR_SATURATION: adjust_saturation(pixels, count, channels, factor); break;
      default:
        // torchvision leaves the operation out when its strength is 0; a drawn shift is never exactly 0.
        if (factor != 0) adjust_hue(pixels, count, channels, factor);
    }
  }
}

// The samples of a crop in the image's own type, in the thread's scratch memory.
template <class T>
const T* rendered(const Image& image, const swav_crop_plan& plan) {
  check_plan(plan, image.width(), image.height());
  Scratch& memory = scratch();
  const int channels = image.channels();
  const int64_t count = int64_t(plan.size) * plan.size;
  T* const pixels = memory.pixels.reserve_as<T>(size_t(count * channels));
  const ResizeShape shape = {plan.width,    plan.height,   plan.resized_width, plan.resized_height,
                             plan.offset_x, plan.offset_y, plan.size,          channels};
  const int64_t stride = int64_t(image.width()) * channels;
  resize(image.row<T>(plan.top) + int64_t(plan.left) * channels, stride, shape, memory.resize, pixels);
  if (plan.flip) flip_rows(pixels, plan.size, plan.size, channels);
  if (plan.jitter) jitter(pixels, count, channels, plan);
  if (plan.grayscale) to_grayscale(pixels, count, channels);
  if (plan.blur) gaussian_blur(pixels, plan.size, plan.size, channels, plan.sigma, memory.blur);
  return pixels;
}

// float32 in the order of torchvision's ToTensor and Normalize.
float normalised(float sample, float maximum, float mean, float std) { return (sample / maximum - mean) / std; }

void normalise(const uint8_t* samples, int64_t count, const swav_recipe& recipe, float* pixels) {
  const int channels = recipe.channels;
  float table[3][256];
  for (int c = 0; c < channels; ++c) {
    for (int v = 0; v < 256; ++v) table[c][v] = normalised(float(v), 255, recipe.mean[c], recipe.std[c]);
  }
  if (channels == 1) {
    for (int64_t i = 0; i < count; ++i) pixels[i] = table[0][samples[i]];
    return;
  }
  for (int64_t i = 0; i < count * 3; i += 3) {
    for (int c = 0; c < 3; ++c) pixels[i + c] = table[c][samples[i + c]];
  }
}

void normalise(const uint16_t* samples, int64_t count, const swav_recipe& recipe, float* pixels) {
  for (int64_t i = 0; i < count; ++i) {
    for (int c = 0; c < recipe.channels; ++c) {
      const int64_t at = i * recipe.channels + c;
      pixels[at] = normalised(samples[at], 65535, recipe.mean[c], recipe.std[c]);
    }
  }
}

}  // namespace

void render_crop(const Image& image, const swav_crop_plan& plan, uint8_t* samples) {
  const int64_t count = int64_t(plan.size) * plan.size * image.channels();
  if (image.info.bits == 16) {
    const uint16_t* pixels = rendered<uint16_t>(image, plan);
    for (int64_t i = 0; i < count; ++i) samples[i] = reduced(pixels[i]);
  } else {
    const uint8_t* pixels = rendered<uint8_t>(image, plan);
    for (int64_t i = 0; i < count; ++i) samples[i] = pixels[i];
  }
}

void execute_crop(const Image& image, const swav_crop_plan& plan, const swav_recipe& recipe, float* pixels) {
  SWAV_REQUIRE(image.channels() == recipe.channels, "image has %d channels, the recipe %d; decode with channels %d",
               image.channels(), recipe.channels, recipe.channels);
  const int64_t count = int64_t(plan.size) * plan.size;
  if (image.info.bits == 8 && recipe.precision == SWAV_PRECISION_FAST) {
    check_plan(plan, image.width(), image.height());
    execute_crop_fast({&image}, plan, recipe, pixels);
  } else if (image.info.bits == 16) {
    normalise(rendered<uint16_t>(image, plan), count, recipe, pixels);
  } else {
    normalise(rendered<uint8_t>(image, plan), count, recipe, pixels);
  }
}

}  // namespace swav::image
