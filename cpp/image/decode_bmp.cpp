// BMP (Windows 2 to 5, OS/2 1.x): 1, 4 and 8 bit palettes, plain or run-length coded; 16, 24 and 32 bits, as fields of any
// width where a file says so; either row order. The reader is our own: the common libraries do not read BMP.
#include <algorithm>
#include <bit>
#include <cstring>

#include "base/status.h"
#include "image/bmp_runs.h"
#include "image/decode.h"

namespace swav::image {
namespace {

enum : uint32_t { uncompressed = 0, runs_of_8 = 1, runs_of_4 = 2, bit_fields = 3 };

// Bits of a pixel that hold one channel.
struct Field {
  uint32_t mask = 0;
  int shift = 0;
  uint8_t levels[256] = {};  // of values of up to 8 bits, which nearly all fields have

  void set(uint32_t bits) {
    mask = bits;
    shift = mask ? std::countr_zero(mask) : 0;
    for (uint32_t v = 0; v < 256 && v <= mask >> shift; ++v) levels[v] = scaled(v);
  }
  // To 0..255, as Pillow: 255 v / maximum, rounded down.
  uint8_t scaled(uint32_t value) const { return mask ? uint8_t(uint64_t(value) * 255 / (mask >> shift)) : uint8_t(0); }
  uint8_t level(uint32_t pixel) const {
    const uint32_t value = (pixel & mask) >> shift;
    return value < 256 ? levels[value] : scaled(value);
  }
  bool is_contiguous() const { return mask == 0 || std::has_single_bit((mask >> std::countr_zero(mask)) + uint64_t{1}); }
};

struct Bmp {
  int64_t width, height;
  bool bottom_up;
  int bits;
  uint32_t compression;
  size_t pixels_at;  // offset of the first stored row
  size_t row_bytes;
  const uint8_t* palette;
  int palette_step;  // bytes an entry
  int palette_count;
  Field fields[4];  // red, green, blue, alpha of 16 and 32 bits

