// Statistics over rows, one result a channel, and the elementwise passes of batch-norm, ReLU and residual sums.
// Contracts: kernel_table.inl.h. Sums run over rows in order, channels side by side in vectors. T: float, or bfloat16, which is
// widened, computed with as a float, and rounded where it is stored.

// Writes body(i, width) for i in [0, n).
template <class T, class Body>
SWAV_INLINE void for_each_value(T* to, int64_t n, Body body) {
  for_vectors(n, [=](int64_t i, int64_t width) SWAV_BODY { put(to + i, body(i, width), width); });
}

template <class T>
void block_moments(const T* y, int64_t stride, int64_t rows, int64_t n, float* mean, float* m2) {
  const float inverse = 1.0f / float(rows);
  for_vectors(n, [=](int64_t c, int64_t width) SWAV_BODY {
    vec total{};
    for (int64_t r = 0; r < rows; ++r) total += get(y + r * stride + c, width);
    const vec centre = total * inverse;
    vec squares{};
    vec rest{};  // sum of deviations: corrects the rounding of `centre` (Chan, Golub, LeVeque: corrected two-pass)
    for (int64_t r = 0; r < rows; ++r) {
      const vec d = get(y + r * stride + c, width) - centre;
      squares += d * d;
      rest += d;
    }
    put(mean + c, centre + rest * inverse, width);
    put(m2 + c, squares - rest * rest * inverse, width);
  });
}

template <class T>
void column_sums(const T* x, int64_t stride, int64_t rows, int64_t n, float* sums) {
  for_vectors(n, [=](int64_t c, int64_t width) SWAV_BODY {
    vec total{};
    for (int64_t r = 0; r < rows; ++r) total += get(x + r * stride + c, width);
    put(sums + c, total, width);
  });
}

void add_row(float* y, int64_t stride, int64_t rows, int64_t n, const float* bias) {
  for (int64_t r = 0; r < rows; ++r) {
    float* row = y + r * stride;
    for_each_value(row, n, [=](int64_t i, int64_t width) SWAV_BODY { return get(row + i, width) + get(bias + i, width); });
  }
}

template <class T>
void relu_backward(T* dx, const T* y, int64_t stride, int64_t rows, int64_t n, const float* scale, const float* shift,
                   const float* mean, float* sum, float* sum_centred) {
  for_vectors(n, [=](int64_t c, int64_t width) SWAV_BODY {
    const vec a = get(scale + c, width), b = get(shift + c, width), m = get(mean + c, width);
    vec total{}, centred{};
    for (int64_t r = 0; r < rows; ++r) {
      const vec v = get(y + r * stride + c, width);
      T* place = dx + r * stride + c;
      const vec dz = select(v * a + b > vec{}, get(place, width), vec{});
      put(place, dz, width);
      total += dz;
      centred += dz * (v - m);
    }
    put(sum + c, total, width);
    put(sum_centred + c, centred, width);
  });
}

template <class T>
void gradient_sums(const T* dz, const T* y, int64_t stride, int64_t rows, int64_t n, const float* mean, float* sum,
                   float* sum_centred) {
  for_vectors(n, [=](int64_t c, int64_t width) SWAV_BODY {
    const vec m = get(mean + c, width);
    vec total{}, centred{};
    for (int64_t r = 0; r < rows; ++r) {
      const vec d = get(dz + r * stride + c, width);
      total += d;
      centred += d * (get(y + r * stride + c, width) - m);
    }
    put(sum + c, total, width);
    put(sum_centred + c, centred, width);
  });
}

template <class T>
void masked_gradient_sums(T* dx, const T* x, const T* y, int64_t stride, int64_t rows, int64_t n, const float* mean, float* sum,
                          float* sum_centred) {
  for_vectors(n, [=](int64_t c, int64_t width) SWAV_BODY {
    const vec m = get(mean + c, width);
    vec total{}, centred{};
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t at = r * stride + c;
      const vec dz = select(get(x + at, width) > vec{}, get(dx + at, width), vec{});
      put(dx + at, dz, width);
      total += dz;
      centred += dz * (get(y + at, width) - m);
    }
    put(sum + c, total, width);
    put(sum_centred + c, centred, width);
  });
}

template <class T>
void residual_plain(const T* y, const T* identity, int64_t rows, int64_t n, const float* scale, const float* shift, T* sum) {
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t at = r * n;
    for_each_value(sum + at, n, [=](int64_t i, int64_t width) SWAV_BODY {
      return max(get(y + at + i, width) * get(scale + i, width) + get(shift + i, width) + get(identity + at + i, width), vec{});
    });
  }
}

template <class T>
void residual_projected(const T* y, const T* projected, int64_t rows, int64_t n, const float* scale, const float* shift,
                        const float* projected_scale, const float* projected_shift, T* sum) {
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t at = r * n;
    for_each_value(sum + at, n, [=](int64_t i, int64_t width) SWAV_BODY {
      const vec main = get(y + at + i, width) * get(scale + i, width) + get(shift + i, width);
      const vec side = get(projected + at + i, width) * get(projected_scale + i, width) + get(projected_shift + i, width);
      return max(main + side, vec{});
    });
  }
}
