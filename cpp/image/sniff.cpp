#include "image/sniff.h"

#include <cstring>

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

}  // namespace

swav_image_format sniff(const uint8_t* bytes, size_t size) {
  if (starts_with(bytes, size, "\xFF\xD8\xFF", 3)) return SWAV_FORMAT_JPEG;
  if (starts_with(bytes, size, "\x89PNG\r\n\x1A\n", 8)) return SWAV_FORMAT_PNG;
  if (is_webp(bytes, size)) return SWAV_FORMAT_WEBP;
  if (starts_with(bytes, size, "BM", 2)) return SWAV_FORMAT_BMP;
  if (is_pnm(bytes, size)) return SWAV_FORMAT_PNM;
  return SWAV_FORMAT_UNKNOWN;
}

void fail_unknown(const uint8_t* bytes, size_t size) {
  fail(SWAV_ERROR_FORMAT, "not an image that can be read: %s; JPEG, PNG, WebP, BMP and PNM are supported", guess(bytes, size));
}

}  // namespace swav::image
