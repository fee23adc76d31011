// Tiles of bfloat16 in the vectors of AVX512-BF16: vdpbf16ps adds the products of two pairs to a float.
//
// A tile is 14 rows x 2 vectors of sums, 2 vectors of B and a broadcast word of A: 28 instructions a word from 2 + 14 loads.
#include "kernels/tiles.h"

#if defined(__x86_64__)
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma"))), \
                             apply_to = function)
#endif
namespace swav {
namespace {
#include "kernels/tile_body.inl.h"

constexpr int tile_columns = bfloat_vector_tile.columns;
typedef int32_t word __attribute__((may_alias, aligned(1)));

template <int rows>
struct VectorTiles {
  static constexpr int words = bfloat_vector_tile.words, columns = tile_columns;
  static constexpr bool two = false;
  __m512 left[rows], right[rows];

  __attribute__((always_inline)) void begin(const float*, int64_t, bool) {
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) left[r] = right[r] = _mm512_setzero_ps();
  }
  __attribute__((always_inline)) void multiply_add(const char* a, const char*, int64_t stride, const char* b) {
    const __m512bh b_left = (__m512bh)_mm512_loadu_si512(b), b_right = (__m512bh)_mm512_loadu_si512(b + 64);
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
      const __m512bh x = (__m512bh)_mm512_set1_epi32(*reinterpret_cast<const word*>(a + r * stride));
      left[r] = _mm512_dpbf16_ps(left[r], x, b_left);
      right[r] = _mm512_dpbf16_ps(right[r], x, b_right);
    }
  }
  __attribute__((always_inline)) void end(float* c, int64_t stride, bool accumulate) {
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
      float* out = c + r * stride;
      _mm512_storeu_ps(out, accumulate ? _mm512_add_ps(left[r], _mm512_loadu_ps(out)) : left[r]);
      _mm512_storeu_ps(out + 16, accumulate ? _mm512_add_ps(right[r], _mm512_loadu_ps(out + 16)) : right[r]);
    }
  }
};

template <int rows>
void product_of_rows(const ProductSegment* segments, int count, const void* b, float* c, int64_t c_stride, bool accumulate,
                     Ahead ahead) {
  tile_product<VectorTiles<rows>>(segments, nullptr, count, b, c, c_stride, accumulate, ahead);
}

void product(const ProductSegment* segments, const char* const*, int count, const void* b, int rows, int, float* c,
             int64_t c_stride, bool accumulate, Ahead ahead) {
#define SWAV_ROWS(n) \
  case n: return product_of_rows<n>(segments, count, b, c, c_stride, accumulate, ahead);
  switch (rows) {
    // clang-format off
    SWAV_ROWS(1) SWAV_ROWS(2) SWAV_ROWS(3) SWAV_ROWS(4) SWAV_ROWS(5) SWAV_ROWS(6) SWAV_ROWS(7)
    SWAV_ROWS(8) SWAV_ROWS(9) SWAV_ROWS(10) SWAV_ROWS(11) SWAV_ROWS(12) SWAV_ROWS(13) SWAV_ROWS(14)
    // clang-format on
  }
#undef SWAV_ROWS
}

void configure(int, int) {}
void release() {}

}  // namespace

extern const TileKernels avx512_bf16_tiles;
const TileKernels avx512_bf16_tiles = {"avx512_bf16", bfloat_vector_tile, 1, 2, configure, release, product, nullptr};

}  // namespace swav
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
