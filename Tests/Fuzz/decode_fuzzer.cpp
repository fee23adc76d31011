// libFuzzer target over everything that reads encoded images: probe, decode with any options, multi-crop by both paths. The
// last byte of an input says with which options. Whatever the bytes, the outcome is pixels or an Error that is not the engine's
// fault; sanitizers watch the rest.
//   make fuzz
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "base/status.h"
#include "image/crop.h"
#include "image/plan.h"

using namespace swav;
using namespace swav::image;

namespace {

// A promise is broken: libFuzzer saves the input.
void require(bool condition) {
  if (!condition) std::abort();
}

// Runs body; true when it came through. Only errors that blame the file are allowed.
template <class F>
bool survives(F&& body) {
  try {
    body();
    return true;
  } catch (const Error& error) {
    require(error.status() == SWAV_ERROR_FORMAT || error.status() == SWAV_ERROR_UNSUPPORTED ||
            error.status() == SWAV_ERROR_LIMIT);
    require(error.what()[0] != 0);
    return false;
  }
}

// Small pictures only, so that an input costs little; which options, the last byte of the input says.
swav_decode_options options_of(uint8_t choice) {
  swav_decode_options options = default_decode_options();
  options.max_pixels = 1 << 18;
  options.channels = choice & 1 ? 3 : choice & 2 ? 1 : 0;
  options.bits = choice & 4 ? 0 : 8;
  for (float& level : options.background) level = choice & 8 ? 0.25f : -1;
  return options;
}

void read_all(const Image& image) {
  uint64_t sum = 0;
  for (size_t i = 0; i < image.size_bytes(); ++i) sum += image.samples.data()[i];
  static volatile uint64_t sink;
  sink = sum;
}

void crops_of(const uint8_t* data, size_t size, const swav_decode_options& options, uint8_t choice) {
  swav_recipe recipe = default_recipe();
  recipe.groups[0] = {1, 17, 0.14f, 1.0f};
  recipe.groups[1] = {2, 8, 0.05f, 0.14f};
  recipe.channels = choice & 16 ? 1 : 3;
  recipe.precision = choice & 32 ? SWAV_PRECISION_EXACT : SWAV_PRECISION_FAST;
  std::vector<float> crops[3] = {std::vector<float>(17 * 17 * 3), std::vector<float>(8 * 8 * 3), std::vector<float>(8 * 8 * 3)};
  float* const outputs[3] = {crops[0].data(), crops[1].data(), crops[2].data()};
  survives([&] { multicrop(data, size, options, recipe, 1, 2, size, outputs); });
}

}  // namespace

// What libheif's decoders lose on damaged files is theirs, and is not found again and again.
extern "C" const char* __lsan_default_suppressions() { return "leak:libdav1d\nleak:libde265\nleak:libheif\nleak:libaom\n"; }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const uint8_t choice = size ? data[size - 1] : 0;
  const swav_decode_options options = options_of(choice);
  swav_image_info probed{};
  const bool has_header = survives([&] { probed = probe(data, size); });
  static Image image;
  if (survives([&] { decode(data, size, options, image); })) {
    require(has_header && probed.width == image.width() && probed.height == image.height());
    require(int64_t(image.width()) * image.height() <= options.max_pixels);
    read_all(image);
  }
  // Parts may serve crops where the whole is damaged.
  if (has_header) crops_of(data, size, options, choice);
  return 0;
}
