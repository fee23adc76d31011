// BMP (Windows 2 to 5, OS/2 1.x): 1, 4 and 8 bit palettes, 24 and 32 bit, uncompressed, either row order. Run-length
// and bit-field variants other than plain BGRX are refused. The reader is our own: the common libraries do not read BMP.
#include <algorithm>
#include <cstring>

#include "base/status.h"
#include "image/decode.h"

namespace swav::image {
namespace {

struct Bmp {
  int64_t width, height;
  bool bottom_up;
  int bits;
  size_t pixels_at;  // offset of the first stored row
  size_t row_bytes;
  const uint8_t* palette;
  int palette_step;  // bytes an entry
  int palette_count;
};

uint32_t u16(const uint8_t* p) { return uint32_t(p[0] | p[1] << 8); }
uint32_t u32(const uint8_t* p) { return u16(p) | u16(p + 2) << 16; }

[[noreturn]] void fail_header(const char* what, long long value) {
  fail(SWAV_ERROR_FORMAT, "BMP: the header says %s %lld", what, value);
}

void check_compression(const uint8_t* bytes, size_t header_size, int bits) {
  constexpr uint32_t uncompressed = 0, bit_fields = 3;
  const uint32_t compression = header_size >= 20 ? u32(bytes + 30) : uncompressed;
  if (compression == uncompressed) return;
  // Masks follow a 40-byte header or are part of a longer one: at offset 54 either way.
  const bool bgrx = compression == bit_fields && bits == 32 && u32(bytes + 54) == 0xFF0000 && u32(bytes + 58) == 0xFF00 &&
                    u32(bytes + 62) == 0xFF;
  if (!bgrx) fail(SWAV_ERROR_UNSUPPORTED, "BMP: compression %u with %d bits a pixel is not supported", compression, bits);
}

// Offsets: file header 14 bytes, then the information header, whose first field is its size.
Bmp parse(const uint8_t* bytes, size_t size) {
  if (size < 26) fail(SWAV_ERROR_FORMAT, "BMP: the data ends within the header");
  const size_t header_size = u32(bytes + 14);
  if (header_size != 12 && header_size < 40) fail_header("its size is", static_cast<long long>(header_size));
  // 66: as far as the fields below reach.
  if (header_size > size - 14 || (header_size >= 40 && size < 66))
    fail(SWAV_ERROR_FORMAT, "BMP: the data ends within the header");
  Bmp bmp{};
  const bool core = header_size == 12;
  const int64_t height = core ? int64_t(u16(bytes + 20)) : int64_t(int32_t(u32(bytes + 22)));
  bmp.width = core ? int64_t(u16(bytes + 18)) : int64_t(int32_t(u32(bytes + 18)));
  bmp.height = height < 0 ? -height : height;
  bmp.bottom_up = height > 0;
  bmp.bits = int(core ? u16(bytes + 24) : u16(bytes + 28));
  if (bmp.width < 1 || bmp.height < 1)
    fail(SWAV_ERROR_FORMAT, "BMP: header claims %lld x %lld pixels", static_cast<long long>(bmp.width),
         static_cast<long long>(bmp.height));
  if (bmp.bits != 1 && bmp.bits != 4 && bmp.bits != 8 && bmp.bits != 24 && bmp.bits != 32) {
    fail(SWAV_ERROR_UNSUPPORTED, "BMP: %d bits a pixel; 1, 4, 8, 24 and 32 are supported", bmp.bits);
  }
  check_compression(bytes, core ? 0 : header_size, bmp.bits);
  bmp.pixels_at = u32(bytes + 10);
  bmp.row_bytes = size_t((bmp.width * bmp.bits + 31) / 32 * 4);
  if (bmp.bits <= 8) {
    bmp.palette = bytes + 14 + header_size;
    bmp.palette_step = core ? 3 : 4;
    const size_t room = (size - 14 - header_size) / size_t(bmp.palette_step);
    const uint32_t used = core ? 0 : u32(bytes + 46);
    const uint32_t most = 1u << bmp.bits;
    bmp.palette_count = int(std::min<size_t>(room, used == 0 || used > most ? most : used));
  }
  return bmp;
}

void row_of(const Bmp& bmp, const uint8_t* stored, uint8_t* rgb) {
  for (int64_t x = 0; x < bmp.width; ++x, rgb += 3) {
    const uint8_t* bgr = stored + x * (bmp.bits / 8);
    if (bmp.bits <= 8) {
      const int shift = 8 - bmp.bits - int(x * bmp.bits % 8);
      const int index = stored[x * bmp.bits / 8] >> shift & ((1 << bmp.bits) - 1);
      static const uint8_t black[3] = {0, 0, 0};
      bgr = index < bmp.palette_count ? bmp.palette + index * bmp.palette_step : black;
    }
    rgb[0] = bgr[2];
    rgb[1] = bgr[1];
    rgb[2] = bgr[0];
  }
}

Header header_of(const Bmp& bmp) {
  Header header{};
  header.info.width = int32_t(bmp.width);
  header.info.height = int32_t(bmp.height);
  header.info.channels = 3;
  header.info.bits = 8;
  header.info.format = SWAV_FORMAT_BMP;
  header.orientation = 1;
  return header;
}

}  // namespace

Header probe_bmp(const uint8_t* bytes, size_t size) { return header_of(parse(bytes, size)); }

Header decode_bmp(const uint8_t* bytes, size_t size, const swav_decode_options& options, Image& image) {
  const Bmp bmp = parse(bytes, size);
  check_limits(bmp.width, bmp.height, options);
  const size_t needed = bmp.row_bytes * size_t(bmp.height);
  if (bmp.pixels_at > size || needed > size - bmp.pixels_at) {
    fail(SWAV_ERROR_FORMAT, "BMP: the pixels need %zu bytes from byte %zu on; the file has %zu", needed, bmp.pixels_at, size);
  }
  const Target target = target_of(3, 8, options);
  image.allocate(int(bmp.width), int(bmp.height), target.channels, 8, SWAV_FORMAT_BMP);
  thread_local Buffer memory;
  uint8_t* const rgb = memory.reserve(size_t(bmp.width) * 3);
  for (int y = 0; y < image.height(); ++y) {
    const int stored = bmp.bottom_up ? image.height() - 1 - y : y;
    row_of(bmp, bytes + bmp.pixels_at + bmp.row_bytes * size_t(stored), rgb);
    convert_row(rgb, image.width(), 3, 8, options, image, y);
  }
  return header_of(bmp);
}

}  // namespace swav::image
