// Samples (kernel_rows.h) of products, packing, transposes and Winograd's transforms.
#include <algorithm>

#include "kernel_rows.h"
#include "ops/row_blocks.h"

namespace swav::test {
namespace {

constexpr int common_columns = 8;  // of the smallest register tile

// B of a register tile, zeros behind the common columns where results are compared: [depth][tile_columns][in_word].
template <class T>
const T* tile_weights(const Kernels& k, SampleMemory& m, int64_t depth, int in_word) {
  T* b = m.unseen<T>(depth * k.tile_columns * in_word);
  const int64_t columns = m.comparable() ? common_columns : k.tile_columns;
  for (int64_t d = 0; d < depth; ++d) {
    for (int64_t n = 0; n < columns * in_word; ++n) b[d * k.tile_columns * in_word + n] = T((d * 5 + n * 3) % 7 - 3);
  }
  return b;
}

std::function<void()> product_sample(const Kernels& k, SampleMemory& m, int64_t n, bool depth_first) {
  const int rows = m.tile_rows(k);
  const int64_t stride = depth_first ? tile_geometry(16).rows : row_stride(n);
  const float *a = m.floats(depth_first ? n * stride : rows * stride), *b = tile_weights<float>(k, m, n, 1);
  const int64_t columns = m.comparable() ? common_columns : k.tile_columns;
  float* c = m.out<float>(rows * columns);
  auto kernel = depth_first ? k.product_depth : k.product_rows;
  return [=] { kernel(n, a, stride, b, c, columns, rows, columns, true, {}); };
}

// A fused product of one segment; what all tiles have in common is copied to where it is compared.
template <class Number, class Call>
std::function<void()> fused_sample(const Kernels& k, SampleMemory& m, Call call) {
  const int rows = m.tile_rows(k);
  const int64_t columns = k.tile_columns;
  Number* wide = m.unseen<Number>(rows * columns);
  const bool comparable = m.comparable();
  Number* out = m.out<Number>(comparable ? rows * common_columns : 1);
  return [=] {
    call(FusedRows{reinterpret_cast<char*>(wide), columns * int64_t(sizeof(Number)), nullptr, 0}, rows);
    for (int r = 0; comparable && r < rows; ++r) std::copy_n(wide + r * columns, common_columns, out + r * common_columns);
  };
}

template <class Number, class Weight>
std::function<void()> integer_sample(const Kernels& k, SampleMemory& m, int64_t n, int in_word,
                                     void (*kernel)(const ProductSegment*, int, const Weight*, int, const Requantize&,
                                                    const FusedRows&)) {
  const Number* a = m.numbers<Number>(k.tile_rows * n * in_word, 0, 255);
  const Weight* b = tile_weights<Weight>(k, m, n, in_word);
  const int32_t* bias = m.numbers<int32_t>(k.tile_columns, -900, 900);
  const float* scale = m.fractions(k.tile_columns);
  return fused_sample<Number>(k, m, [=](const FusedRows& to, int rows) {
    const ProductSegment segment{reinterpret_cast<const char*>(a), n * in_word * int64_t(sizeof(Number)), n};
    kernel(&segment, 1, b, rows, {bias, scale, nullptr, false}, to);
  });
}

constexpr int64_t some_rows = 9;

}  // namespace

SWAV_SAMPLE(product_rows) { return product_sample(k, m, n, false); }
SWAV_SAMPLE(product_depth) { return product_sample(k, m, n, true); }

SWAV_SAMPLE(multiply_adds) {
  float* sum = m.out<float>(1);
  return [=] { *sum = k.multiply_adds(64 + n) / float(2 * k.tile_rows * k.lanes); };
}

SWAV_SAMPLE(fused_float) {
  const float *a = m.floats(k.tile_rows * n), *b = tile_weights<float>(k, m, n, 1), *bias = m.floats(k.tile_columns);
  return fused_sample<float>(k, m, [=](const FusedRows& to, int rows) {
    const ProductSegment segment{reinterpret_cast<const char*>(a), n * 4, n};
    k.fused_float(&segment, 1, b, rows, bias, true, to);
  });
}

SWAV_SAMPLE(fused_quads) { return integer_sample<uint8_t, int8_t>(k, m, n, 4, k.fused_quads); }
SWAV_SAMPLE(fused_pairs) { return integer_sample<uint16_t, int16_t>(k, m, n, 2, k.fused_pairs); }

SWAV_SAMPLE(tile_quads) {
  constexpr TileGeometry tile = bfloat_amx_tile;
  const uint8_t* a = m.numbers<uint8_t>(tile.rows * 4 * n, 0, 255);
  const int8_t* b = m.numbers<int8_t>(n * 4 * tile.columns, -128, 127);
  int32_t* c = m.out<int32_t>(tile.rows * tile.columns);
  return [=] {
    const ProductSegment segment{reinterpret_cast<const char*>(a), 4 * n, n};
    k.tile_quads(&segment, 1, b, tile.rows, c, tile.columns);
  };
}

SWAV_SAMPLE(finish_quads) {
  constexpr int rows = 5, columns = bfloat_amx_tile.columns;
  const int32_t *c = m.numbers<int32_t>(rows * columns, -900, 900), *bias = m.numbers<int32_t>(columns, -900, 900);
  const float *scale = m.fractions(columns), *residual_scale = m.fractions(columns);
  const uint8_t* residual = m.numbers<uint8_t>(rows * columns, 0, 255);
  uint8_t* out = m.out<uint8_t>(rows * columns);
  return [=] {
    k.finish_quads(c, columns, rows, {bias, scale, residual_scale, false},
                   {reinterpret_cast<char*>(out), columns, reinterpret_cast<const char*>(residual), columns});
  };
}

SWAV_SAMPLE(pack_plain) {
  const float* const* rows = m.rows(m.floats(some_rows * n), some_rows, n, true);
  float* to = m.out<float>(some_rows * n);
  return [=] { k.pack_plain(rows, some_rows, n, to, n, n, 0); };
}

SWAV_SAMPLE(pack_norm_relu) {
  const float* const* rows = m.rows(m.floats(some_rows * n), some_rows, n, true);
  const float *scale = m.floats(n), *shift = m.floats(n);
  float* to = m.out<float>(some_rows * n);
  return [=] { k.pack_norm_relu(rows, some_rows, n, scale, shift, to, n, n, 0); };
}

SWAV_SAMPLE(pack_gradient) {
  const float *x = m.floats(2 * some_rows * n), *a = m.floats(n), *b = m.floats(n), *c = m.floats(n);
  const float* const* rows = m.rows(x, some_rows, n, true);
  float* to = m.out<float>(some_rows * n);
  return [=] { k.pack_gradient(rows, some_rows * n, some_rows, n, a, b, c, to, n, n, 0); };
}

SWAV_SAMPLE(transpose) {
  const float* from = m.floats(n * n);
  float* to = m.out<float>(n * n);
  return [=] { k.transpose(from, n, n, n, to, n); };
}

SWAV_SAMPLE(transpose_add) {
  const float* from = m.floats(n * n);
  float* to = m.out<float>(n * n);
  return [=] { k.transpose_add(from, n, n, n, to, n); };
}

SWAV_SAMPLE(winograd_input_plain) {
  const float* const* pixels = m.rows(m.floats(36 * n), 36, n, true);
  float* to = m.out<float>(36 * n);
  return [=] { k.winograd_input_plain(pixels, n, to, n); };
}

SWAV_SAMPLE(winograd_input_norm_relu) {
  const float* const* pixels = m.rows(m.floats(36 * n), 36, n, true);
  const float *scale = m.floats(n), *shift = m.floats(n);
  float* to = m.out<float>(36 * n);
  return [=] { k.winograd_input_norm_relu(pixels, n, scale, shift, to, n); };
}

SWAV_SAMPLE(winograd_input_gradient) {
  const float* const* pixels = m.rows(m.floats(72 * n), 36, n, true);
  const float *a = m.floats(n), *b = m.floats(n), *c = m.floats(n);
  float* to = m.out<float>(36 * n);
  return [=] { k.winograd_input_gradient(pixels, 36 * n, n, a, b, c, to, n); };
}

SWAV_SAMPLE(winograd_output) {
  const float* from = m.floats(36 * n);
  float* const* pixels = m.rows(m.out<float>(16 * n), 16, n, true);
  return [=] { k.winograd_output(from, n, n, pixels, true); };
}

SWAV_SAMPLE(winograd_output_fused) {
  const float *from = m.floats(36 * n), *bias = m.floats(n);
  const float* const* residuals = m.rows(m.floats(16 * n), 16, n);
  float* const* pixels = m.rows(m.out<float>(16 * n), 16, n, true);
  return [=] { k.winograd_output_fused(from, n, n, bias, residuals, true, pixels); };
}

// Taps are multiplied by sixths and 24ths: a few roundings of values to 16, in an order that contraction changes.
SWAV_SAMPLE(winograd_weights) {
  m.tolerance = 16 * 1.2e-7;
  const int64_t wide = round_up(n, 16);
  const float* taps = m.floats(9 * wide);
  float* to = m.out<float>(36 * wide);
  return [=] { k.winograd_weights(taps, wide, wide, to, wide); };
}

// One panel: its width is a matter of the instruction set.
SWAV_SAMPLE(winograd_gradient_plain) {
  m.tolerance = 16 * 1.2e-7;
  const int64_t columns = std::min<int64_t>(n, m.comparable() ? common_columns : k.tile_columns);
  const float* const* pixels = m.rows(m.floats(16 * columns), 16, columns, true);
  float* to = m.out<float>(36 * columns);
  return [=] { k.winograd_gradient_plain(pixels, columns, to, columns, 0); };
}

SWAV_SAMPLE(winograd_gradient) {
  m.tolerance = 16 * 1.2e-7;
  const int64_t columns = std::min<int64_t>(n, m.comparable() ? common_columns : k.tile_columns);
  const float* const* pixels = m.rows(m.floats(32 * columns), 16, columns, true);
  const float *a = m.floats(columns), *b = m.floats(columns), *c = m.floats(columns);
  float* to = m.out<float>(36 * columns);
  return [=] { k.winograd_gradient(pixels, 16 * columns, columns, a, b, c, to, columns, 0); };
}

SWAV_SAMPLE(winograd_taps) {
  const float* from = m.floats(36 * n);
  float* to = m.out<float>(9 * n);
  return [=] { k.winograd_taps(from, n, n, to, n); };
}

}  // namespace swav::test
