#include "image/exif.h"

#include <cstring>
#include <string_view>
#include <utility>

namespace swav::image {
namespace {

// Numbers of a TIFF structure, in its byte order. Callers check bounds.
struct Tiff {
  const uint8_t* bytes;
  bool little;
  uint32_t u16(size_t at) const { return little ? bytes[at] | bytes[at + 1] << 8 : bytes[at] << 8 | bytes[at + 1]; }
  uint32_t u32(size_t at) const { return little ? u16(at) | u16(at + 2) << 16 : u16(at) << 16 | u16(at + 2); }
};

// A value that means nothing is upright.
int known(uint32_t value) { return value >= 1 && value <= 8 ? int(value) : 1; }

// Of the entry of a directory that begins at `entry`.
int value_of(const Tiff& data, size_t entry) {
  const uint32_t type = data.u16(entry + 2);
  constexpr uint32_t u16 = 3, u32 = 4, i16 = 8, i32 = 9;
  if (data.u32(entry + 4) != 1) return 1;
  if (type == u16 || type == i16) return known(data.u16(entry + 8));
  return type == u32 || type == i32 ? known(data.u32(entry + 8)) : 1;
}

template <size_t N>
struct Pixel {
  uint8_t bytes[N];
};

// Where the upright pixel (x, y) is stored, as origin + x * step_x + y * step_y in pixels.
struct Walk {
  int64_t origin, step_x, step_y;
};

Walk walk(int orientation, int64_t width, int64_t height) {
  const int64_t right = width - 1, bottom = (height - 1) * width;
  switch (orientation) {
    case 2: return {right, -1, width};            // mirrored
    case 3: return {bottom + right, -1, -width};  // turned by 180 degrees
    case 4: return {bottom, 1, -width};           // mirrored top to bottom
    case 5: return {0, width, 1};                 // transposed
    case 6: return {bottom, -width, 1};           // to be turned clockwise
    case 7: return {bottom + right, -width, -1};  // transposed along the other diagonal
    case 8: return {right, width, -1};            // to be turned anticlockwise
    default: return {0, 1, width};
  }
}

template <size_t N>
void gather(const uint8_t* from, const Walk& walk, int width, int height, uint8_t* to) {
  const auto* stored = reinterpret_cast<const Pixel<N>*>(from);
  auto* upright = reinterpret_cast<Pixel<N>*>(to);
  for (int64_t y = 0; y < height; ++y) {
    const Pixel<N>* source = stored + walk.origin + y * walk.step_y;
    for (int64_t x = 0; x < width; ++x) *upright++ = source[x * walk.step_x];
  }
}

}  // namespace

int exif_orientation(const uint8_t* exif, size_t size) {
  while (size >= 6 && std::memcmp(exif, "Exif\0\0", 6) == 0) {
    exif += 6;
    size -= 6;
  }
  if (size < 14) return 0;
  const bool little = std::memcmp(exif, "II*\0", 4) == 0;
  if (!little && std::memcmp(exif, "MM\0*", 4) != 0) return 0;
  const Tiff data{exif, little};
  const size_t directory = data.u32(4);
  if (directory > size - 2) return 0;
  const size_t count = data.u16(directory);
  for (size_t i = 0; i < count; ++i) {
    const size_t entry = directory + 2 + i * 12;
    if (entry + 12 > size) return 0;
    constexpr uint32_t orientation_tag = 0x0112;
    if (data.u16(entry) == orientation_tag) return value_of(data, entry);
  }
  return 0;
}

int xmp_orientation(const uint8_t* xmp, size_t size) {
  constexpr std::string_view name = "tiff:Orientation";
  const std::string_view text(reinterpret_cast<const char*>(xmp), size);
  for (size_t at = text.find(name); at != text.npos; at = text.find(name, at + 1)) {
    std::string_view rest = text.substr(at + name.size());
    if (rest.starts_with("=\"") || rest.starts_with("='")) {
      rest.remove_prefix(2);
    } else if (rest.starts_with(">")) {
      rest.remove_prefix(1);
    } else {
      continue;
    }
    if (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') return known(uint32_t(rest[0] - '0'));
  }
  return 0;
}

// Orientations 2 to 4 mirror the stored picture; 5 to 8 mirror the transposed one, as 1 to 4 do.
Region upright_region(const Region& stored, int orientation, int width, int height) {
  Region r = stored;
  const bool mirror_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool mirror_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  if (mirror_x) r.left = width - r.left - r.width;
  if (mirror_y) r.top = height - r.top - r.height;
  if (transposes(orientation)) r = {r.top, r.left, r.height, r.width};
  return r;
}

Region stored_region(const Region& upright, int orientation, int width, int height) {
  const Region r = transposes(orientation) ? Region{upright.top, upright.left, upright.height, upright.width} : upright;
  // What is left is mirroring, which is its own inverse.
  const int mirrors[9] = {1, 1, 2, 3, 4, 1, 4, 3, 2};
  return upright_region(r, mirrors[orientation], width, height);
}

void make_upright(Image& image, int orientation, Image& scratch) {
  if (orientation <= 1 || orientation > 8) return;
  const swav_image_info& info = image.info;
  const bool swap = transposes(orientation);
  scratch.allocate(swap ? info.height : info.width, swap ? info.width : info.height, info.channels, info.bits, info.format);
  scratch.describe(info);
  const Walk steps = walk(orientation, info.width, info.height);
  const uint8_t* from = image.samples.data();
  uint8_t* to = scratch.samples.data();
  switch (info.channels * info.bits / 8) {
    case 1: gather<1>(from, steps, scratch.width(), scratch.height(), to); break;
    case 2: gather<2>(from, steps, scratch.width(), scratch.height(), to); break;
    case 3: gather<3>(from, steps, scratch.width(), scratch.height(), to); break;
    default: gather<6>(from, steps, scratch.width(), scratch.height(), to);
  }
  std::swap(image, scratch);
}

}  // namespace swav::image
