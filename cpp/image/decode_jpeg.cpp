// JPEG through libjpeg-turbo: accurate integer DCT and smooth upsampling, as Pillow uses it.
//
// Four components are inks. Adobe's programs store them inverted and add a marker; files without it mean what they say. That
// is how libvips and ImageMagick tell the two apart; Pillow takes all of them for inverted, and has the rest as negatives.
#include "image/decode.h"
#include "image/jpeg_reader.h"

namespace swav::image {
namespace {

Header header_of(const JpegReader& reader) {
  Header header{};
  header.info.width = reader.width();
  header.info.height = reader.height();
  header.info.channels = reader.components() == 1 ? 1 : 3;
  header.info.bits = 8;
  header.info.format = SWAV_FORMAT_JPEG;
  if (reader.components() == 4) header.info.inks = reader.has_adobe_marker() ? SWAV_INKS_INVERTED : SWAV_INKS_PLAIN;
  header.orientation = reader.orientation();
  return header;
}

// Rows of inks, inverted where they are stored so.
void read_inks(JpegReader& reader, int width, uint8_t* row) {
  reader.read_row(row);
  if (!reader.has_adobe_marker()) return;
  for (int i = 0; i < width * 4; ++i) row[i] = uint8_t(255 - row[i]);
}

}  // namespace

Header probe_jpeg(const uint8_t* bytes, size_t size) { return header_of(JpegReader(bytes, size)); }

Header decode_jpeg(const uint8_t* bytes, size_t size, const swav_decode_options& options, Image& image) {
  JpegReader reader(bytes, size);
  check_limits(reader.width(), reader.height(), options);
  const Header header = header_of(reader);
  const Target target = target_of(header.info.channels, 8, options);
  reader.start(target.channels);
  const int width = reader.width(), height = reader.height(), channels = reader.output_channels();
  image.allocate(width, height, target.channels, 8, SWAV_FORMAT_JPEG);
  thread_local Buffer memory;
  uint8_t* const row = memory.reserve(size_t(width) * size_t(channels));
  for (int y = 0; y < height; ++y) {
    if (channels == target.channels) {
      reader.read_row(image.row<uint8_t>(y));
      continue;
    }
    if (channels == 4) {
      read_inks(reader, width, row);
      rgb_of_cmyk(row, width, row);
    } else {
      reader.read_row(row);
    }
    convert_row(row, width, 3, 8, options, image, y);
  }
  reader.finish();
  return header;
}

}  // namespace swav::image
