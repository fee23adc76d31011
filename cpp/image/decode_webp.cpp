// WebP through libwebp: lossy and lossless pictures, and the first frame of animations.
#include <webp/decode.h>
#include <webp/demux.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/status.h"
#include "image/decode.h"
#include "image/exif.h"

namespace swav::image {
namespace {

uint32_t u32(const uint8_t* p) { return p[0] | p[1] << 8 | p[2] << 16 | uint32_t(p[3]) << 24; }

struct Bytes {
  const uint8_t* data;
  size_t size;
};

// Calls visit(name, data) for each chunk of a RIFF container from `at` on, as far as they are whole.
template <class F>
void for_each_chunk(Bytes riff, size_t at, F&& visit) {
  while (at + 8 <= riff.size) {
    const size_t length = u32(riff.data + at + 4);
    if (length > riff.size - at - 8) return;
    visit(reinterpret_cast<const char*>(riff.data + at), Bytes{riff.data + at + 8, length});
    at += 8 + length + (length & 1);
  }
}

WebPBitstreamFeatures features_of(const uint8_t* bytes, size_t size) {
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(bytes, size, &features) != VP8_STATUS_OK)
    fail(SWAV_ERROR_FORMAT, "WebP: the header is damaged or incomplete");
  return features;
}

Header header_of(const uint8_t* bytes, size_t size, const WebPBitstreamFeatures& features) {
  Orientation orientation;
  int frames = 0;
  for_each_chunk({bytes, size}, 12, [&](const char* name, Bytes chunk) {
    if (std::memcmp(name, "EXIF", 4) == 0 && !orientation.exif) orientation.exif = exif_orientation(chunk.data, chunk.size);
    if (std::memcmp(name, "XMP ", 4) == 0 && !orientation.xmp) orientation.xmp = xmp_orientation(chunk.data, chunk.size);
    frames += std::memcmp(name, "ANMF", 4) == 0;
  });
  Header header{};
  header.info.width = features.width;
  header.info.height = features.height;
  header.info.channels = 3;
  header.info.bits = 8;
  header.info.format = SWAV_FORMAT_WEBP;
  header.info.has_alpha = features.has_alpha;
  header.info.has_more = frames > 1;
  header.orientation = orientation.value();
  return header;
}

// The first frame of an animation, as libwebp's own player begins: on a transparent canvas. `bytes` of a still picture are all
// of it.
struct Frame {
  Bytes bytes;
  int left = 0, top = 0, width, height;
};

struct Demuxer {
  WebPDemuxer* demuxer = nullptr;
  WebPIterator iterator{};
  ~Demuxer() {
    WebPDemuxReleaseIterator(&iterator);
    WebPDemuxDelete(demuxer);
  }
  Frame first_frame(const uint8_t* bytes, size_t size) {
    const WebPData data = {bytes, size};
    demuxer = WebPDemux(&data);
    if (!demuxer || !WebPDemuxGetFrame(demuxer, 1, &iterator) || !iterator.complete)
      fail(SWAV_ERROR_FORMAT, "WebP: the animation is damaged or ends early");
    return {{iterator.fragment.bytes, iterator.fragment.size},
            iterator.x_offset,
            iterator.y_offset,
            iterator.width,
            iterator.height};
  }
};

// A download that was broken off may end in zeros, which lossy decoding takes for pixels. Zeros by nature, a flat area that
// costs nothing, would be 185 megapixels large before they fill so many bytes.
void check_tail(Bytes frame, size_t first_chunk) {
  constexpr size_t suspicious = 1024;
  for_each_chunk(frame, first_chunk, [](const char* name, Bytes chunk) {
    if (std::memcmp(name, "VP8 ", 4) != 0 || chunk.size < 2 * suspicious) return;
    const uint8_t* end = chunk.data + chunk.size;
    if (std::all_of(end - suspicious, end, [](uint8_t byte) { return byte == 0; }))
      fail(SWAV_ERROR_FORMAT, "WebP: the data end in zeros, as of a download that was broken off");
  });
}

void decode_into(const Frame& frame, bool alpha, uint8_t* pixels) {
  const size_t row_bytes = size_t(frame.width) * (alpha ? 4 : 3);
  const auto into = alpha ? WebPDecodeRGBAInto : WebPDecodeRGBInto;
  if (!into(frame.bytes.data, frame.bytes.size, pixels, row_bytes * size_t(frame.height), int(row_bytes)))
    fail(SWAV_ERROR_FORMAT, "WebP: the data is damaged or ends early");
}

}  // namespace

Header probe_webp(const uint8_t* bytes, size_t size) { return header_of(bytes, size, features_of(bytes, size)); }

Header decode_webp(const uint8_t* bytes, size_t size, const swav_decode_options& options, Image& image) {
  const WebPBitstreamFeatures features = features_of(bytes, size);
  const Header header = header_of(bytes, size, features);
  const int width = features.width, height = features.height;
  check_limits(width, height, options);
  Demuxer demuxer;
  const Frame frame = features.has_animation ? demuxer.first_frame(bytes, size) : Frame{{bytes, size}, 0, 0, width, height};
  check_tail(frame.bytes, features.has_animation ? 0 : 12);
  const bool whole = frame.width == width && frame.height == height;
  const Target target = target_of(3, 8, options);
  image.allocate(width, height, target.channels, 8, SWAV_FORMAT_WEBP);
  const bool alpha = blends(options) && (features.has_alpha || !whole);
  if (whole && !alpha && target.channels == 3) {
    decode_into(frame, false, image.samples.data());
    return header;
  }
  const size_t pixel = alpha ? 4 : 3, frame_row = size_t(frame.width) * pixel;
  thread_local Buffer pixels, canvas_row;
  const Trim trim(pixels);
  decode_into(frame, alpha, pixels.reserve(frame_row * size_t(frame.height)));
  uint8_t* const row = canvas_row.reserve(size_t(width) * pixel);
  std::memset(row, 0, size_t(width) * pixel);
  for (int y = 0; y < height; ++y) {
    const int inside = y - frame.top;
    uint8_t* const part = row + size_t(frame.left) * pixel;
    if (inside >= 0 && inside < frame.height) std::memcpy(part, pixels.data() + frame_row * size_t(inside), frame_row);
    else std::memset(part, 0, frame_row);
    convert_row(row, width, int(pixel), 8, options, image, y);
  }
  return header;
}

}  // namespace swav::image
