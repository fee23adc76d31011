#include "image/sniff.h"

#include <algorithm>
#include <cstring>
#include <initializer_list>

#include "base/status.h"

namespace swav::image {
namespace {

bool starts_with(const uint8_t* bytes, size_t size, const char* magic, size_t length) {
  return size >= length && std::memcmp(bytes, magic, length) == 0;
}

bool is_webp(const uint8_t* bytes, size_t size) {
  return size >= 12 && std::memcmp(bytes, "RIFF", 4) == 0 && std::memcmp(bytes + 8, "WEBP", 4) == 0;
}

bool is_pnm(const uint8_t* bytes, size_t size) {
  return size >= 3 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6' && std::strchr(" \t\r\n#", bytes[2]);
}

bool is_gif(const uint8_t* bytes, size_t size) {
  return starts_with(bytes, size, "GIF87a", 6) || starts_with(bytes, size, "GIF89a", 6);
}

// Offsets of 4 bytes, or of 8 (BigTIFF); either byte order.
bool is_tiff(const uint8_t* bytes, size_t size) {
  for (const char* magic : {"II*\0", "II+\0", "MM\0*", "MM\0+"}) {
    if (starts_with(bytes, size, magic, 4)) return true;
  }
  return false;
}

// An ISO media file begins with a box "ftyp": the main brand, a version, and the brands that it is compatible with. Pictures of
// both codecs may have the main brand "mif1"; then the others tell.
swav_image_format heif_format(const uint8_t* bytes, size_t size) {
  if (size < 16 || std::memcmp(bytes + 4, "ftyp", 4) != 0) return SWAV_FORMAT_UNKNOWN;
  const size_t length = size_t(bytes[0]) << 24 | size_t(bytes[1]) << 16 | size_t(bytes[2]) << 8 | bytes[3];
  const auto has = [&](size_t at, std::initializer_list<const char*> brands) {
    return std::any_of(brands.begin(), brands.end(), [&](const char* b) { return std::memcmp(bytes + at, b, 4) == 0; });
  };
  if (has(8, {"avif", "avis"})) return SWAV_FORMAT_AVIF;
  if (has(8, {"heic", "heix", "hevc", "hevx", "heim", "heis"})) return SWAV_FORMAT_HEIC;
  if (!has(8, {"mif1", "msf1", "mif2", "miaf"})) return SWAV_FORMAT_UNKNOWN;
  for (size_t at = 16; at + 4 <= std::min({length, size, size_t{256}}); at += 4) {
    if (has(at, {"avif", "avis"})) return SWAV_FORMAT_AVIF;
  }
  return SWAV_FORMAT_HEIC;
}

// What an unknown file is, for the message.
const char* guess(const uint8_t* bytes, size_t size) {
  if (size == 0) return "the file is empty";
  if (starts_with(bytes, size, "%PDF", 4)) return "this is a PDF";
  if (starts_with(bytes, size, "PK\x03\x04", 4)) return "this is a zip archive";
  if (starts_with(bytes, size, "<", 1)) return "this looks like HTML or XML";
  if (size >= 12 && std::memcmp(bytes + 4, "ftyp", 4) == 0) return "this is a video or another ISO media file";
  size_t zeros = 0;
  while (zeros < size && bytes[zeros] == 0) ++zeros;
  return zeros == size ? "every byte is zero" : "no known signature";
}

}  // namespace

swav_image_format sniff(const uint8_t* bytes, size_t size) {
  if (starts_with(bytes, size, "\xFF\xD8\xFF", 3)) return SWAV_FORMAT_JPEG;
  if (starts_with(bytes, size, "\x89PNG\r\n\x1A\n", 8)) return SWAV_FORMAT_PNG;
  if (is_webp(bytes, size)) return SWAV_FORMAT_WEBP;
  if (starts_with(bytes, size, "BM", 2)) return SWAV_FORMAT_BMP;
  if (is_pnm(bytes, size)) return SWAV_FORMAT_PNM;
  if (is_gif(bytes, size)) return SWAV_FORMAT_GIF;
  if (is_tiff(bytes, size)) return SWAV_FORMAT_TIFF;
  return heif_format(bytes, size);
}

void fail_unknown(const uint8_t* bytes, size_t size) {
  fail(SWAV_ERROR_FORMAT,
       "not an image that can be read: %s; JPEG, PNG, WebP, TIFF, GIF, HEIC, AVIF, BMP and PNM are supported",
       guess(bytes, size));
}

}  // namespace swav::image
