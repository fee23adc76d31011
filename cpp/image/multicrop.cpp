// All crops of one encoded picture: plans first, then one decode of what they need, then the crops.
//
// A JPEG is decoded from the first row to the last that some crop needs, and only the columns in between; rows above are
// skipped without transforming them, rows below are not looked at. Where every crop shrinks a lot (camera photos), the decoder
// delivers means of 2 x 2, 4 x 4 or 8 x 8 pixels, which costs it less than the pixels. Of a TIFF the strips or tiles are
// decoded that some crop touches, and of these no more pixels are kept than the crops need.
#include <algorithm>
#include <utility>
#include <vector>

#include "image/crop.h"
#include "image/exif.h"
#include "image/jpeg_reader.h"
#include "image/plan.h"
#include "image/sniff.h"
#include "image/tiff_reader.h"

namespace swav::image {
namespace {

using Plans = std::vector<swav_crop_plan>;

Region union_of(const Plans& plans) {
  int left = plans[0].left, top = plans[0].top, right = left, bottom = top;
  for (const swav_crop_plan& p : plans) {
    left = std::min(left, p.left);
    top = std::min(top, p.top);
    right = std::max(right, p.left + p.width);
    bottom = std::max(bottom, p.top + p.height);
  }
  return {left, top, right - left, bottom - top};
}

// The largest reduction after which every box still has at least two samples for each output pixel, along both axes.
int denominator_of(const Plans& plans) {
  constexpr int samples_a_pixel = 2;
  int denominator = 8;
  const auto fits = [&](const swav_crop_plan& p) {
    const int64_t factor = int64_t(denominator) * samples_a_pixel;
    return p.width >= factor * p.resized_width && p.height >= factor * p.resized_height;
  };
  while (denominator > 1 && !std::all_of(plans.begin(), plans.end(), fits)) denominator /= 2;
  return denominator;
}

// Decodes `needed` of the upright picture, and turns it upright.
Part decode_part(JpegReader& reader, const Region& needed, int denominator, int channels, Image& image, Image& scratch) {
  const int width = reader.width(), height = reader.height(), orientation = reader.orientation();
  const Region stored = stored_region(needed, orientation, width, height);
  reader.start(channels, denominator);
  const auto up = [denominator](int pixel) { return (pixel + denominator - 1) / denominator; };
  Region got;
  got.left = stored.left / denominator;
  got.top = stored.top / denominator;
  got.width = up(stored.left + stored.width) - got.left;
  got.height = up(stored.top + stored.height) - got.top;
  reader.limit(got.left, got.width, got.top);
  image.allocate(got.width, got.height, channels, 8, SWAV_FORMAT_JPEG);
  for (int y = 0; y < got.height; ++y) reader.read_row(image.row<uint8_t>(y));
  make_upright(image, orientation, scratch);
  const Region covered = {got.left * denominator, got.top * denominator, got.width * denominator, got.height * denominator};
  const Region upright = upright_region(covered, orientation, width, height);
  return {&image, upright.left, upright.top, denominator};
}

// Whether a part of the file is enough: the decoder itself delivers the recipe's channels, not from inks, and not gray from
// colours; and nothing is missing at the end, which only reading all of it would show.
bool serves_parts(const JpegReader& reader, int channels) {
  return reader.has_end() && (reader.components() == 1 || (reader.components() == 3 && channels == 3));
}

// The same of a TIFF, in full resolution.
Part decode_part(TiffReader& reader, const Region& needed, const swav_decode_options& options, Image& image, Image& scratch) {
  const Header& header = reader.header();
  const Region stored = stored_region(needed, header.orientation, header.info.width, header.info.height);
  reader.read(stored, options, image);
  make_upright(image, header.orientation, scratch);
  return {&image, needed.left, needed.top};
}

}  // namespace

void multicrop(const uint8_t* bytes, size_t size, swav_decode_options options, const swav_recipe& recipe, uint64_t seed,
               uint64_t epoch, uint64_t sample, float* const* outputs) {
  check_recipe(recipe);
  options.channels = recipe.channels;
  options.bits = decode_bits_for(recipe.channels);
  check_decode_options(options);
  thread_local Image picture, scratch;
  const Trim trim_picture(picture.samples), trim_scratch(scratch.samples);
  thread_local Plans plans;
  const int crops = crop_count(recipe);
  plans.resize(size_t(crops));
  const auto decide = [&](int width, int height) {
    for (int v = 0; v < crops; ++v) plans[size_t(v)] = sample_plan(recipe, seed, epoch, sample, v, width, height);
  };
  if (recipe.precision == SWAV_PRECISION_FAST && sniff(bytes, size) == SWAV_FORMAT_JPEG) {
    JpegReader reader(bytes, size);
    check_limits(reader.width(), reader.height(), options);
    if (serves_parts(reader, recipe.channels)) {
      int width = reader.width(), height = reader.height();
      if (transposes(reader.orientation())) std::swap(width, height);
      decide(width, height);
      const Part part = decode_part(reader, union_of(plans), denominator_of(plans), recipe.channels, picture, scratch);
      for (int v = 0; v < crops; ++v) execute_crop_fast(part, plans[size_t(v)], recipe, outputs[v]);
      return;
    }
  }
  Part part = {&picture};
  if (sniff(bytes, size) == SWAV_FORMAT_TIFF) {
    TiffReader reader(bytes, size);
    const swav_image_info& info = reader.header().info;
    check_limits(info.width, info.height, options);
    const bool turned = transposes(reader.header().orientation);
    decide(turned ? info.height : info.width, turned ? info.width : info.height);
    part = decode_part(reader, union_of(plans), options, picture, scratch);
  } else {
    decode(bytes, size, options, picture);
    decide(picture.width(), picture.height());
  }
  for (int v = 0; v < crops; ++v) {
    swav_crop_plan plan = plans[size_t(v)];
    plan.left -= part.left;
    plan.top -= part.top;
    execute_crop(picture, plan, recipe, outputs[v]);
  }
}

}  // namespace swav::image
