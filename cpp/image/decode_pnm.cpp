// PNM (Netpbm): P1 to P6, that is bitmap, gray and RGB, as text or binary, up to 16 bits. The reader is our own: the format is
// a line of header, and no library of note reads it.
#include <algorithm>

#include "base/status.h"
#include "image/decode.h"

namespace swav::image {
namespace {

struct Pnm {
  int64_t width, height;
  int channels;
  uint32_t maximum;   // the value of white
  bool text, bitmap;  // bitmap: 1 is black, eight pixels a byte when binary
  size_t pixels_at;

  int bits() const { return maximum > 255 ? 16 : 8; }
};

bool is_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Reads numbers, skipping white space and comments from # to the end of the line.
struct Cursor {
  const uint8_t* bytes;
  size_t size, at;

  void skip_space() {
    while (at < size && (is_space(bytes[at]) || bytes[at] == '#')) {
      if (bytes[at] == '#') {
        while (at < size && bytes[at] != '\n') ++at;
      } else {
        ++at;
      }
    }
  }
  uint32_t number() {
    skip_space();
    if (at >= size) fail(SWAV_ERROR_FORMAT, "PNM: the data ends early");
    if (bytes[at] < '0' || bytes[at] > '9') fail(SWAV_ERROR_FORMAT, "PNM: a number is expected at byte %zu", at);
    uint64_t value = 0;
    for (; at < size && bytes[at] >= '0' && bytes[at] <= '9'; ++at) {
      value = value * 10 + (bytes[at] - '0');
      if (value > 0x7FFFFFFF) fail(SWAV_ERROR_FORMAT, "PNM: the number at byte %zu is too large", at);
    }
    return uint32_t(value);
  }
  // Bits of a text bitmap may stand without spaces.
  uint32_t bit() {
    skip_space();
    if (at >= size) fail(SWAV_ERROR_FORMAT, "PNM: the data ends early");
    const uint8_t c = bytes[at++];
    if (c != '0' && c != '1') fail(SWAV_ERROR_FORMAT, "PNM: 0 or 1 is expected at byte %zu", at - 1);
    return c - '0';
  }
};

Pnm parse(const uint8_t* bytes, size_t size) {
  const int kind = bytes[1] - '0';
  Cursor cursor{bytes, size, 2};
  Pnm pnm{};
  pnm.text = kind <= 3;
  pnm.bitmap = kind == 1 || kind == 4;
  pnm.channels = kind == 3 || kind == 6 ? 3 : 1;
  pnm.width = cursor.number();
  pnm.height = cursor.number();
  pnm.maximum = pnm.bitmap ? 1 : cursor.number();
  if (pnm.maximum < 1 || pnm.maximum > 65535) fail(SWAV_ERROR_FORMAT, "PNM: maximum is %u; 1 to 65535 is allowed", pnm.maximum);
  if (pnm.width < 1 || pnm.height < 1)
    fail(SWAV_ERROR_FORMAT, "PNM: header claims %lld x %lld pixels", static_cast<long long>(pnm.width),
         static_cast<long long>(pnm.height));
  pnm.pixels_at = cursor.at + (pnm.text ? 0 : 1);  // one white-space byte ends a binary header
  return pnm;
}

// Bytes that a binary picture needs, or the least that a text can have: one character a sample.
uint64_t bytes_needed(const Pnm& pnm) {
  const uint64_t samples = uint64_t(pnm.width) * uint64_t(pnm.channels);
  const uint64_t row = pnm.text ? samples : pnm.bitmap ? (samples + 7) / 8 : samples * uint64_t(pnm.bits() / 8);
  return row * uint64_t(pnm.height);
}

// 0..maximum to the full range of the sample type, rounded.
uint32_t scaled(uint32_t value, const Pnm& pnm) {
  const uint64_t full = pnm.bits() == 16 ? 65535 : 255;
  return uint32_t((std::min(value, pnm.maximum) * full + pnm.maximum / 2) / pnm.maximum);
}

// A binary row whose samples already have the full range: bytes as they are, or words that want their bytes exchanged.
bool is_full_range(const Pnm& pnm) { return !pnm.text && !pnm.bitmap && (pnm.maximum == 255 || pnm.maximum == 65535); }

const void* full_range_row(const Pnm& pnm, const uint8_t* row, int64_t samples, uint16_t* wide) {
  if (pnm.bits() == 8) return row;
  for (int64_t i = 0; i < samples; ++i) wide[i] = uint16_t(row[i * 2] << 8 | row[i * 2 + 1]);
  return wide;
}

uint32_t text_sample(const Pnm& pnm, Cursor& cursor) {
  if (pnm.bitmap) return cursor.bit() ? 0 : 255;
  return scaled(cursor.number(), pnm);
}

uint32_t binary_sample(const Pnm& pnm, const uint8_t* row, int64_t i) {
  if (pnm.bitmap) return row[i / 8] >> (7 - i % 8) & 1 ? 0 : 255;
  return scaled(pnm.bits() == 16 ? uint32_t(row[i * 2] << 8 | row[i * 2 + 1]) : row[i], pnm);
}

Header header_of(const Pnm& pnm) {
  Header header{};
  header.info.width = int32_t(pnm.width);
  header.info.height = int32_t(pnm.height);
  header.info.channels = pnm.channels;
  header.info.bits = pnm.bits();
  header.info.format = SWAV_FORMAT_PNM;
  header.orientation = 1;
  return header;
}

}  // namespace

Header probe_pnm(const uint8_t* bytes, size_t size) { return header_of(parse(bytes, size)); }

Header decode_pnm(const uint8_t* bytes, size_t size, const swav_decode_options& options, Image& image) {
  const Pnm pnm = parse(bytes, size);
  check_limits(pnm.width, pnm.height, options);
  const uint64_t needed = bytes_needed(pnm);
  if (pnm.pixels_at > size || needed > size - pnm.pixels_at) {
    fail(SWAV_ERROR_FORMAT, "PNM: %lld x %lld pixels need at least %llu bytes from byte %zu on; the file has %zu",
         static_cast<long long>(pnm.width), static_cast<long long>(pnm.height), static_cast<unsigned long long>(needed),
         pnm.pixels_at, size);
  }
  const Target target = target_of(pnm.channels, pnm.bits(), options);
  image.allocate(int(pnm.width), int(pnm.height), target.channels, target.bits, SWAV_FORMAT_PNM);
  const int64_t samples = pnm.width * pnm.channels;
  thread_local Buffer memory;
  uint16_t* const wide = memory.reserve_as<uint16_t>(size_t(samples));
  uint8_t* const narrow = memory.data();
  Cursor cursor{bytes, size, pnm.pixels_at};
  for (int64_t y = 0; y < pnm.height; ++y) {
    const uint8_t* row = pnm.text ? nullptr : bytes + pnm.pixels_at + uint64_t(y) * (needed / uint64_t(pnm.height));
    if (is_full_range(pnm)) {
      convert_row(full_range_row(pnm, row, samples, wide), int(pnm.width), pnm.channels, pnm.bits(), options, image, int(y));
      continue;
    }
    for (int64_t i = 0; i < samples; ++i) {
      const uint32_t value = pnm.text ? text_sample(pnm, cursor) : binary_sample(pnm, row, i);
      if (pnm.bits() == 16) {
        wide[i] = uint16_t(value);
      } else {
        narrow[i] = uint8_t(value);
      }
    }
    convert_row(memory.data(), int(pnm.width), pnm.channels, pnm.bits(), options, image, int(y));
  }
  return header_of(pnm);
}

}  // namespace swav::image
