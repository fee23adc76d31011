// Bytes -> pixels. The format is recognised by content, never by name. Everything here is written for hostile input: limits are
// checked before memory is taken, damaged files end in an Error, damage that leaves the pixels whole is forgiven.
#pragma once

#include <cstddef>
#include <cstdint>

#include "image/image.h"

namespace swav::image {

swav_decode_options default_decode_options();

// What swav_decode_options.bits has to be for a network of this many channels. One channel is where instruments with more than
// 8 bits store their pictures, often in a part of the range only: those keep their samples as stored. Colours are photographs,
// which Pillow reduces to 8 bits as well.
int decode_bits_for(int channels);

// Throws SWAV_ERROR_ARGUMENT naming the first field outside its range.
void check_decode_options(const swav_decode_options& options);

// Format and upright size, from the header alone. channels and bits are those that decoding "as stored" gives.
swav_image_info probe(const uint8_t* bytes, size_t size);

// Decodes into `image`, whose memory is reused. Throws SWAV_ERROR_FORMAT, _UNSUPPORTED, _LIMIT or _MEMORY.
void decode(const uint8_t* bytes, size_t size, const swav_decode_options& options, Image& image);

// Throws SWAV_ERROR_LIMIT when a picture of this size exceeds the options, SWAV_ERROR_FORMAT when a side is 0.
void check_limits(int64_t width, int64_t height, const swav_decode_options& options);

// What a stored picture becomes: channels 1 or 3, bits 8 or 16.
struct Target {
  int channels, bits;
};
Target target_of(int stored_channels, int stored_bits, const swav_decode_options& options);

// 16 -> 8 bit: v / 257, rounded.
inline uint8_t reduced(uint16_t v) { return uint8_t((uint32_t(v) * 255 + 32895) >> 16); }

// Whether transparent pixels are laid over a background.
inline bool blends(const swav_decode_options& o) {
  return o.background[0] >= 0 && o.background[1] >= 0 && o.background[2] >= 0;
}

// A row as a library delivers it -> the target, from column x on. `channels` is 1 gray, 2 gray + alpha, 3 RGB or 4 RGBA; `bits`
// 8 or 16 in the machine's byte order. Transparent pixels are laid over options.background, or alpha is dropped without one.
void convert_row(const void* stored, int width, int channels, int bits, const swav_decode_options& options, Image& image, int y,
                 int x = 0);

// Inks as they are, 255 being full: Pillow's cmyk2rgb, black - ink * black / 255, the division rounded. In place of the inks,
// `rgb` may be `cmyk`.
void rgb_of_cmyk(const uint8_t* cmyk, int width, uint8_t* rgb);

// What a header says: the size as stored, samples as stored, and the orientation (1 to 8; 1 is upright).
struct Header {
  swav_image_info info;
  int orientation;
};

// One file a format. Decoders fill `image` with the pixels as stored, converted to the target; decode() turns them upright.
Header probe_jpeg(const uint8_t* bytes, size_t size);
Header probe_png(const uint8_t* bytes, size_t size);
Header probe_webp(const uint8_t* bytes, size_t size);
Header probe_bmp(const uint8_t* bytes, size_t size);
Header probe_pnm(const uint8_t* bytes, size_t size);
Header probe_gif(const uint8_t* bytes, size_t size);
Header probe_tiff(const uint8_t* bytes, size_t size);
Header probe_heif(const uint8_t* bytes, size_t size);
Header decode_jpeg(const uint8_t* bytes, size_t size, const swav_decode_options& options, Image& image);
Header decode_png(const uint8_t* bytes, size_t size, const swav_decode_options& options, Image& image);
Header decode_webp(const uint8_t* bytes, size_t size, const swav_decode_options& options, Image& image);
Header decode_bmp(const uint8_t* bytes, size_t size, const swav_decode_options& options, Image& image);
Header decode_pnm(const uint8_t* bytes, size_t size, const swav_decode_options& options, Image& image);
Header decode_gif(const uint8_t* bytes, size_t size, const swav_decode_options& options, Image& image);
Header decode_tiff(const uint8_t* bytes, size_t size, const swav_decode_options& options, Image& image);
Header decode_heif(const uint8_t* bytes, size_t size, const swav_decode_options& options, Image& image);

}  // namespace swav::image
