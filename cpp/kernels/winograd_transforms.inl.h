// Transforms of Winograd's convolution of 6x6 tiles (Lavin and Gray, "Fast algorithms for convolutional neural networks",
// 2016), with the interpolation points 0, 1, -1, 2, -2 and infinity. Contracts: kernel_table.inl.h.
//
// F(4x4, 3x3): output = A^T [(G g G^T) * (B^T d B)] A, 36 multiplications for 16 outputs where the direct method takes 144. The
// weight gradient is F(3x3, 4x4) on the same input tiles: the gradient's 4x4 tile is the filter, the 3x3 weights are the
// output.

struct Tile {
  vec v[6][6];
};

// One dimension of B^T d.
SWAV_INLINE void input_1d(vec& a, vec& b, vec& c, vec& d, vec& e, vec& f) {
  const vec p = e - 4.0f * c, q = d - 4.0f * b, r = e - c, s = 2.0f * (d - b);
  const vec first = 4.0f * a - 5.0f * c + e, last = 4.0f * b - 5.0f * d + f;
  a = first, b = p + q, c = p - q, d = r + s, e = r - s, f = last;
}

SWAV_INLINE void input_transform(Tile& t, float* to, int64_t to_stride, int64_t width) {
#pragma GCC unroll 6
  for (int j = 0; j < 6; ++j) input_1d(t.v[0][j], t.v[1][j], t.v[2][j], t.v[3][j], t.v[4][j], t.v[5][j]);
#pragma GCC unroll 6
  for (int i = 0; i < 6; ++i) {
    input_1d(t.v[i][0], t.v[i][1], t.v[i][2], t.v[i][3], t.v[i][4], t.v[i][5]);
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) {
      put(to + (i * 6 + j) * to_stride, t.v[i][j], width);
    }
  }
}

// The 36 pixels of a tile, NULL giving zeros, transformed.
template <class T, class Pixels>
SWAV_INLINE void winograd_input_any(const T* const* pixels, int64_t n, float* to, int64_t to_stride, Pixels map) {
  for_vectors(n, [=](int64_t c, int64_t width) SWAV_BODY {
    Tile t;
#pragma GCC unroll 36
    for (int p = 0; p < 36; ++p) {
      t.v[p / 6][p % 6] = vec{};
      if (pixels[p] == nullptr) continue;
      if (p % 6 >= 2) map.ask(pixels[p] + 4 * n + c);  // the others are this tile's, too
      t.v[p / 6][p % 6] = map.value(pixels[p], c, width);
    }
    input_transform(t, to + c, to_stride, width);
  });
}

template <class T>
void winograd_input_plain(const T* const* pixels, int64_t n, float* to, int64_t to_stride) {
  winograd_input_any(pixels, n, to, to_stride, PlainPixels());
}

template <class T>
void winograd_input_norm_relu(const T* const* pixels, int64_t n, const float* scale, const float* shift, float* to,
                              int64_t to_stride) {
  winograd_input_any(pixels, n, to, to_stride, NormReluPixels(scale, shift));
}

template <class T>
void winograd_input_gradient(const T* const* pixels, int64_t partner, int64_t n, const float* a, const float* b, const float* c,
                             float* to, int64_t to_stride) {
  winograd_input_any(pixels, n, to, to_stride, GradientPixels{partner, a, b, c});
}

// One dimension of A^T m: six values to four.
SWAV_INLINE void output_1d(const vec* m, int stride, vec& a, vec& b, vec& c, vec& d) {
  const vec s = m[stride] + m[2 * stride], u = m[stride] - m[2 * stride];
  const vec p = m[3 * stride] + m[4 * stride], q = m[3 * stride] - m[4 * stride];
  a = m[0] + s + p, b = u + 2.0f * q, c = s + 4.0f * p, d = u + 8.0f * q + m[5 * stride];
}

// A^T m A; store(pixel number, channel, width, value) gets the 16 results.
template <class Store>
SWAV_INLINE void winograd_output_any(const float* from, int64_t from_stride, int64_t n, Store store) {
  for_vectors(n, [=](int64_t c, int64_t width) SWAV_BODY {
    vec half[4][6];
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) {
      vec column[6];
      for (int i = 0; i < 6; ++i) column[i] = get(from + (i * 6 + j) * from_stride + c, width);
      output_1d(column, 1, half[0][j], half[1][j], half[2][j], half[3][j]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      vec row[4];
      output_1d(half[i], 1, row[0], row[1], row[2], row[3]);
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) store(i * 4 + j, c, width, row[j]);
    }
  });
}

template <class T>
void winograd_output(const float* from, int64_t from_stride, int64_t n, T* const* pixels, bool accumulate) {
  winograd_output_any(from, from_stride, n, [=](int pixel, int64_t c, int64_t width, vec value) SWAV_BODY {
    T* to = pixels[pixel];
    if (to == nullptr) return;
    put(to + c, accumulate ? value + get(to + c, width) : value, width);
  });
}

