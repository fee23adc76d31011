// WebP through libwebp: lossy and lossless still pictures.
#include <webp/decode.h>

#include <cstring>

#include "base/status.h"
#include "image/decode.h"
#include "image/exif.h"

namespace swav::image {
namespace {

uint32_t u32(const uint8_t* p) { return p[0] | p[1] << 8 | p[2] << 16 | uint32_t(p[3]) << 24; }

// The EXIF chunk of the RIFF container, if there is one.
int orientation_of(const uint8_t* bytes, size_t size) {
  for (size_t at = 12; at + 8 <= size;) {
    const size_t length = u32(bytes + at + 4);
    if (length > size - at - 8) return 1;
    if (std::memcmp(bytes + at, "EXIF", 4) == 0) return exif_orientation(bytes + at + 8, length);
    at += 8 + length + (length & 1);
  }
  return 1;
}

WebPBitstreamFeatures features_of(const uint8_t* bytes, size_t size) {
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(bytes, size, &features) != VP8_STATUS_OK)
    fail(SWAV_ERROR_FORMAT, "WebP: the header is damaged or incomplete");
  return features;
}

}  // namespace

Header probe_webp(const uint8_t* bytes, size_t size) {
  const WebPBitstreamFeatures features = features_of(bytes, size);
  return {{features.width, features.height, 3, 8, SWAV_FORMAT_WEBP}, orientation_of(bytes, size)};
}

int decode_webp(const uint8_t* bytes, size_t size, const swav_decode_options& options, Image& image) {
  const WebPBitstreamFeatures features = features_of(bytes, size);
  check_limits(features.width, features.height, options);
  if (features.has_animation) fail(SWAV_ERROR_UNSUPPORTED, "WebP: animations are not supported");
  const Target target = target_of(3, 8, options);
  image.allocate(features.width, features.height, target.channels, 8, SWAV_FORMAT_WEBP);
  const bool alpha = features.has_alpha && options.background[0] >= 0;
  const int channels = alpha ? 4 : 3;
  const bool direct = !alpha && target.channels == 3;
  const size_t row_bytes = size_t(features.width) * size_t(channels);
  thread_local Buffer memory;
  const Trim trim(memory);
  uint8_t* const pixels = direct ? image.samples.data() : memory.reserve(row_bytes * size_t(features.height));
  const auto into = alpha ? WebPDecodeRGBAInto : WebPDecodeRGBInto;
  if (!into(bytes, size, pixels, row_bytes * size_t(features.height), int(row_bytes))) {
    fail(SWAV_ERROR_FORMAT, "WebP: the data is damaged or ends early");
  }
  if (!direct) {
    for (int y = 0; y < features.height; ++y) {
      convert_row(pixels + row_bytes * size_t(y), features.width, channels, 8, options, image, y);
    }
  }
  return orientation_of(bytes, size);
}

}  // namespace swav::image
