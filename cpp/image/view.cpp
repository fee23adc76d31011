#include "image/view.h"

#include <algorithm>

#include "base/status.h"
#include "image/crop.h"
#include "image/plan.h"

namespace swav::image {

std::vector<float> centre_view(const uint8_t* bytes, size_t count, int size, int channels,
                               const swav_input_description& input) {
  SWAV_REQUIRE(channels == 1 || channels == 3, "this network takes %d channels; encoded images have 1 or 3", channels);
  swav_decode_options options = default_decode_options();
  options.channels = channels;
  options.bits = decode_bits_for(channels);
  swav_recipe recipe = default_recipe();
  recipe.channels = channels;
  std::copy(input.mean, input.mean + SWAV_MAX_CHANNELS, recipe.mean);
  std::copy(input.std, input.std + SWAV_MAX_CHANNELS, recipe.std);
  check_recipe(recipe);
  Image image;
  decode(bytes, count, options, image);
  const swav_crop_plan plan = centre_plan(size, image.info.width, image.info.height);
  std::vector<float> pixels(size_t(size) * size_t(size) * size_t(channels));
  execute_crop(image, plan, recipe, pixels.data());
  return pixels;
}

}  // namespace swav::image
