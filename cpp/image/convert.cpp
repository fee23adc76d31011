// Rows as libraries deliver them -> samples of the target: channels, bits, transparency.
#include <cmath>

#include "image/color.h"
#include "image/decode.h"

namespace swav::image {
namespace {

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

Target target_of(int stored_channels, int stored_bits, const swav_decode_options& options) {
  return {options.channels ? options.channels : (stored_channels >= 3 ? 3 : 1), options.bits ? options.bits : stored_bits};
}

void convert_row(const void* stored, int width, int channels, int bits, const swav_decode_options& options, Image& image, int y,
                 int x) {
  const bool blend = blends(options);
  const auto level = [&](int c, float maximum) { return std::lround(options.background[c] * maximum); };
  const int target = image.channels();
  const size_t first = size_t(x) * size_t(target);
  // Behind gray that stays gray: how bright it is.
  const auto behind = [&](auto color) {
    if (channels == 2 && target == 1) color.r = color.g = color.b = luminance(color.r, color.g, color.b);
    return color;
  };
  if (bits == 16) {
    const auto back = behind(Color<uint16_t>{uint16_t(level(0, 65535)), uint16_t(level(1, 65535)), uint16_t(level(2, 65535))});
    const auto* from = static_cast<const uint16_t*>(stored);
    if (image.info.bits == 16)
      return convert(from, width, channels, target, blend ? &back : nullptr, image.row<uint16_t>(y) + first);
    return convert(from, width, channels, target, blend ? &back : nullptr, image.row<uint8_t>(y) + first);
  }
  const auto back = behind(Color<uint8_t>{uint8_t(level(0, 255)), uint8_t(level(1, 255)), uint8_t(level(2, 255))});
  convert(static_cast<const uint8_t*>(stored), width, channels, target, blend ? &back : nullptr, image.row<uint8_t>(y) + first);
}

void rgb_of_cmyk(const uint8_t* cmyk, int width, uint8_t* rgb) {
  for (int x = 0; x < width; ++x, cmyk += 4, rgb += 3) {
    const int white = 255 - cmyk[3];
    const uint8_t inks[3] = {cmyk[0], cmyk[1], cmyk[2]};
    for (int c = 0; c < 3; ++c) {
      const int product = inks[c] * white + 128;
      rgb[c] = uint8_t(white - ((product + (product >> 8)) >> 8));
    }
  }
}

}  // namespace swav::image
