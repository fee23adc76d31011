// Statistics over rows, one result a channel, and the elementwise passes of batch-norm, ReLU and residual sums.
// Contracts: kernel_table.h. Sums run over rows in order, channels side by side in vectors.

void block_moments(const float* y, int64_t stride, int64_t rows, int64_t n, float* mean, float* m2) {
  const float inverse = 1.0f / float(rows);
  int64_t c = 0;
  for (; c < n; c += lanes) {
    const int64_t width = n - c < lanes ? n - c : lanes;
    vec total{};
    for (int64_t r = 0; r < rows; ++r) total += load_up_to(y + r * stride + c, width);
    const vec centre = total * inverse;
    vec squares{};
    vec rest{};  // sum of deviations: corrects the rounding of `centre` (Chan, Golub, LeVeque: corrected two-pass)
    for (int64_t r = 0; r < rows; ++r) {
      const vec d = load_up_to(y + r * stride + c, width) - centre;
      squares += d * d;
      rest += d;
    }
    store_part(mean + c, centre + rest * inverse, width);
    store_part(m2 + c, squares - rest * rest * inverse, width);
  }
}

void column_sums(const float* x, int64_t stride, int64_t rows, int64_t n, float* sums) {
  for (int64_t c = 0; c < n; c += lanes) {
    const int64_t width = n - c < lanes ? n - c : lanes;
    vec total{};
    for (int64_t r = 0; r < rows; ++r) total += load_up_to(x + r * stride + c, width);
    store_part(sums + c, total, width);
  }
}

void add_row(float* y, int64_t stride, int64_t rows, int64_t n, const float* bias) {
  for (int64_t r = 0; r < rows; ++r) {
    float* row = y + r * stride;
    pack_row(row, n, [=](int64_t i, int64_t width) { return load_up_to(row + i, width) + load_up_to(bias + i, width); });
  }
}

void relu_backward(float* dx, const float* y, int64_t stride, int64_t rows, int64_t n, const float* scale, const float* shift,
                   const float* mean, float* sum, float* sum_centred) {
  for (int64_t c = 0; c < n; c += lanes) {
    const int64_t width = n - c < lanes ? n - c : lanes;
    const vec a = load_up_to(scale + c, width), b = load_up_to(shift + c, width), m = load_up_to(mean + c, width);
    vec total{}, centred{};
    for (int64_t r = 0; r < rows; ++r) {
      const vec v = load_up_to(y + r * stride + c, width);
      float* place = dx + r * stride + c;
      const vec dz = select(v * a + b > vec{}, load_up_to(place, width), vec{});
      if (width == lanes) store(place, dz);
      else store_part(place, dz, width);
      total += dz;
      centred += dz * (v - m);
    }
    store_part(sum + c, total, width);
    store_part(sum_centred + c, centred, width);
  }
}

void gradient_sums(const float* dz, const float* y, int64_t stride, int64_t rows, int64_t n, const float* mean, float* sum,
                   float* sum_centred) {
  for (int64_t c = 0; c < n; c += lanes) {
    const int64_t width = n - c < lanes ? n - c : lanes;
    const vec m = load_up_to(mean + c, width);
    vec total{}, centred{};
    for (int64_t r = 0; r < rows; ++r) {
      const vec d = load_up_to(dz + r * stride + c, width);
      total += d;
      centred += d * (load_up_to(y + r * stride + c, width) - m);
    }
    store_part(sum + c, total, width);
    store_part(sum_centred + c, centred, width);
  }
}

void mask_positive(float* dx, const float* x, int64_t count) {
  pack_row(dx, count, [=](int64_t i, int64_t width) {
    return select(load_up_to(x + i, width) > vec{}, load_up_to(dx + i, width), vec{});
  });
}

void residual_plain(const float* y, const float* identity, int64_t rows, int64_t n, const float* scale, const float* shift,
                    float* sum) {
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t at = r * n;
    pack_row(sum + at, n, [=](int64_t i, int64_t width) {
      return max(load_up_to(y + at + i, width) * load_up_to(scale + i, width) + load_up_to(shift + i, width) +
                     load_up_to(identity + at + i, width),
                 vec{});
    });
  }
}

void residual_projected(const float* y, const float* projected, int64_t rows, int64_t n, const float* scale, const float* shift,
                        const float* projected_scale, const float* projected_shift, float* sum) {
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t at = r * n;
    pack_row(sum + at, n, [=](int64_t i, int64_t width) {
      const vec main = load_up_to(y + at + i, width) * load_up_to(scale + i, width) + load_up_to(shift + i, width);
      const vec side = load_up_to(projected + at + i, width) * load_up_to(projected_scale + i, width) +
                       load_up_to(projected_shift + i, width);
      return max(main + side, vec{});
    });
  }
}
