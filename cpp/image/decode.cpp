#include "image/decode.h"

#include <utility>

#include "base/status.h"
#include "image/exif.h"
#include "image/sniff.h"

namespace swav::image {
namespace {

constexpr int64_t default_pixels = 178956970;  // twice 89,478,485: Pillow warns of more than that, and refuses twice as many

struct Codec {
  Header (*probe)(const uint8_t* bytes, size_t size);
  Header (*decode)(const uint8_t* bytes, size_t size, const swav_decode_options& options, Image& image);
};

Codec codec_of(const uint8_t* bytes, size_t size) {
  switch (sniff(bytes, size)) {
    case SWAV_FORMAT_JPEG: return {probe_jpeg, decode_jpeg};
    case SWAV_FORMAT_PNG: return {probe_png, decode_png};
    case SWAV_FORMAT_WEBP: return {probe_webp, decode_webp};
    case SWAV_FORMAT_BMP: return {probe_bmp, decode_bmp};
    case SWAV_FORMAT_PNM: return {probe_pnm, decode_pnm};
    case SWAV_FORMAT_GIF: return {probe_gif, decode_gif};
    case SWAV_FORMAT_TIFF: return {probe_tiff, decode_tiff};
    case SWAV_FORMAT_HEIC:
    case SWAV_FORMAT_AVIF: return {probe_heif, decode_heif};
    default: fail_unknown(bytes, size);
  }
}

}  // namespace

swav_decode_options default_decode_options() {
  swav_decode_options options{};
  options.channels = 3;
  options.bits = 8;
  options.max_pixels = default_pixels;
  options.max_dimension = SWAV_MAX_DIMENSION;
  for (float& level : options.background) level = -1;
  return options;
}

int decode_bits_for(int channels) { return channels == 1 ? 0 : 8; }

void check_decode_options(const swav_decode_options& o) {
  SWAV_REQUIRE(o.channels == 0 || o.channels == 1 || o.channels == 3, "options.channels is %d; 0, 1 or 3 is allowed",
               o.channels);
  SWAV_REQUIRE(o.bits == 0 || o.bits == 8, "options.bits is %d; 0 or 8 is allowed", o.bits);
  SWAV_REQUIRE(o.max_pixels >= 1 && o.max_pixels <= SWAV_MAX_PIXELS, "options.max_pixels is %lld; 1 to %lld is allowed",
               static_cast<long long>(o.max_pixels), static_cast<long long>(SWAV_MAX_PIXELS));
  SWAV_REQUIRE(o.max_dimension >= 1 && o.max_dimension <= SWAV_MAX_DIMENSION, "options.max_dimension is %d; 1 to %d is allowed",
               o.max_dimension, SWAV_MAX_DIMENSION);
  for (int c = 0; c < 3; ++c) {
    SWAV_REQUIRE(o.background[c] <= 1, "options.background[%d] is %g; 0 to 1, or below 0 to drop alpha, is allowed", c,
                 double(o.background[c]));
  }
}

void check_limits(int64_t width, int64_t height, const swav_decode_options& options) {
  const auto w = static_cast<long long>(width), h = static_cast<long long>(height);
  if (width < 1 || height < 1) fail(SWAV_ERROR_FORMAT, "header claims %lld x %lld pixels", w, h);
  if (width > options.max_dimension || height > options.max_dimension) {
    fail(SWAV_ERROR_LIMIT, "image is %lld x %lld pixels; the limit is %d a side", w, h, options.max_dimension);
  }
  if (width * height > options.max_pixels) {
    fail(SWAV_ERROR_LIMIT, "image is %lld x %lld pixels; the limit is %lld pixels in all (max-pixels)", w, h,
         static_cast<long long>(options.max_pixels));
  }
}

swav_image_info probe(const uint8_t* bytes, size_t size) {
  Header header = codec_of(bytes, size).probe(bytes, size);
  if (transposes(header.orientation)) std::swap(header.info.width, header.info.height);
  return header.info;
}

void decode(const uint8_t* bytes, size_t size, const swav_decode_options& options, Image& image) {
  check_decode_options(options);
  const Header header = codec_of(bytes, size).decode(bytes, size, options, image);
  image.describe(header.info);
  if (header.orientation > 1) {
    thread_local Image scratch;
    const Trim trim(scratch.samples);
    make_upright(image, header.orientation, scratch);
  }
}

}  // namespace swav::image
