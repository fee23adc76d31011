// Matrix transpose by blocks of lanes x lanes in registers. Contract: kernel_table.h.

template <int... I>
struct indices {};
template <int n, int... I>
struct make_indices : make_indices<n - 1, n - 1, I...> {};
template <int... I>
struct make_indices<0, I...> {
  using type = indices<I...>;
};
using lane_indices = make_indices<lanes>::type;

// Exchanges, between rows i and i + s of a block, the lanes whose index differs from the row's in bit s.
template <int s, int... I>
SWAV_INLINE void exchange(vec& upper, vec& lower, indices<I...>) {
  const vec a = upper, b = lower;
  upper = __builtin_shufflevector(a, b, ((I & s) ? lanes + I - s : I)...);
  lower = __builtin_shufflevector(a, b, ((I & s) ? lanes + I : I + s)...);
}

template <int s>
SWAV_INLINE void transpose_step(vec* rows) {
#pragma GCC unroll 16
  for (int i = 0; i < lanes; ++i) {
    if ((i & s) == 0) exchange<s>(rows[i], rows[i + s], lane_indices());
  }
}

template <bool add>
SWAV_INLINE void transpose_any(const float* from, int64_t from_stride, int64_t rows, int64_t columns, float* to,
                               int64_t to_stride) {
  int64_t r = 0;
  for (; r + lanes <= rows; r += lanes) {
    for (int64_t c = 0; c < columns; c += lanes) {
      const int64_t left = columns - c;
      vec block[lanes];
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i) {
        const float* row = from + (r + i) * from_stride + c;
        // A whole vector where it ends within the matrix, be it in another row.
        block[i] = (rows - 1 - r - i) * from_stride + left >= lanes ? load(row) : load_part(row, left);
      }
      transpose_step<1>(block);
      transpose_step<2>(block);
#if SWAV_LANES >= 8
      transpose_step<4>(block);
#endif
#if SWAV_LANES >= 16
      transpose_step<8>(block);
#endif
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i) {
        if (i >= left) break;
        float* out = to + (c + i) * to_stride + r;
        store(out, add ? load(out) + block[i] : block[i]);
      }
    }
  }
  for (int64_t c = 0; c < columns; ++c) {
    for (int64_t i = r; i < rows; ++i) {
      const float value = from[i * from_stride + c];
      to[c * to_stride + i] = add ? to[c * to_stride + i] + value : value;
    }
  }
}

void transpose(const float* from, int64_t from_stride, int64_t rows, int64_t columns, float* to, int64_t to_stride) {
  transpose_any<false>(from, from_stride, rows, columns, to, to_stride);
}

void transpose_add(const float* from, int64_t from_stride, int64_t rows, int64_t columns, float* to, int64_t to_stride) {
  transpose_any<true>(from, from_stride, rows, columns, to, to_stride);
}
