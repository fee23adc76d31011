#include <cstring>
#include <memory>

#include "api/api.h"
#include "image/crop.h"
#include "image/encode.h"
#include "image/moments.h"
#include "image/plan.h"

struct swav_image {
  swav::image::Image image;
};

using namespace swav;

namespace {

const uint8_t* checked_bytes(const void* bytes, size_t size, const char* function) {
  SWAV_REQUIRE(bytes != nullptr || size == 0, "%s: bytes is NULL", function);
  return static_cast<const uint8_t*>(bytes);
}

swav_decode_options options_or_default(const swav_decode_options* options) {
  return options ? *options : image::default_decode_options();
}

void check_shape(int32_t width, int32_t height, int32_t channels, const char* function) {
  constexpr int most = 65500;  // a side of a JPEG
  SWAV_REQUIRE(width >= 1 && height >= 1 && width <= most && height <= most, "%s: size is %d x %d; 1 to %d a side is allowed",
               function, width, height, most);
  SWAV_REQUIRE(channels == 1 || channels == 3, "%s: channels is %d; 1 or 3 is allowed", function, channels);
}

void deliver(const std::vector<uint8_t>& bytes, void* buffer, size_t capacity, size_t* size, const char* function) {
  *size = bytes.size();
  if (bytes.size() > capacity)
    fail(SWAV_ERROR_LIMIT, "%s: capacity is %zu bytes; %zu are needed", function, capacity, bytes.size());
  SWAV_REQUIRE(buffer != nullptr, "%s: buffer is NULL", function);
  std::memcpy(buffer, bytes.data(), bytes.size());
}

}  // namespace

