#include "image/tiff_pixels.h"

#include <algorithm>
#include <cstring>

#include "base/status.h"

namespace swav::image {
namespace {

// A colour that is multiplied by its opacity, without it: rounded down as in Pillow; where nothing is seen, black.
template <class T>
T without_alpha(T color, T alpha) {
  constexpr uint32_t maximum = T(~T(0));
  if (alpha == 0) return 0;
  return T(std::min<uint32_t>(uint32_t(color) * maximum / alpha, maximum));
}

// [256][3] from three tables of 16 bits, by their upper byte. Some writers put values of 8 bits there.
std::vector<uint8_t> palette_of(TIFF* tiff, int bits) {
  uint16_t* tables[3] = {};
  if (!TIFFGetField(tiff, TIFFTAG_COLORMAP, &tables[0], &tables[1], &tables[2]) || !tables[0] || !tables[1] || !tables[2])
    fail(SWAV_ERROR_FORMAT, "TIFF: a palette is announced and not there");
  const int count = 1 << bits;
  int shift = 0;
  for (const uint16_t* table : tables) {
    if (std::any_of(table, table + count, [](uint16_t v) { return v > 255; })) shift = 8;
  }
  std::vector<uint8_t> colors(256 * 3);
  for (int i = 0; i < count; ++i) {
    for (int c = 0; c < 3; ++c) colors[size_t(i * 3 + c)] = uint8_t(tables[c][i] >> shift);
  }
  return colors;
}

}  // namespace

TiffPixels::TiffPixels(TIFF* tiff, const TiffLayout& layout, bool alpha)
    : layout_(layout),
      alpha_(alpha && layout.alpha >= 0 && layout.colors < 4),
      bits_(layout.bits > 8 && layout.colors < 4 ? 16 : 8) {
  if (layout.is_palette()) colors_ = palette_of(tiff, layout.bits);
  channels_ = (layout.colors == 1 && !layout.is_palette() ? 1 : 3) + (alpha_ ? 1 : 0);
}

const void* TiffPixels::arrange(const uint8_t* const* rows, int64_t first, int count) {
  return layout_.bits > 8 ? arranged<uint16_t>(rows, first, count) : arranged<uint8_t>(rows, first, count);
}

// Samples number `first` on of a row -> samples[0], samples[step], ... Those of less than 8 or 16 bits are packed; levels are
// spread over the whole range, indices are not.
template <class T>
void TiffPixels::spread(const uint8_t* row, int64_t first, int64_t count, int step, T* samples) const {
  const int bits = layout_.bits;
  if (bits == 8 * int(sizeof(T))) {
    const uint8_t* from = row + first * int64_t(sizeof(T));
    for (int64_t i = 0; i < count; ++i) std::memcpy(samples + i * step, from + i * int64_t(sizeof(T)), sizeof(T));
    return;
  }
  const uint32_t maximum = (1u << bits) - 1, full = T(~T(0));
  // The bits that were read and not used yet, in the lowest places; a sample has at most 16.
  const uint8_t* next = row + first * bits / 8;
  uint32_t pending = 0;
  int available = 0;
  const int skipped = int(first * bits % 8);
  if (skipped > 0) {
    pending = *next++;
    available = 8 - skipped;
  }
  for (int64_t i = 0; i < count; ++i) {
    while (available < bits) {
      pending = pending << 8 | *next++;
      available += 8;
    }
    available -= bits;
    const uint32_t value = pending >> available & maximum;
    samples[i * step] = T(layout_.is_palette() ? value : (value * full + maximum / 2) / maximum);
  }
}

template <class T>
const void* TiffPixels::arranged(const uint8_t* const* rows, int64_t first, int count) {
  const int samples = layout_.samples;
  T* const spread_out = samples_.reserve_as<T>(size_t(count) * size_t(samples));
  if (layout_.separate) {
    for (int s = 0; s < samples; ++s) spread(rows[s], first, count, samples, spread_out + s);
  } else {
    spread(rows[0], first * samples, int64_t(count) * samples, 1, spread_out);
  }
  T* const out = out_.reserve_as<T>(size_t(count) * 4);
  pick(spread_out, count, out);
  if (layout_.colors < 4) return out;
  // Inks are of 8 bits from here on; in place, as each is written before where it is read.
  uint8_t* const inks = out_.data();
  for (int i = 0; i < count * 4; ++i) inks[i] = sizeof(T) == 2 ? reduced(uint16_t(out[i])) : uint8_t(out[i]);
  rgb_of_cmyk(inks, count, inks);
  return inks;
}

// All samples of the pixels -> the channels; of inks four.
template <class T>
void TiffPixels::pick(const T* in, int count, T* out) const {
  const int samples = layout_.samples, colors = layout_.colors, alpha = layout_.alpha;
  const T flip = layout_.photometric == PHOTOMETRIC_MINISWHITE ? T(~T(0)) : T(0);
  for (int i = 0; i < count; ++i, in += samples) {
    if (layout_.is_palette()) {
      for (int c = 0; c < 3; ++c) *out++ = colors_[size_t(in[0]) * 3 + size_t(c)];
    } else {
      for (int c = 0; c < colors; ++c) *out++ = T((layout_.multiplied ? without_alpha(in[c], in[alpha]) : in[c]) ^ flip);
    }
    if (alpha_) *out++ = in[alpha];
  }
}

}  // namespace swav::image
