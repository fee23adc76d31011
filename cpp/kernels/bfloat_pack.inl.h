// Rows of bfloat16 on their way into products of bfloat16, with what batch-norm asks for done in float and rounded once.
// Contracts: bfloat_table.inl.h.

struct PlainRow {
  template <class T>
  vec value(const T* x, int64_t i, int64_t left) const {
    return get(x + i, left);
  }
};

struct NormReluRow {
  const float *scale, *shift;
  template <class T>
  vec value(const T* x, int64_t i, int64_t left) const {
    return max(get(x + i, left) * get(scale + i, left) + get(shift + i, left), vec{});
  }
};

struct GradientRow {
  int64_t partner;
  const float *a, *b, *c;
  template <class T>
  vec value(const T* dz, int64_t i, int64_t left) const {
    return get(dz + i, left) * get(a + i, left) + (get(dz + partner + i, left) * get(b + i, left) + get(c + i, left));
  }
};

template <class Row>
SWAV_INLINE void bfloat_rows_of(const bfloat16* const* rows, int64_t count, int64_t n, bfloat16* to, int64_t to_stride,
                                Row row) {
  for (int64_t r = 0; r < count; ++r) {
    const bfloat16* x = rows[r];
    bfloat16* out = to + r * to_stride;
    if (x == nullptr) for_vectors(n, [=](int64_t i, int64_t left) SWAV_BODY { put(out + i, vec{}, left); });
    else for_vectors(n, [=](int64_t i, int64_t left) SWAV_BODY { put(out + i, row.value(x, i, left), left); });
  }
}

void bfloat_rows_plain(const bfloat16* const* rows, int64_t count, int64_t n, bfloat16* to, int64_t to_stride) {
  bfloat_rows_of(rows, count, n, to, to_stride, PlainRow());
}

void bfloat_rows_norm_relu(const bfloat16* const* rows, int64_t count, int64_t n, const float* scale, const float* shift,
                           bfloat16* to, int64_t to_stride) {
  bfloat_rows_of(rows, count, n, to, to_stride, NormReluRow{scale, shift});
}

void bfloat_rows_gradient(const bfloat16* const* rows, int64_t partner, int64_t count, int64_t n, const float* a,
                          const float* b, const float* c, bfloat16* to, int64_t to_stride) {
  bfloat_rows_of(rows, count, n, to, to_stride, GradientRow{partner, a, b, c});
}

// Words of two rows: the first one's number is the lower half.
template <class T, class Row>
SWAV_INLINE void bfloat_pairs_of(const T* const* rows, int64_t pairs, int64_t n, float* to, int64_t to_stride,
                                 int64_t panel_width, int64_t panel_step, Row row) {
  for (int64_t p = 0; p < pairs; ++p) {
    const T *first = rows[2 * p], *second = rows[2 * p + 1];
    float* words = to + p * to_stride;
    if (first != nullptr && second != nullptr) {
      for (int64_t i0 = 0; i0 < n; i0 += panel_width, words += panel_step) {
        for_vectors(n - i0 < panel_width ? n - i0 : panel_width, [=](int64_t i, int64_t left) SWAV_BODY {
          const ivec lower = bfloat_bits(row.value(first, i0 + i, left)), upper = bfloat_bits(row.value(second, i0 + i, left));
          put(words + i, (vec)(lower | (upper << 16)), left);
        });
      }
      continue;
    }
    for (int64_t i0 = 0; i0 < n; i0 += panel_width, words += panel_step) {
      for_vectors(n - i0 < panel_width ? n - i0 : panel_width, [=](int64_t i, int64_t left) SWAV_BODY {
        const ivec lower = first == nullptr ? ivec{} : bfloat_bits(row.value(first, i0 + i, left));
        const ivec upper = second == nullptr ? ivec{} : bfloat_bits(row.value(second, i0 + i, left));
        put(words + i, (vec)(lower | (upper << 16)), left);
      });
    }
  }
}

void bfloat_pairs_float(const float* const* rows, int64_t pairs, int64_t n, float* to, int64_t to_stride, int64_t panel_width,
                        int64_t panel_step) {
  bfloat_pairs_of(rows, pairs, n, to, to_stride, panel_width, panel_step, PlainRow());
}

void bfloat_pairs_plain(const bfloat16* const* rows, int64_t pairs, int64_t n, float* to, int64_t to_stride,
                        int64_t panel_width, int64_t panel_step) {
  bfloat_pairs_of(rows, pairs, n, to, to_stride, panel_width, panel_step, PlainRow());
}

void bfloat_pairs_norm_relu(const bfloat16* const* rows, int64_t pairs, int64_t n, const float* scale, const float* shift,
                            float* to, int64_t to_stride, int64_t panel_width, int64_t panel_step) {
  bfloat_pairs_of(rows, pairs, n, to, to_stride, panel_width, panel_step, NormReluRow{scale, shift});
}

void bfloat_pairs_gradient(const bfloat16* const* rows, int64_t partner, int64_t pairs, int64_t n, const float* a,
                           const float* b, const float* c, float* to, int64_t to_stride, int64_t panel_width,
                           int64_t panel_step) {
  bfloat_pairs_of(rows, pairs, n, to, to_stride, panel_width, panel_step, GradientRow{partner, a, b, c});
}
