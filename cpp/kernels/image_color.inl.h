// Kernels of the image stage that work pixel by pixel, on planes. Contracts: kernel_table.inl.h.

SWAV_INLINE vec floats(ivec v) { return __builtin_convertvector(v, vec); }
SWAV_INLINE ivec truncated(vec v) { return __builtin_convertvector(v, ivec); }
SWAV_INLINE vec lower(vec a, vec b) { return a < b ? a : b; }
SWAV_INLINE vec higher(vec a, vec b) { return a > b ? a : b; }

SWAV_INLINE ivec luminance(ivec r, ivec g, ivec b) { return (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16; }

// degenerate + factor * (sample - degenerate), truncated; storing clips.
SWAV_INLINE ivec blended(vec degenerate, vec sample, float factor) {
  return truncated(degenerate + (sample - degenerate) * factor);
}

void image_blend(uint8_t* samples, float degenerate, float factor, int64_t n) {
  const vec constant = splat(degenerate);
  for (int64_t i = 0; i < n; i += lanes)
    store_samples(samples + i, blended(constant, floats(load_samples(samples + i)), factor));
}

int64_t image_luminance_sum(const uint8_t* r, const uint8_t* g, const uint8_t* b, int64_t n) {
  int64_t total = 0;
  int64_t i = 0;
  while (i + lanes <= n) {
    // At most 2^20 vectors of samples below 2^8 stay within a lane.
    ivec part{};
    const int64_t end = n - i > (int64_t{1} << 20) * lanes ? i + (int64_t{1} << 20) * lanes : n;
    for (; i + lanes <= end; i += lanes) part += luminance(load_samples(r + i), load_samples(g + i), load_samples(b + i));
    for (int j = 0; j < lanes; ++j) total += part[j];
  }
  for (; i < n; ++i) total += (r[i] * 19595 + g[i] * 38470 + b[i] * 7471 + 0x8000) >> 16;
  return total;
}

void image_saturate(uint8_t* r, uint8_t* g, uint8_t* b, float factor, int64_t n) {
  for (int64_t i = 0; i < n; i += lanes) {
    const ivec red = load_samples(r + i), green = load_samples(g + i), blue = load_samples(b + i);
    const vec gray = floats(luminance(red, green, blue));
    store_samples(r + i, blended(gray, floats(red), factor));
    store_samples(g + i, blended(gray, floats(green), factor));
    store_samples(b + i, blended(gray, floats(blue), factor));
  }
}

void image_gray(const uint8_t* r, const uint8_t* g, const uint8_t* b, uint8_t* gray, int64_t n) {
  for (int64_t i = 0; i < n; i += lanes) {
    store_samples(gray + i, luminance(load_samples(r + i), load_samples(g + i), load_samples(b + i)));
  }
}

// Channel of HSV -> RGB without cases: value - value * saturation * w, where w is a trapezoid over the hue circle of 1530 steps
// (six sectors of 255), shifted by `offset` for each channel.
SWAV_INLINE ivec channel_of(ivec position, int offset, vec value, vec product) {
  ivec k = position + offset;
  k = k >= 1530 ? k - 1530 : k;
  const ivec slope = k < 1020 - k ? k : 1020 - k;
  const vec w = higher(lower(floats(slope), splat(255)), vec{});
  return truncated(value + 0.5f - product * w * (1.0f / 65025));
}

void image_hue(uint8_t* r, uint8_t* g, uint8_t* b, int steps, int64_t n) {
  for (int64_t i = 0; i < n; i += lanes) {
    const vec red = floats(load_samples(r + i)), green = floats(load_samples(g + i)), blue = floats(load_samples(b + i));
    const vec high = higher(red, higher(green, blue)), low = lower(red, lower(green, blue));
    const vec chroma = high - low;
    const vec divisor = higher(chroma, splat(1));
    // Sector and position within it: (g - b) / chroma, 2 + (b - r) / chroma or 4 + (r - g) / chroma.
    const vec numerator = red == high ? green - blue : green == high ? blue - red : red - green;
    const vec base = red == high ? vec{} : green == high ? splat(2) : splat(4);
    vec sixths = base + numerator / divisor;
    sixths = sixths < 0 ? sixths + 6.0f : sixths;
    const ivec hue = truncated(sixths * 42.5f);
    const vec saturation = floats(truncated(chroma * 255.0f / higher(high, splat(1))));
    const ivec position = ((hue + steps) & 255) * 6;
    const vec product = high * saturation;
    store_samples(r + i, channel_of(position, 5 * 255, high, product));
    store_samples(g + i, channel_of(position, 3 * 255, high, product));
    store_samples(b + i, channel_of(position, 1 * 255, high, product));
  }
}

// Lane l of output vector j of three interleaved ones takes channel (j * lanes + l) % 3 of pixel (j * lanes + l) / 3.
constexpr int pixel_of(int j, int l) { return (j * lanes + l) / 3; }
constexpr int from_first_two(int j, int l) { return (j * lanes + l) % 3 == 1 ? lanes + pixel_of(j, l) : pixel_of(j, l); }
constexpr int from_third(int j, int l) { return (j * lanes + l) % 3 == 2 ? lanes + pixel_of(j, l) : l; }
#define SWAV_LIST4(f, j, l) f(j, l), f(j, l + 1), f(j, l + 2), f(j, l + 3)
#if SWAV_LANES == 16
#define SWAV_LIST(f, j) SWAV_LIST4(f, j, 0), SWAV_LIST4(f, j, 4), SWAV_LIST4(f, j, 8), SWAV_LIST4(f, j, 12)
#elif SWAV_LANES == 8
#define SWAV_LIST(f, j) SWAV_LIST4(f, j, 0), SWAV_LIST4(f, j, 4)
#else
#define SWAV_LIST(f, j) SWAV_LIST4(f, j, 0)
#endif

template <int J>
SWAV_INLINE vec interleaved(vec a, vec b, vec c) {
  const vec two = __builtin_shufflevector(a, b, SWAV_LIST(from_first_two, J));
  return __builtin_shufflevector(two, c, SWAV_LIST(from_third, J));
}

void image_normalise_rgb(const uint8_t* r, const uint8_t* g, const uint8_t* b, const float* scale, const float* shift,
                         float* pixels, int64_t n) {
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const vec red = floats(load_samples(r + i)) * scale[0] + shift[0];
    const vec green = floats(load_samples(g + i)) * scale[1] + shift[1];
    const vec blue = floats(load_samples(b + i)) * scale[2] + shift[2];
    store(pixels + i * 3, interleaved<0>(red, green, blue));
    store(pixels + i * 3 + lanes, interleaved<1>(red, green, blue));
    store(pixels + i * 3 + 2 * lanes, interleaved<2>(red, green, blue));
  }
  for (; i < n; ++i) {
    pixels[i * 3] = float(r[i]) * scale[0] + shift[0];
    pixels[i * 3 + 1] = float(g[i]) * scale[1] + shift[1];
    pixels[i * 3 + 2] = float(b[i]) * scale[2] + shift[2];
  }
}

void image_normalise(const uint8_t* samples, float scale, float shift, float* pixels, int64_t n) {
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store(pixels + i, floats(load_samples(samples + i)) * scale + shift);
  for (; i < n; ++i) pixels[i] = float(samples[i]) * scale + shift;
}
