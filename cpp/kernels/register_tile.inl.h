// The matrix product's register tile. Contracts: kernel_table.inl.h.
//
// A tile is tile_rows x 2 vectors of accumulators (tile_geometry, base/cpu.h).

constexpr int tile_rows = tile_geometry(lanes).rows, tile_columns = tile_geometry(lanes).columns;

// depth_first: A is [depth][a_stride], else [rows][a_stride].
template <int rows, bool depth_first>
SWAV_INLINE void product_tile(int64_t depth, const float* a, int64_t a_stride, const float* b, float* c, int64_t c_stride,
                              int64_t columns, bool accumulate, Ahead ahead) {
  vec left[rows], right[rows];
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r) left[r] = right[r] = vec{};
  auto step = [&]() SWAV_BODY {
    const vec b_left = load(b), b_right = load(b + lanes);
    b += tile_columns;
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
      const vec x = splat(depth_first ? a[r] : a[r * a_stride]);
      left[r] += x * b_left;
      right[r] += x * b_right;
    }
    a += depth_first ? a_stride : 1;
  };
  // C is in a farther cache, and needed at the end. A line at a time: the CPU waits for a few dozen at once at most.
  int64_t k = 0;
  const float* line = c;
  for (int64_t to_next = lanes; k < 2 * rows && k < depth; ++k) {
    __builtin_prefetch(line, 1);
    line += to_next;
    to_next = c_stride - to_next;
    step();
  }
  for (; ahead.lines > 0 && k < depth; --ahead.lines, ++k) {
    __builtin_prefetch(ahead.at, 0, 2);
    ahead.at += 64;
    step();
  }
  for (; k < depth; ++k) step();
  if (columns == tile_columns) {
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
      float* out = c + r * c_stride;
      store(out, accumulate ? left[r] + load(out) : left[r]);
      store(out + lanes, accumulate ? right[r] + load(out + lanes) : right[r]);
    }
    return;
  }
  for (int r = 0; r < rows; ++r) {
    float row[tile_columns];
    store(row, left[r]);
    store(row + lanes, right[r]);
    float* out = c + r * c_stride;
    for (int64_t j = 0; j < columns; ++j) out[j] = accumulate ? out[j] + row[j] : row[j];
  }
}

template <int rows>
void product_tile_rows(int64_t depth, const float* a, int64_t a_stride, const float* b, float* c, int64_t c_stride,
                       int64_t columns, bool accumulate, Ahead ahead) {
  product_tile<rows, false>(depth, a, a_stride, b, c, c_stride, columns, accumulate, ahead);
}

template <int rows>
void product_tile_depth(int64_t depth, const float* a, int64_t a_stride, const float* b, float* c, int64_t c_stride,
                        int64_t columns, bool accumulate, Ahead ahead) {
  product_tile<rows, true>(depth, a, a_stride, b, c, c_stride, columns, accumulate, ahead);
}

void product_rows(int64_t depth, const float* a, int64_t a_stride, const float* b, float* c, int64_t c_stride, int rows,
                  int64_t columns, bool accumulate, Ahead ahead) {
  switch (rows) {
#define SWAV_ROWS(n) \
  case n: return product_tile_rows<n>(depth, a, a_stride, b, c, c_stride, columns, accumulate, ahead);
    // clang-format off
    SWAV_ROWS(1) SWAV_ROWS(2) SWAV_ROWS(3) SWAV_ROWS(4) SWAV_ROWS(5) SWAV_ROWS(6)
#if SWAV_LANES == 16
    SWAV_ROWS(7) SWAV_ROWS(8) SWAV_ROWS(9) SWAV_ROWS(10) SWAV_ROWS(11) SWAV_ROWS(12) SWAV_ROWS(13) SWAV_ROWS(14)
#endif
    // clang-format on
#undef SWAV_ROWS
  }
}

void product_depth(int64_t depth, const float* a, int64_t a_stride, const float* b, float* c, int64_t c_stride, int rows,
                   int64_t columns, bool accumulate, Ahead ahead) {
  switch (rows) {
#define SWAV_ROWS(n) \
  case n: return product_tile_depth<n>(depth, a, a_stride, b, c, c_stride, columns, accumulate, ahead);
    // clang-format off
    SWAV_ROWS(1) SWAV_ROWS(2) SWAV_ROWS(3) SWAV_ROWS(4) SWAV_ROWS(5) SWAV_ROWS(6)
#if SWAV_LANES == 16
    SWAV_ROWS(7) SWAV_ROWS(8) SWAV_ROWS(9) SWAV_ROWS(10) SWAV_ROWS(11) SWAV_ROWS(12) SWAV_ROWS(13) SWAV_ROWS(14)
#endif
    // clang-format on
#undef SWAV_ROWS
  }
}

float multiply_adds(int64_t rounds) {
  constexpr int sums = 2 * tile_rows;
  vec x[sums], factor = splat(0.5f);
#pragma GCC unroll 32
  for (int i = 0; i < sums; ++i) x[i] = splat(float(i));
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 32
    for (int i = 0; i < sums; ++i) x[i] = x[i] * factor + factor;
  }
  vec all{};
  for (int i = 0; i < sums; ++i) all += x[i];
  return sum(all);
}
