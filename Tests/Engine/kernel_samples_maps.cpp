// Samples (kernel_rows.h) of kernels over maps of bfloat16: packing, passes and transforms.
#include "kernel_samples_bfloat.h"

#include <algorithm>

namespace swav::test {
namespace {

constexpr int64_t some_rows = 8;
constexpr double eps = 1.2e-7;

const bfloat16* numbers(SampleMemory& m, int64_t n) { return m.numbers<bfloat16>(n, -4, 4); }

}  // namespace

SWAV_SAMPLE(write_bfloat) {
  const float* c = m.floats(some_rows * n);
  bfloat16* const* rows = m.rows(m.out<bfloat16>(some_rows * n), some_rows, n);
  return [=, kernel = table(k).write_bfloat] { kernel(c, n, rows, 0, int(some_rows), n, true); };
}

SWAV_SAMPLE(bfloat_rows_plain) {
  const bfloat16* const* rows = m.rows(numbers(m, some_rows * n), some_rows, n, true);
  const int64_t even = n + n % 2;
  bfloat16* to = m.out<bfloat16>(some_rows * even);
  return [=, kernel = table(k).bfloat_rows_plain] { kernel(rows, some_rows, n, to, even); };
}

SWAV_SAMPLE(bfloat_rows_norm_relu) {
  const bfloat16* const* rows = m.rows(numbers(m, some_rows * n), some_rows, n, true);
  const float *scale = m.floats(n), *shift = m.floats(n);
  const int64_t even = n + n % 2;
  bfloat16* to = m.out<bfloat16>(some_rows * even);
  return [=, kernel = table(k).bfloat_rows_norm_relu] { kernel(rows, some_rows, n, scale, shift, to, even); };
}

SWAV_SAMPLE(bfloat_rows_gradient) {
  const bfloat16* const* rows = m.rows(numbers(m, 2 * some_rows * n), some_rows, n, true);
  const float *a = m.floats(n), *b = m.floats(n), *c = m.floats(n);
  const int64_t even = n + n % 2;
  bfloat16* to = m.out<bfloat16>(some_rows * even);
  return [=, kernel = table(k).bfloat_rows_gradient] { kernel(rows, some_rows * n, some_rows, n, a, b, c, to, even); };
}

// Words are compared as the numbers that they hold.
SWAV_SAMPLE(bfloat_pairs_float) {
  const float* const* rows = m.rows(m.floats(some_rows * n), some_rows, n, true);
  bfloat16* to = m.out<bfloat16>(some_rows * n);
  return [=, kernel = table(k).bfloat_pairs_float] { kernel(rows, some_rows / 2, n, reinterpret_cast<float*>(to), n, n, 0); };
}

SWAV_SAMPLE(bfloat_pairs_plain) {
  const bfloat16* const* rows = m.rows(numbers(m, some_rows * n), some_rows, n, true);
  bfloat16* to = m.out<bfloat16>(some_rows * n);
  return [=, kernel = table(k).bfloat_pairs_plain] { kernel(rows, some_rows / 2, n, reinterpret_cast<float*>(to), n, n, 0); };
}

SWAV_SAMPLE(bfloat_pairs_norm_relu) {
  const bfloat16* const* rows = m.rows(numbers(m, some_rows * n), some_rows, n, true);
  const float *scale = m.floats(n), *shift = m.floats(n);
  bfloat16* to = m.out<bfloat16>(some_rows * n);
  return [=, kernel = table(k).bfloat_pairs_norm_relu] {
    kernel(rows, some_rows / 2, n, scale, shift, reinterpret_cast<float*>(to), n, n, 0);
  };
}

SWAV_SAMPLE(bfloat_pairs_gradient) {
  const bfloat16* const* rows = m.rows(numbers(m, 2 * some_rows * n), some_rows, n, true);
  const float *a = m.floats(n), *b = m.floats(n), *c = m.floats(n);
  bfloat16* to = m.out<bfloat16>(some_rows * n);
  return [=, kernel = table(k).bfloat_pairs_gradient] {
    kernel(rows, some_rows * n, some_rows / 2, n, a, b, c, reinterpret_cast<float*>(to), n, n, 0);
  };
}

SWAV_SAMPLE(bfloat_values_float) {
  const float* const* rows = m.rows(m.floats(some_rows * n), some_rows, n, true);
  float* to = m.out<float>(some_rows * n);
  return [=, kernel = table(k).bfloat_values_float] { kernel(rows, some_rows, n, to, n, n, 0); };
}

SWAV_SAMPLE(bfloat_values_plain) {
  const bfloat16* const* rows = m.rows(numbers(m, some_rows * n), some_rows, n, true);
  float* to = m.out<float>(some_rows * n);
  return [=, kernel = table(k).bfloat_values_plain] { kernel(rows, some_rows, n, to, n, n, 0); };
}

SWAV_SAMPLE(bfloat_values_norm_relu) {
  const bfloat16* const* rows = m.rows(numbers(m, some_rows * n), some_rows, n, true);
  const float *scale = m.floats(n), *shift = m.floats(n);
  float* to = m.out<float>(some_rows * n);
  return [=, kernel = table(k).bfloat_values_norm_relu] { kernel(rows, some_rows, n, scale, shift, to, n, n, 0); };
}

SWAV_SAMPLE(bfloat_values_gradient) {
  const bfloat16* const* rows = m.rows(numbers(m, 2 * some_rows * n), some_rows, n, true);
  const float *a = m.floats(n), *b = m.floats(n), *c = m.floats(n);
  float* to = m.out<float>(some_rows * n);
  return [=, kernel = table(k).bfloat_values_gradient] { kernel(rows, some_rows * n, some_rows, n, a, b, c, to, n, n, 0); };
}

SWAV_SAMPLE(bfloat_words_widened) {
  const bfloat16* const* rows = m.rows(numbers(m, some_rows * 2 * n), some_rows, 2 * n);
  float* to = m.out<float>(some_rows * 2 * n);
  return [=, kernel = table(k).bfloat_words_widened] { kernel(rows, some_rows, 2 * n, to, 2 * n); };
}

// As block_moments.
SWAV_SAMPLE(block_moments_bfloat) {
  m.tolerance = some_rows * 64 * eps;
  const bfloat16* y = numbers(m, some_rows * n);
  float *mean = m.out<float>(n), *m2 = m.out<float>(n);
  return [=, kernel = table(k).block_moments_bfloat] { kernel(y, n, some_rows, n, mean, m2); };
}

SWAV_SAMPLE(column_sums_bfloat) {
  const bfloat16* x = numbers(m, some_rows * n);
  float* sums = m.out<float>(n);
  return [=, kernel = table(k).column_sums_bfloat] { kernel(x, n, some_rows, n, sums); };
}

SWAV_SAMPLE(relu_backward_bfloat) {
  const bfloat16* y = numbers(m, some_rows * n);
  const float *scale = m.floats(n), *shift = m.floats(n), *mean = m.floats(n);
  bfloat16* dx = m.out<bfloat16>(some_rows * n);
  float *sum = m.out<float>(n), *centred = m.out<float>(n);
  return [=, kernel = table(k).relu_backward_bfloat] { kernel(dx, y, n, some_rows, n, scale, shift, mean, sum, centred); };
}

SWAV_SAMPLE(gradient_sums_bfloat) {
  const bfloat16 *dz = numbers(m, some_rows * n), *y = numbers(m, some_rows * n);
  const float* mean = m.floats(n);
  float *sum = m.out<float>(n), *centred = m.out<float>(n);
  return [=, kernel = table(k).gradient_sums_bfloat] { kernel(dz, y, n, some_rows, n, mean, sum, centred); };
}

SWAV_SAMPLE(masked_gradient_sums_bfloat) {
  const bfloat16 *x = numbers(m, some_rows * n), *y = numbers(m, some_rows * n);
  const float* mean = m.floats(n);
  bfloat16* dx = m.out<bfloat16>(some_rows * n);
  float *sum = m.out<float>(n), *centred = m.out<float>(n);
  return [=, kernel = table(k).masked_gradient_sums_bfloat] { kernel(dx, x, y, n, some_rows, n, mean, sum, centred); };
}

SWAV_SAMPLE(residual_plain_bfloat) {
  const bfloat16 *y = numbers(m, some_rows * n), *identity = numbers(m, some_rows * n);
  const float *scale = m.floats(n), *shift = m.floats(n);
  bfloat16* sum = m.out<bfloat16>(some_rows * n);
  return [=, kernel = table(k).residual_plain_bfloat] { kernel(y, identity, some_rows, n, scale, shift, sum); };
}

SWAV_SAMPLE(residual_projected_bfloat) {
  const bfloat16 *y = numbers(m, some_rows * n), *side = numbers(m, some_rows * n);
  const float *scale = m.floats(n), *shift = m.floats(n), *side_scale = m.floats(n), *side_shift = m.floats(n);
  bfloat16* sum = m.out<bfloat16>(some_rows * n);
  return [=, kernel = table(k).residual_projected_bfloat] {
    kernel(y, side, some_rows, n, scale, shift, side_scale, side_shift, sum);
  };
}

SWAV_SAMPLE(max_pool_bfloat) {
  const bfloat16* const* rows = m.rows(numbers(m, 9 * n), 9, n, true);
  const float *scale = m.floats(n), *shift = m.floats(n);
  bfloat16* out = m.out<bfloat16>(n);
  uint8_t* index = m.out<uint8_t>(n);
  return [=, kernel = table(k).max_pool_bfloat] { kernel(rows, 9, n, scale, shift, out, index); };
}

SWAV_SAMPLE(max_pool_backward_bfloat) {
  const bfloat16* const* d_out = m.rows(numbers(m, 4 * n), 4, n);
  const uint8_t* const* index = m.rows(m.numbers<uint8_t>(4 * n, 0, 8), 4, n);
  const int* taps = m.numbers<int32_t>(4, 0, 8);
  bfloat16* dz = m.out<bfloat16>(n);
  return [=, kernel = table(k).max_pool_backward_bfloat] { kernel(d_out, index, taps, 4, n, dz); };
}

SWAV_SAMPLE(winograd_input_plain_bfloat) {
  const bfloat16* const* pixels = m.rows(numbers(m, 36 * n), 36, n, true);
  float* to = m.out<float>(36 * n);
  return [=, kernel = table(k).winograd_input_plain_bfloat] { kernel(pixels, n, to, n); };
}

SWAV_SAMPLE(winograd_input_norm_relu_bfloat) {
  const bfloat16* const* pixels = m.rows(numbers(m, 36 * n), 36, n, true);
  const float *scale = m.floats(n), *shift = m.floats(n);
  float* to = m.out<float>(36 * n);
  return [=, kernel = table(k).winograd_input_norm_relu_bfloat] { kernel(pixels, n, scale, shift, to, n); };
}

SWAV_SAMPLE(winograd_input_gradient_bfloat) {
  const bfloat16* const* pixels = m.rows(numbers(m, 72 * n), 36, n, true);
  const float *a = m.floats(n), *b = m.floats(n), *c = m.floats(n);
  float* to = m.out<float>(36 * n);
  return [=, kernel = table(k).winograd_input_gradient_bfloat] { kernel(pixels, 36 * n, n, a, b, c, to, n); };
}

SWAV_SAMPLE(winograd_output_bfloat) {
  const float* from = m.floats(36 * n);
  bfloat16* const* pixels = m.rows(m.out<bfloat16>(16 * n), 16, n, true);
  return [=, kernel = table(k).winograd_output_bfloat] { kernel(from, n, n, pixels, true); };
}

// As winograd_gradient_plain and winograd_gradient.
SWAV_SAMPLE(winograd_gradient_plain_bfloat) {
  m.tolerance = 16 * eps;
  const int64_t columns = std::min<int64_t>(n, m.comparable() ? 8 : k.tile_columns);
  const bfloat16* const* pixels = m.rows(numbers(m, 16 * columns), 16, columns, true);
  float* to = m.out<float>(36 * columns);
  return [=, kernel = table(k).winograd_gradient_plain_bfloat] { kernel(pixels, columns, to, columns, 0); };
}

SWAV_SAMPLE(winograd_gradient_bfloat) {
  m.tolerance = 16 * eps;
  const int64_t columns = std::min<int64_t>(n, m.comparable() ? 8 : k.tile_columns);
  const bfloat16* const* pixels = m.rows(numbers(m, 32 * columns), 16, columns, true);
  const float *a = m.floats(columns), *b = m.floats(columns), *c = m.floats(columns);
  float* to = m.out<float>(36 * columns);
  return [=, kernel = table(k).winograd_gradient_bfloat] { kernel(pixels, 16 * columns, columns, a, b, c, to, columns, 0); };
}

}  // namespace swav::test