void winograd_output_fused(const float* from, int64_t from_stride, int64_t n, const float* bias, const float* const* residuals,
                           bool relu, float* const* pixels) {
  winograd_output_any(from, from_stride, n, [=](int pixel, int64_t c, int64_t width, vec value) SWAV_BODY {
    float* to = pixels[pixel];
    if (to == nullptr) return;
    value += get(bias + c, width);
    if (residuals != nullptr) value += get(residuals[pixel] + c, width);
    put(to + c, relu ? max(value, vec{}) : value, width);
  });
}

// One dimension of G g: three values to six.
SWAV_INLINE void weight_1d(vec a, vec b, vec c, vec* out, int stride) {
  const vec even = (a + c) * (-1.0f / 6.0f), odd = b * (-1.0f / 6.0f);
  const vec far = a * (1.0f / 24.0f) + c * (1.0f / 6.0f), tilt = b * (1.0f / 12.0f);
  out[0] = a * 0.25f;
  out[stride] = even + odd;
  out[2 * stride] = even - odd;
  out[3 * stride] = far + tilt;
  out[4 * stride] = far - tilt;
  out[5 * stride] = c;
}

void winograd_weights(const float* taps, int64_t tap_stride, int64_t n, float* to, int64_t to_stride) {
  for (int64_t c = 0; c < n; c += lanes) {
    vec half[6][3], whole[6];
    for (int j = 0; j < 3; ++j) {
      vec column[6];
      weight_1d(load(taps + j * tap_stride + c), load(taps + (3 + j) * tap_stride + c), load(taps + (6 + j) * tap_stride + c),
                column, 1);
      for (int i = 0; i < 6; ++i) half[i][j] = column[i];
    }
    for (int i = 0; i < 6; ++i) {
      weight_1d(half[i][0], half[i][1], half[i][2], whole, 1);
      for (int j = 0; j < 6; ++j) store(to + (i * 6 + j) * to_stride + c, whole[j]);
    }
  }
}

// One dimension of G' d: four values of a gradient tile to six.
SWAV_INLINE void gradient_1d(vec a, vec b, vec c, vec d, vec* out, int stride) {
  const vec even = (a + c) * (-1.0f / 6.0f), odd = (b + d) * (-1.0f / 6.0f);
  const vec far = a * (1.0f / 24.0f) + c * (1.0f / 6.0f), tilt = b * (1.0f / 12.0f) + d * (1.0f / 3.0f);
  out[0] = a * 0.25f;
  out[stride] = even + odd;
  out[2 * stride] = even - odd;
  out[3 * stride] = far + tilt;
  out[4 * stride] = far - tilt;
  out[5 * stride] = d;
}

// The same for the 16 pixels of a gradient's tile; panels of tile_columns channels lie panel_step apart.
template <class T, class Pixels>
SWAV_INLINE void winograd_gradient_any(const T* const* pixels, int64_t n, float* to, int64_t to_stride, int64_t panel_step,
                                       Pixels map) {
  for_vectors(n, [=](int64_t c, int64_t width) SWAV_BODY {
    vec half[6][4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      vec d[4], column[6];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        const T* p = pixels[i * 4 + j];
        d[i] = vec{};
        if (p == nullptr) continue;
        map.ask(p + 4 * n + c);
        d[i] = map.value(p, c, width);
      }
      gradient_1d(d[0], d[1], d[2], d[3], column, 1);
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) half[i][j] = column[i];
    }
    float* panel = to + c / tile_columns * panel_step + c % tile_columns;
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) {
      vec row[6];
      gradient_1d(half[i][0], half[i][1], half[i][2], half[i][3], row, 1);
#pragma GCC unroll 6
      for (int j = 0; j < 6; ++j) put(panel + (i * 6 + j) * to_stride, row[j], width);
    }
  });
}

template <class T>
void winograd_gradient_plain(const T* const* pixels, int64_t n, float* to, int64_t to_stride, int64_t panel_step) {
  winograd_gradient_any(pixels, n, to, to_stride, panel_step, PlainPixels());
}

template <class T>
void winograd_gradient(const T* const* pixels, int64_t partner, int64_t n, const float* a, const float* b, const float* c,
                       float* to, int64_t to_stride, int64_t panel_step) {
  winograd_gradient_any(pixels, n, to, to_stride, panel_step, GradientPixels{partner, a, b, c});
}

// One dimension of A'^T m: six values to three.
SWAV_INLINE void tap_1d(const vec* m, vec& a, vec& b, vec& c) {
  const vec s = m[1] + m[2], p = m[3] + m[4];
  a = m[0] + s + p;
  b = (m[1] - m[2]) + 2.0f * (m[3] - m[4]);
  c = s + 4.0f * p + m[5];
}

void winograd_taps(const float* from, int64_t from_stride, int64_t n, float* to, int64_t to_stride) {
  for_vectors(n, [=](int64_t c, int64_t width) SWAV_BODY {
    vec half[3][6];
    for (int j = 0; j < 6; ++j) {
      vec column[6];
      for (int i = 0; i < 6; ++i) column[i] = get(from + (i * 6 + j) * from_stride + c, width);
      tap_1d(column, half[0][j], half[1][j], half[2][j]);
    }
    for (int i = 0; i < 3; ++i) {
      vec row[3];
      tap_1d(half[i], row[0], row[1], row[2]);
      for (int j = 0; j < 3; ++j) {
        put(to + (i * 3 + j) * to_stride + c, row[j], width);
      }
    }
  });
}
