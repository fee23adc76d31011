// Samples (kernel_rows.h) of kernels of bfloat16.
#include "kernel_samples_bfloat.h"

namespace swav::test {
namespace {

std::function<void()> tile_sample(SampleMemory& m, int64_t n, TileGeometry tile,
                                  void (*kernel)(const ProductSegment*, int, const bfloat16*, int, float*, int64_t, bool)) {
  const int64_t words = (n + tile.words - 1) / tile.words * tile.words;
  const bfloat16 *a = m.numbers<bfloat16>(tile.rows * 2 * words, -4, 4),
                 *b = m.numbers<bfloat16>(words * 2 * tile.columns, -4, 4);
  float* c = m.out<float>(tile.rows * tile.columns);
  return [=] {
    const ProductSegment segment{reinterpret_cast<const char*>(a), 4 * words, words};
    kernel(&segment, 1, b, tile.rows, c, tile.columns, true);
  };
}

}  // namespace

SWAV_SAMPLE(tile_vector_order) { return tile_sample(m, n, bfloat_vector_tile, table(k).tile_vector_order); }
SWAV_SAMPLE(tile_amx_order) { return tile_sample(m, n, bfloat_amx_tile, table(k).tile_amx_order); }

SWAV_SAMPLE(to_bfloat) {
  const float* x = m.fractions(n);
  bfloat16* y = m.out<bfloat16>(n);
  return [=, kernel = table(k).to_bfloat] { kernel(x, y, n); };
}

SWAV_SAMPLE(from_bfloat) {
  const bfloat16* x = m.numbers<bfloat16>(n, -4, 4);
  float* y = m.out<float>(n);
  return [=, kernel = table(k).from_bfloat] { kernel(x, y, n); };
}

SWAV_SAMPLE(finish_bfloat) {
  constexpr int rows = 5, columns = bfloat_vector_tile.columns;
  const float *c = m.floats(rows * columns), *bias = m.floats(columns);
  const bfloat16* residual = m.numbers<bfloat16>(rows * columns, -4, 4);
  bfloat16* out = m.out<bfloat16>(rows * columns);
  return [=, kernel = table(k).finish_bfloat] {
    kernel(c, columns, rows, bias, true, false,
           {reinterpret_cast<char*>(out), 2 * columns, reinterpret_cast<const char*>(residual), 2 * columns});
  };
}

}  // namespace swav::test