  bool has_alpha() const { return fields[3].mask != 0; }
  bool has_runs() const { return compression == runs_of_8 || compression == runs_of_4; }
};

uint32_t u16(const uint8_t* p) { return uint32_t(p[0] | p[1] << 8); }
uint32_t u32(const uint8_t* p) { return u16(p) | u16(p + 2) << 16; }

// Masks follow a header of 40 bytes or are part of a longer one: at offset 54 either way. Alpha has one from 56 bytes on.
void read_fields(const uint8_t* bytes, size_t size, size_t header_size, Bmp& bmp) {
  constexpr size_t masks_at = 54;
  if (bmp.bits == 16) bmp.fields[0].set(0x7C00), bmp.fields[1].set(0x3E0), bmp.fields[2].set(0x1F);
  if (bmp.bits == 32) bmp.fields[0].set(0xFF0000), bmp.fields[1].set(0xFF00), bmp.fields[2].set(0xFF);
  if (bmp.compression != bit_fields) return;
  const int count = header_size >= 56 ? 4 : 3;
  if (size < masks_at + size_t(count) * 4) fail(SWAV_ERROR_FORMAT, "BMP: the data ends within the header");
  for (int c = 0; c < count; ++c) {
    bmp.fields[c].set(u32(bytes + masks_at + c * 4));
    if (!bmp.fields[c].is_contiguous()) {
      fail(SWAV_ERROR_FORMAT, "BMP: mask %08x of channel %d has gaps", bmp.fields[c].mask, c);
    }
  }
}

void check_kind(const Bmp& bmp) {
  const auto is_one_of = [&](std::initializer_list<int> allowed) {
    return std::find(allowed.begin(), allowed.end(), bmp.bits) != allowed.end();
  };
  if (!is_one_of({1, 4, 8, 16, 24, 32}))
    fail(SWAV_ERROR_UNSUPPORTED, "BMP: %d bits a pixel; 1, 4, 8, 16, 24 and 32 are supported", bmp.bits);
  const bool known = bmp.compression == uncompressed || (bmp.compression == runs_of_8 && bmp.bits == 8) ||
                     (bmp.compression == runs_of_4 && bmp.bits == 4) || (bmp.compression == bit_fields && is_one_of({16, 32}));
  if (!known) {
    fail(SWAV_ERROR_UNSUPPORTED, "BMP: compression %u with %d bits a pixel is not supported", bmp.compression, bmp.bits);
  }
}

// Offsets: file header 14 bytes, then the information header, whose first field is its size.
Bmp parse(const uint8_t* bytes, size_t size) {
  if (size < 26) fail(SWAV_ERROR_FORMAT, "BMP: the data ends within the header");
  const size_t header_size = u32(bytes + 14);
  if (header_size != 12 && header_size < 40) fail(SWAV_ERROR_FORMAT, "BMP: the header says its size is %zu", header_size);
  if (header_size > size - 14) fail(SWAV_ERROR_FORMAT, "BMP: the data ends within the header");
  Bmp bmp{};
  const bool core = header_size == 12;
  const int64_t height = core ? int64_t(u16(bytes + 20)) : int64_t(int32_t(u32(bytes + 22)));
  bmp.width = core ? int64_t(u16(bytes + 18)) : int64_t(int32_t(u32(bytes + 18)));
  bmp.height = height < 0 ? -height : height;
  bmp.bottom_up = height > 0;
  bmp.bits = int(core ? u16(bytes + 24) : u16(bytes + 28));
  bmp.compression = core ? uint32_t(uncompressed) : u32(bytes + 30);
  if (bmp.width < 1 || bmp.height < 1)
    fail(SWAV_ERROR_FORMAT, "BMP: header claims %lld x %lld pixels", static_cast<long long>(bmp.width),
         static_cast<long long>(bmp.height));
  check_kind(bmp);
  read_fields(bytes, size, header_size, bmp);
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

// Index -> colour; black beyond the end of the palette.
void put_color(const Bmp& bmp, int index, uint8_t* rgb) {
  static const uint8_t black[3] = {0, 0, 0};
  const uint8_t* bgr = index < bmp.palette_count ? bmp.palette + index * bmp.palette_step : black;
  rgb[0] = bgr[2];
  rgb[1] = bgr[1];
  rgb[2] = bgr[0];
}

// A stored row -> 3 or 4 channels.
void row_of(const Bmp& bmp, const uint8_t* stored, int channels, uint8_t* row) {
  for (int64_t x = 0; x < bmp.width; ++x, row += channels) {
    if (bmp.bits <= 8) {
      const int shift = 8 - bmp.bits - int(x * bmp.bits % 8);
      put_color(bmp, stored[x * bmp.bits / 8] >> shift & ((1 << bmp.bits) - 1), row);
    } else if (bmp.bits == 24) {
      for (int c = 0; c < 3; ++c) row[c] = stored[x * 3 + 2 - c];
    } else {
      const uint32_t pixel = bmp.bits == 16 ? u16(stored + x * 2) : u32(stored + x * 4);
      for (int c = 0; c < channels; ++c) row[c] = bmp.fields[c].level(pixel);
    }
  }
}

Header header_of(const Bmp& bmp) {
  Header header{};
  header.info.width = int32_t(bmp.width);
  header.info.height = int32_t(bmp.height);
  header.info.channels = 3;
  header.info.bits = 8;
  header.info.format = SWAV_FORMAT_BMP;
  header.info.has_alpha = bmp.has_alpha();
  header.orientation = 1;
  return header;
}

}  // namespace

Header probe_bmp(const uint8_t* bytes, size_t size) { return header_of(parse(bytes, size)); }

Header decode_bmp(const uint8_t* bytes, size_t size, const swav_decode_options& options, Image& image) {
  const Bmp bmp = parse(bytes, size);
  check_limits(bmp.width, bmp.height, options);
  // The last row's padding may be missing.
  const size_t last_row = (size_t(bmp.width) * size_t(bmp.bits) + 7) / 8;
  const size_t needed = bmp.has_runs() ? 1 : bmp.row_bytes * (size_t(bmp.height) - 1) + last_row;
  if (bmp.pixels_at > size || needed > size - bmp.pixels_at) {
    fail(SWAV_ERROR_FORMAT, "BMP: the pixels need %zu bytes from byte %zu on; the file has %zu", needed, bmp.pixels_at, size);
  }
  const Target target = target_of(3, 8, options);
  image.allocate(int(bmp.width), int(bmp.height), target.channels, 8, SWAV_FORMAT_BMP);
  const int width = image.width(), height = image.height(), channels = bmp.has_alpha() && blends(options) ? 4 : 3;
  thread_local Buffer memory;
  uint8_t* const row = memory.reserve(size_t(width) * 5);
  uint8_t* const indices = row + size_t(width) * 4;
  BmpRuns runs(bytes + bmp.pixels_at, size - bmp.pixels_at, width, bmp.compression == runs_of_4);
  for (int number = 0; number < height; ++number) {
    const int y = bmp.bottom_up ? height - 1 - number : number;
    if (bmp.has_runs()) {
      runs.read_row(indices);
      for (int x = 0; x < width; ++x) put_color(bmp, indices[x], row + x * 3);
    } else {
      row_of(bmp, bytes + bmp.pixels_at + bmp.row_bytes * size_t(number), channels, row);
    }
    convert_row(row, width, channels, 8, options, image, y);
  }
  return header_of(bmp);
}

}  // namespace swav::image
