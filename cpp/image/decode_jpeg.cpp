// JPEG through libjpeg-turbo: accurate integer DCT and smooth upsampling, as Pillow uses it.
#include "image/decode.h"
#include "image/jpeg_reader.h"

namespace swav::image {
namespace {

// Four components are ink, stored inverted (Adobe's convention, which Pillow takes for granted): 255 is no ink.
// Pillow's cmyk2rgb: black - ink * black / 255, the division rounded.
void rgb_of_inverted_cmyk(const uint8_t* cmyk, int width, uint8_t* rgb) {
  for (int x = 0; x < width; ++x, cmyk += 4, rgb += 3) {
    const int white = cmyk[3];
    for (int c = 0; c < 3; ++c) {
      const int product = (255 - cmyk[c]) * white + 128;
      rgb[c] = uint8_t(white - ((product + (product >> 8)) >> 8));
    }
  }
}

}  // namespace

Header probe_jpeg(const uint8_t* bytes, size_t size) {
  const JpegReader reader(bytes, size);
  return {{reader.width(), reader.height(), reader.components() == 1 ? 1 : 3, 8, SWAV_FORMAT_JPEG}, reader.orientation()};
}

int decode_jpeg(const uint8_t* bytes, size_t size, const swav_decode_options& options, Image& image) {
  JpegReader reader(bytes, size);
  check_limits(reader.width(), reader.height(), options);
  const Target target = target_of(reader.components() == 1 ? 1 : 3, 8, options);
  reader.start(target.channels);
  const int width = reader.width(), height = reader.height(), channels = reader.output_channels();
  image.allocate(width, height, target.channels, 8, SWAV_FORMAT_JPEG);
  if (channels == target.channels) {
    for (int y = 0; y < height; ++y) reader.read_row(image.row<uint8_t>(y));
    return reader.orientation();
  }
  thread_local Buffer memory;
  uint8_t* const row = memory.reserve(size_t(width) * size_t(channels + 3));
  uint8_t* const rgb = channels == 4 ? row + size_t(width) * 4 : row;
  for (int y = 0; y < height; ++y) {
    reader.read_row(row);
    if (channels == 4) rgb_of_inverted_cmyk(row, width, rgb);
    convert_row(rgb, width, 3, 8, options, image, y);
  }
  return reader.orientation();
}

}  // namespace swav::image
