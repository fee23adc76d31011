// Rows of bfloat16 on their way into products of bfloat16, rounded once. Contracts: bfloat_table.inl.h.

template <int... I>
SWAV_INLINE vec pairs_exchanged(vec v, indices<I...>) {
  return __builtin_shufflevector(v, v, (I ^ 1)...);
}

template <class Pixels>
SWAV_INLINE void bfloat_rows_of(const bfloat16* const* rows, int64_t count, int64_t n, bfloat16* to, int64_t to_stride,
                                Pixels map) {
  for (int64_t r = 0; r < count; ++r) {
    const bfloat16* x = rows[r];
    bfloat16* out = to + r * to_stride;
    if (x == nullptr) {
      for_vectors(n, [=](int64_t i, int64_t left) SWAV_BODY { put(out + i, vec{}, left + (left & 1)); });
      continue;
    }
    for_vectors(n, [=](int64_t i, int64_t left)
                       SWAV_BODY { put(out + i, pairs_exchanged(map.value(x, i, left), lane_indices()), left + (left & 1)); });
  }
}

void bfloat_rows_plain(const bfloat16* const* rows, int64_t count, int64_t n, bfloat16* to, int64_t to_stride) {
  bfloat_rows_of(rows, count, n, to, to_stride, PlainPixels());
}

void bfloat_rows_norm_relu(const bfloat16* const* rows, int64_t count, int64_t n, const float* scale, const float* shift,
                           bfloat16* to, int64_t to_stride) {
  bfloat_rows_of(rows, count, n, to, to_stride, NormReluPixels(scale, shift));
}

void bfloat_rows_gradient(const bfloat16* const* rows, int64_t partner, int64_t count, int64_t n, const float* a,
                          const float* b, const float* c, bfloat16* to, int64_t to_stride) {
  bfloat_rows_of(rows, count, n, to, to_stride, GradientPixels{partner, a, b, c});
}

template <class T, class Pixels>
SWAV_INLINE void bfloat_pairs_of(const T* const* rows, int64_t pairs, int64_t n, float* to, int64_t to_stride,
                                 int64_t panel_width, int64_t panel_step, Pixels map) {
  for (int64_t p = 0; p < pairs; ++p) {
    const T *first = rows[2 * p], *second = rows[2 * p + 1];
    float* words = to + p * to_stride;
    if (first != nullptr && second != nullptr) {
      for (int64_t i0 = 0; i0 < n; i0 += panel_width, words += panel_step) {
        for_vectors(n - i0 < panel_width ? n - i0 : panel_width, [=](int64_t i, int64_t left) SWAV_BODY {
          put(words + i, word_of(map.value(first, i0 + i, left), map.value(second, i0 + i, left)), left);
        });
      }
      continue;
    }
    for (int64_t i0 = 0; i0 < n; i0 += panel_width, words += panel_step) {
      for_vectors(n - i0 < panel_width ? n - i0 : panel_width, [=](int64_t i, int64_t left) SWAV_BODY {
        put(words + i,
            word_of(first == nullptr ? vec{} : map.value(first, i0 + i, left),
                    second == nullptr ? vec{} : map.value(second, i0 + i, left)),
            left);
      });
    }
  }
}

void bfloat_pairs_float(const float* const* rows, int64_t pairs, int64_t n, float* to, int64_t to_stride, int64_t panel_width,
                        int64_t panel_step) {
  bfloat_pairs_of(rows, pairs, n, to, to_stride, panel_width, panel_step, PlainPixels());
}

void bfloat_pairs_plain(const bfloat16* const* rows, int64_t pairs, int64_t n, float* to, int64_t to_stride,
                        int64_t panel_width, int64_t panel_step) {
  bfloat_pairs_of(rows, pairs, n, to, to_stride, panel_width, panel_step, PlainPixels());
}

void bfloat_pairs_norm_relu(const bfloat16* const* rows, int64_t pairs, int64_t n, const float* scale, const float* shift,
                            float* to, int64_t to_stride, int64_t panel_width, int64_t panel_step) {
  bfloat_pairs_of(rows, pairs, n, to, to_stride, panel_width, panel_step, NormReluPixels(scale, shift));
}

void bfloat_pairs_gradient(const bfloat16* const* rows, int64_t partner, int64_t pairs, int64_t n, const float* a,
                           const float* b, const float* c, float* to, int64_t to_stride, int64_t panel_width,
                           int64_t panel_step) {
  bfloat_pairs_of(rows, pairs, n, to, to_stride, panel_width, panel_step, GradientPixels{partner, a, b, c});
}

// As floats. exact: they are bfloat16 already.
template <bool exact, class T, class Pixels>
SWAV_INLINE void bfloat_values_of(const T* const* rows, int64_t count, int64_t n, float* to, int64_t to_stride,
                                  int64_t panel_width, int64_t panel_step, Pixels map) {
  for (int64_t r = 0; r < count; ++r, to += to_stride) {
    const T* x = rows[r];
    if (x == nullptr) {
      pack_zero(to, n, panel_width, panel_step);
      continue;
    }
    pack_row(to, n, panel_width, panel_step, [=](int64_t i, int64_t width) SWAV_BODY {
      const vec value = map.value(x, i, width);
      return exact ? value : bfloat_value(value);
    });
  }
}

void bfloat_values_float(const float* const* rows, int64_t count, int64_t n, float* to, int64_t to_stride, int64_t panel_width,
                         int64_t panel_step) {
  bfloat_values_of<false>(rows, count, n, to, to_stride, panel_width, panel_step, PlainPixels());
}

void bfloat_values_plain(const bfloat16* const* rows, int64_t count, int64_t n, float* to, int64_t to_stride,
                         int64_t panel_width, int64_t panel_step) {
  bfloat_values_of<true>(rows, count, n, to, to_stride, panel_width, panel_step, PlainPixels());
}

void bfloat_values_norm_relu(const bfloat16* const* rows, int64_t count, int64_t n, const float* scale, const float* shift,
                             float* to, int64_t to_stride, int64_t panel_width, int64_t panel_step) {
  bfloat_values_of<false>(rows, count, n, to, to_stride, panel_width, panel_step, NormReluPixels(scale, shift));
}

void bfloat_values_gradient(const bfloat16* const* rows, int64_t partner, int64_t count, int64_t n, const float* a,
                            const float* b, const float* c, float* to, int64_t to_stride, int64_t panel_width,
                            int64_t panel_step) {
  bfloat_values_of<false>(rows, count, n, to, to_stride, panel_width, panel_step, GradientPixels{partner, a, b, c});
}

void bfloat_words_widened(const bfloat16* const* rows, int64_t count, int64_t n, float* to, int64_t to_stride) {
  for (int64_t r = 0; r < count; ++r) {
    const bfloat16* x = rows[r];
    float* out = to + r * to_stride;
    for_vectors(
        n, [=](int64_t i, int64_t left) SWAV_BODY { put(out + i, pairs_exchanged(get(x + i, left), lane_indices()), left); });
  }
}
