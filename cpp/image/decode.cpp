#include "image/decode.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "base/status.h"
#include "image/color.h"
#include "image/exif.h"

namespace swav::image {
namespace {

constexpr int max_side = 65500;           // JPEG's own limit
constexpr int64_t max_pixels = 89478485;  // above this Pillow warns of a decompression bomb

bool starts_with(const uint8_t* bytes, size_t size, const char* magic, size_t length) {
  return size >= length && std::memcmp(bytes, magic, length) == 0;
}

bool is_webp(const uint8_t* bytes, size_t size) {
  return size >= 12 && std::memcmp(bytes, "RIFF", 4) == 0 && std::memcmp(bytes + 8, "WEBP", 4) == 0;
}

// What an unknown file is, for the message.
const char* guess(const uint8_t* bytes, size_t size) {
  if (size == 0) return "the file is empty";
  if (starts_with(bytes, size, "GIF8", 4)) return "this is a GIF";
  if (starts_with(bytes, size, "II*\0", 4) || starts_with(bytes, size, "MM\0*", 4)) return "this is a TIFF";
  if (starts_with(bytes, size, "%PDF", 4)) return "this is a PDF";
  if (starts_with(bytes, size, "PK\x03\x04", 4)) return "this is a zip archive";
  if (starts_with(bytes, size, "<", 1)) return "this looks like HTML or XML";
  if (size >= 12 && std::memcmp(bytes + 4, "ftyp", 4) == 0) return "this is an ISO media file (HEIC, AVIF or video)";
  size_t zeros = 0;
  while (zeros < size && bytes[zeros] == 0) ++zeros;
  return zeros == size ? "every byte is zero" : "no known signature";
}

[[noreturn]] void fail_unknown(const uint8_t* bytes, size_t size) {
  fail(SWAV_ERROR_FORMAT, "not an image that can be read: %s; JPEG, PNG, WebP, BMP and PNM are supported", guess(bytes, size));
}

template <class S>
struct Color {
  S r, g, b;
};

// Stored pixel -> colour at stored depth, laid over the background where that is asked for.
template <class S, int C>
Color<S> color_of(const S* p, const Color<S>* background) {
  Color<S> color = C >= 3 ? Color<S>{p[0], p[C >= 3 ? 1 : 0], p[C >= 3 ? 2 : 0]} : Color<S>{p[0], p[0], p[0]};
  if ((C == 2 || C == 4) && background) {
    constexpr uint64_t maximum = S(~S(0));
    const uint64_t alpha = p[C - 1];
    const auto over = [alpha](S front, S back) {
      return S((front * alpha + back * (maximum - alpha) + maximum / 2) / maximum);
    };
    color = {over(color.r, background->r), over(color.g, background->g), over(color.b, background->b)};
  }
  return color;
}

template <class S, class D, int C>
void convert(const S* stored, int width, int target_channels, const Color<S>* background, D* row) {
  const auto depth = [](S v) {
    if constexpr (sizeof(S) == 2 && sizeof(D) == 1) return reduced(v);
    return D(v);
  };
  for (int x = 0; x < width; ++x) {
    const Color<S> color = color_of<S, C>(stored + int64_t(x) * C, background);
    if (target_channels == 3) {
      row[0] = depth(color.r);
      row[1] = depth(color.g);
      row[2] = depth(color.b);
      row += 3;
    } else {
      *row++ = C <= 2 ? depth(color.r) : luminance(depth(color.r), depth(color.g), depth(color.b));
    }
  }
}

template <class S, class D>
void convert(const S* stored, int width, int channels, int target_channels, const Color<S>* background, D* row) {
  switch (channels) {
    case 1: return convert<S, D, 1>(stored, width, target_channels, background, row);
    case 2: return convert<S, D, 2>(stored, width, target_channels, background, row);
    case 3: return convert<S, D, 3>(stored, width, target_channels, background, row);
    default: return convert<S, D, 4>(stored, width, target_channels, background, row);
  }
}

}  // namespace

swav_decode_options default_decode_options() {
  swav_decode_options options{};
  options.channels = 3;
  options.bits = 8;
  options.max_pixels = max_pixels;
  options.max_dimension = max_side;
  for (float& level : options.background) level = -1;
  return options;
}

int decode_bits_for(int channels) { return channels == 1 ? 0 : 8; }

void check_decode_options(const swav_decode_options& o) {
  SWAV_REQUIRE(o.channels == 0 || o.channels == 1 || o.channels == 3, "options.channels is %d; 0, 1 or 3 is allowed",
               o.channels);
  SWAV_REQUIRE(o.bits == 0 || o.bits == 8, "options.bits is %d; 0 or 8 is allowed", o.bits);
  SWAV_REQUIRE(o.max_pixels >= 1, "options.max_pixels is %lld; at least 1 is allowed", static_cast<long long>(o.max_pixels));
  SWAV_REQUIRE(o.max_dimension >= 1 && o.max_dimension <= 1 << 20, "options.max_dimension is %d; 1 to %d is allowed",
               o.max_dimension, 1 << 20);
  for (int c = 0; c < 3; ++c) {
    SWAV_REQUIRE(o.background[c] <= 1, "options.background[%d] is %g; 0 to 1, or below 0 to drop alpha, is allowed", c,
                 double(o.background[c]));
  }
}

swav_image_format sniff(const uint8_t* bytes, size_t size) {
  if (starts_with(bytes, size, "\xFF\xD8\xFF", 3)) return SWAV_FORMAT_JPEG;
  if (starts_with(bytes, size, "\x89PNG\r\n\x1A\n", 8)) return SWAV_FORMAT_PNG;
  if (is_webp(bytes, size)) return SWAV_FORMAT_WEBP;
  if (starts_with(bytes, size, "BM", 2)) return SWAV_FORMAT_BMP;
  if (size >= 3 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6' && std::strchr(" \t\r\n#", bytes[2]))
    return SWAV_FORMAT_PNM;
  return SWAV_FORMAT_UNKNOWN;
}

void check_limits(int64_t width, int64_t height, const swav_decode_options& options) {
  if (width < 1 || height < 1) {
    fail(SWAV_ERROR_FORMAT, "header claims %lld x %lld pixels", static_cast<long long>(width), static_cast<long long>(height));
  }
  if (width > options.max_dimension || height > options.max_dimension) {
    fail(SWAV_ERROR_LIMIT, "image is %lld x %lld pixels; the limit is %d a side", static_cast<long long>(width),
         static_cast<long long>(height), options.max_dimension);
  }
  if (width * height > options.max_pixels) {
    fail(SWAV_ERROR_LIMIT, "image is %lld x %lld pixels; the limit is %lld pixels in all", static_cast<long long>(width),
         static_cast<long long>(height), static_cast<long long>(options.max_pixels));
  }
}

Target target_of(int stored_channels, int stored_bits, const swav_decode_options& options) {
  return {options.channels ? options.channels : (stored_channels >= 3 ? 3 : 1), options.bits ? options.bits : stored_bits};
}

void convert_row(const void* stored, int width, int channels, int bits, const swav_decode_options& options, Image& image,
                 int y) {
  const bool blend = options.background[0] >= 0 && options.background[1] >= 0 && options.background[2] >= 0;
  const auto level = [&](int c, float maximum) { return std::lround(options.background[c] * maximum); };
  const int target = image.channels();
  if (bits == 16) {
    const Color<uint16_t> back = {uint16_t(level(0, 65535)), uint16_t(level(1, 65535)), uint16_t(level(2, 65535))};
    const auto* from = static_cast<const uint16_t*>(stored);
    if (image.info.bits == 16) return convert(from, width, channels, target, blend ? &back : nullptr, image.row<uint16_t>(y));
    return convert(from, width, channels, target, blend ? &back : nullptr, image.row<uint8_t>(y));
  }
  const Color<uint8_t> back = {uint8_t(level(0, 255)), uint8_t(level(1, 255)), uint8_t(level(2, 255))};
  convert(static_cast<const uint8_t*>(stored), width, channels, target, blend ? &back : nullptr, image.row<uint8_t>(y));
}

swav_image_info probe(const uint8_t* bytes, size_t size) {
  Header header;
  switch (sniff(bytes, size)) {
    case SWAV_FORMAT_JPEG: header = probe_jpeg(bytes, size); break;
    case SWAV_FORMAT_PNG: header = probe_png(bytes, size); break;
    case SWAV_FORMAT_WEBP: header = probe_webp(bytes, size); break;
    case SWAV_FORMAT_BMP: header = probe_bmp(bytes, size); break;
    case SWAV_FORMAT_PNM: header = probe_pnm(bytes, size); break;
    default: fail_unknown(bytes, size);
  }
  if (transposes(header.orientation)) std::swap(header.info.width, header.info.height);
  return header.info;
}

void decode(const uint8_t* bytes, size_t size, const swav_decode_options& options, Image& image) {
  check_decode_options(options);
  int orientation = 1;
  switch (sniff(bytes, size)) {
    case SWAV_FORMAT_JPEG: orientation = decode_jpeg(bytes, size, options, image); break;
    case SWAV_FORMAT_PNG: orientation = decode_png(bytes, size, options, image); break;
    case SWAV_FORMAT_WEBP: orientation = decode_webp(bytes, size, options, image); break;
    case SWAV_FORMAT_BMP: orientation = decode_bmp(bytes, size, options, image); break;
    case SWAV_FORMAT_PNM: orientation = decode_pnm(bytes, size, options, image); break;
    default: fail_unknown(bytes, size);
  }
  if (orientation > 1) {
    thread_local Image scratch;
    const Trim trim(scratch.samples);
    make_upright(image, orientation, scratch);
  }
}

}  // namespace swav::image
