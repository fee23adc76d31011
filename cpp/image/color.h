// Colour operations with Pillow's arithmetic, in place on dense pixels. Samples are uint8_t or uint16_t; for 16 bit, which
// Pillow's enhancers do not take, the same formulas run over 0..65535.
#pragma once

#include <cstdint>

namespace swav::image {

// Luminance: (19595 R + 38470 G + 7471 B + 32768) >> 16 (ITU-R 601-2).
template <class T>
T luminance(T r, T g, T b) {
  return T((uint64_t(r) * 19595 + uint64_t(g) * 38470 + uint64_t(b) * 7471 + 0x8000) >> 16);
}

// blend(degenerate, image, factor) = degenerate + factor * (image - degenerate): truncated for a factor in [0, 1], else clipped
// as well; factor 1 leaves the pixels as they are. The degenerate image is black (brightness), the rounded mean luminance
// (contrast), or the pixel's own luminance (saturation; nothing to do for one channel).
template <class T>
void adjust_brightness(T* pixels, int64_t count, int channels, float factor);
template <class T>
void adjust_contrast(T* pixels, int64_t count, int channels, float factor);
template <class T>
void adjust_saturation(T* pixels, int64_t count, int channels, float factor);

// RGB -> HSV in samples, hue plus int(shift * maximum) modulo maximum + 1, back. shift in [-0.5, 0.5]. Only for 3 channels.
// Neutral factors are not special here: the conversion itself rounds.
template <class T>
void adjust_hue(T* pixels, int64_t count, int channels, float shift);

// Luminance in all three channels; nothing to do for one.
template <class T>
void to_grayscale(T* pixels, int64_t count, int channels);

// Mirrors each row of `width` pixels.
template <class T>
void flip_rows(T* pixels, int width, int height, int channels);

}  // namespace swav::image