extern "C" {

swav_decode_options swav_decode_options_default(void) { return image::default_decode_options(); }

swav_recipe swav_recipe_default(void) { return image::default_recipe(); }

swav_status swav_image_probe(const void* bytes, size_t size, swav_image_info* info) {
  return api::guarded([&] {
    api::check_pointers("swav_image_probe", {{"info", info}});
    *info = image::probe(checked_bytes(bytes, size, "swav_image_probe"), size);
  });
}

swav_status swav_image_decode(const void* bytes, size_t size, const swav_decode_options* options, swav_image** image) {
  return api::guarded([&] {
    api::check_pointers("swav_image_decode", {{"image", image}});
    auto result = std::make_unique<swav_image>();
    image::decode(checked_bytes(bytes, size, "swav_image_decode"), size, options_or_default(options), result->image);
    *image = result.release();
  });
}

swav_status swav_image_create(const void* samples, int32_t width, int32_t height, int32_t channels, int32_t bits,
                              swav_image** image) {
  return api::guarded([&] {
    api::check_pointers("swav_image_create", {{"samples", samples}, {"image", image}});
    check_shape(width, height, channels, "swav_image_create");
    SWAV_REQUIRE(bits == 8 || bits == 16, "swav_image_create: bits is %d; 8 or 16 is allowed", bits);
    auto result = std::make_unique<swav_image>();
    result->image.allocate(width, height, channels, bits, SWAV_FORMAT_UNKNOWN);
    std::memcpy(result->image.samples.data(), samples, result->image.size_bytes());
    *image = result.release();
  });
}

swav_status swav_image_describe(const swav_image* image, swav_image_info* info) {
  return api::guarded([&] {
    api::check_pointers("swav_image_describe", {{"image", image}, {"info", info}});
    *info = image->image.info;
  });
}

const void* swav_image_samples(const swav_image* image) { return image ? image->image.samples.data() : nullptr; }

swav_status swav_image_moments(const swav_image* image, double* mean, double* mean_square) {
  return api::guarded([&] {
    api::check_pointers("swav_image_moments", {{"image", image}, {"mean", mean}, {"mean_square", mean_square}});
    image::moments(image->image, mean, mean_square);
  });
}

void swav_image_destroy(swav_image* image) { delete image; }

swav_status swav_image_encode_jpeg(const uint8_t* samples, int32_t width, int32_t height, int32_t channels, int32_t quality,
                                   void* buffer, size_t capacity, size_t* size) {
  return api::guarded([&] {
    api::check_pointers("swav_image_encode_jpeg", {{"samples", samples}, {"size", size}});
    check_shape(width, height, channels, "swav_image_encode_jpeg");
    SWAV_REQUIRE(quality >= 1 && quality <= 100, "swav_image_encode_jpeg: quality is %d; 1 to 100 is allowed", quality);
    deliver(image::encode_jpeg(samples, width, height, channels, quality), buffer, capacity, size, "swav_image_encode_jpeg");
  });
}

swav_status swav_image_encode_png(const uint8_t* samples, int32_t width, int32_t height, int32_t channels, void* buffer,
                                  size_t capacity, size_t* size) {
  return api::guarded([&] {
    api::check_pointers("swav_image_encode_png", {{"samples", samples}, {"size", size}});
    check_shape(width, height, channels, "swav_image_encode_png");
    deliver(image::encode_png(samples, width, height, channels), buffer, capacity, size, "swav_image_encode_png");
  });
}

swav_status swav_crop_plan_sample(const swav_recipe* recipe, uint64_t seed, uint64_t epoch, uint64_t sample, int32_t crop,
                                  int32_t image_width, int32_t image_height, swav_crop_plan* plan) {
  return api::guarded([&] {
    api::check_pointers("swav_crop_plan_sample", {{"recipe", recipe}, {"plan", plan}});
    *plan = image::sample_plan(*recipe, seed, epoch, sample, crop, image_width, image_height);
  });
}

swav_status swav_crop_plan_centre(int32_t size, int32_t image_width, int32_t image_height, swav_crop_plan* plan) {
  return api::guarded([&] {
    api::check_pointers("swav_crop_plan_centre", {{"plan", plan}});
    *plan = image::centre_plan(size, image_width, image_height);
  });
}

swav_status swav_crop_plan_whole(int32_t size, int32_t image_width, int32_t image_height, swav_crop_plan* plan) {
  return api::guarded([&] {
    api::check_pointers("swav_crop_plan_whole", {{"plan", plan}});
    *plan = image::whole_plan(size, image_width, image_height);
  });
}

swav_status swav_crop_execute(const swav_image* image, const swav_crop_plan* plan, const swav_recipe* recipe, float* pixels) {
  return api::guarded([&] {
    api::check_pointers("swav_crop_execute", {{"image", image}, {"plan", plan}, {"recipe", recipe}, {"pixels", pixels}});
    image::check_recipe(*recipe);
    image::execute_crop(image->image, *plan, *recipe, pixels);
  });
}

swav_status swav_crop_render(const swav_image* image, const swav_crop_plan* plan, uint8_t* samples) {
  return api::guarded([&] {
    api::check_pointers("swav_crop_render", {{"image", image}, {"plan", plan}, {"samples", samples}});
    image::render_crop(image->image, *plan, samples);
  });
}

swav_status swav_multicrop(const void* bytes, size_t size, const swav_decode_options* options, const swav_recipe* recipe,
                           uint64_t seed, uint64_t epoch, uint64_t sample, float* const* outputs) {
  return api::guarded([&] {
    api::check_pointers("swav_multicrop", {{"recipe", recipe}, {"outputs", outputs}});
    image::check_recipe(*recipe);
    for (int v = 0; v < image::crop_count(*recipe); ++v)
      SWAV_REQUIRE(outputs[v] != nullptr, "swav_multicrop: outputs[%d] is NULL", v);
    image::multicrop(checked_bytes(bytes, size, "swav_multicrop"), size, options_or_default(options), *recipe, seed, epoch,
                     sample, outputs);
  });
}

uint64_t swav_epoch_order(uint64_t seed, uint64_t epoch, uint64_t count, uint64_t position) {
  return image::epoch_order(seed, epoch, count, position);
}

}  // extern "C"
