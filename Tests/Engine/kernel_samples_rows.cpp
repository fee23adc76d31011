// Samples (kernel_rows.h) of statistics, batch-norm, pooling, the objective and the optimisers.
#include "kernel_rows.h"
#include "ops/row_blocks.h"

namespace swav::test {
namespace {

constexpr double eps = 1.2e-7;
constexpr int64_t some_rows = 7;

}  // namespace

// Deviations from a mean that is no integer: seven of up to 8, squared, each rounded to eps.
SWAV_SAMPLE(block_moments) {
  m.tolerance = some_rows * 64 * eps;
  const float* y = m.floats(some_rows * n);
  float *mean = m.out<float>(n), *m2 = m.out<float>(n);
  return [=] { k.block_moments(y, n, some_rows, n, mean, m2); };
}

SWAV_SAMPLE(column_sums) {
  const float* x = m.floats(some_rows * n);
  float* sums = m.out<float>(n);
  return [=] { k.column_sums(x, n, some_rows, n, sums); };
}

SWAV_SAMPLE(add_row) {
  const float* bias = m.floats(n);
  float* y = m.out<float>(some_rows * n);
  return [=] { k.add_row(y, n, some_rows, n, bias); };
}

SWAV_SAMPLE(relu_backward) {
  const float *y = m.floats(some_rows * n), *scale = m.floats(n), *shift = m.floats(n), *mean = m.floats(n);
  float *dx = m.out<float>(some_rows * n), *sum = m.out<float>(n), *centred = m.out<float>(n);
  return [=] { k.relu_backward(dx, y, n, some_rows, n, scale, shift, mean, sum, centred); };
}

SWAV_SAMPLE(gradient_sums) {
  const float *dz = m.floats(some_rows * n), *y = m.floats(some_rows * n), *mean = m.floats(n);
  float *sum = m.out<float>(n), *centred = m.out<float>(n);
  return [=] { k.gradient_sums(dz, y, n, some_rows, n, mean, sum, centred); };
}

SWAV_SAMPLE(masked_gradient_sums) {
  const float *x = m.floats(some_rows * n), *y = m.floats(some_rows * n), *mean = m.floats(n);
  float *dx = m.out<float>(some_rows * n), *sum = m.out<float>(n), *centred = m.out<float>(n);
  return [=] { k.masked_gradient_sums(dx, x, y, n, some_rows, n, mean, sum, centred); };
}

SWAV_SAMPLE(residual_plain) {
  const float *y = m.floats(some_rows * n), *identity = m.floats(some_rows * n), *scale = m.floats(n), *shift = m.floats(n);
  float* sum = m.out<float>(some_rows * n);
  return [=] { k.residual_plain(y, identity, some_rows, n, scale, shift, sum); };
}

SWAV_SAMPLE(residual_projected) {
  const float *y = m.floats(some_rows * n), *side = m.floats(some_rows * n);
  const float *scale = m.floats(n), *shift = m.floats(n), *side_scale = m.floats(n), *side_shift = m.floats(n);
  float* sum = m.out<float>(some_rows * n);
  return [=] { k.residual_projected(y, side, some_rows, n, scale, shift, side_scale, side_shift, sum); };
}

SWAV_SAMPLE(max_pool) {
  const float* const* rows = m.rows(m.floats(9 * n), 9, n, true);
  const float *scale = m.floats(n), *shift = m.floats(n);
  float* out = m.out<float>(n);
  uint8_t* index = m.out<uint8_t>(n);
  return [=] { k.max_pool(rows, 9, n, scale, shift, out, index); };
}

SWAV_SAMPLE(max_pool_backward) {
  const float* const* d_out = m.rows(m.floats(4 * n), 4, n);
  const uint8_t* const* index = m.rows(m.numbers<uint8_t>(4 * n, 0, 8), 4, n);
  const int* taps = m.numbers<int32_t>(4, 0, 8);
  float* dz = m.out<float>(n);
  return [=] { k.max_pool_backward(d_out, index, taps, 4, n, dz); };
}

SWAV_SAMPLE(maximum_float) {
  const int64_t wide = round_up(n, 16);
  const float* const* rows = m.rows(m.floats(9 * wide), 9, wide);
  float* out = m.out<float>(wide);
  return [=] { k.maximum_float(rows, 9, wide, out); };
}

SWAV_SAMPLE(maximum_bytes) {
  const int64_t wide = round_up(n, 16);
  const uint8_t* const* rows = m.rows(m.numbers<uint8_t>(9 * wide, 0, 255), 9, wide);
  uint8_t* out = m.out<uint8_t>(wide);
  return [=] { k.maximum_bytes(rows, 9, wide, out); };
}

SWAV_SAMPLE(maximum_halves) {
  const int64_t wide = round_up(n, 16);
  const uint16_t* const* rows = m.rows(m.numbers<uint16_t>(9 * wide, 0, 255), 9, wide);
  uint16_t* out = m.out<uint16_t>(wide);
  return [=] { k.maximum_halves(rows, 9, wide, out); };
}

SWAV_SAMPLE(row_max) {
  const float* x = m.floats(n);
  float* result = m.out<float>(1);
  return [=] { *result = k.row_max(x, n); };
}

SWAV_SAMPLE(column_max) {
  const float* x = m.floats(n);
  float *most = m.out<float>(n), *result = m.out<float>(1);
  return [=] { *result = k.column_max(x, most, n); };
}

SWAV_SAMPLE(column_moments) {
  const float *x = m.floats(n), *origin = m.floats(n);
  float *sums = m.out<float>(n), *squares = m.out<float>(n);
  return [=] { k.column_moments(x, origin, sums, squares, n); };
}

// exp of up to 1: relative errors of 2e-7 on each side.
SWAV_SAMPLE(exp_accumulate) {
  m.tolerance = 8e-7;
  const float *x = m.floats(n), *shift = m.floats(n);
  float* y = m.out<float>(n);
  return [=] { k.exp_accumulate(x, shift, 0.125f, y, n); };
}

SWAV_SAMPLE(exp_multiply) {
  m.tolerance = 8e-7;
  const float *x = m.floats(n), *shift = m.floats(n);
  float* y = m.out<float>(n);
  return [=] { k.exp_multiply(x, shift, 0.125f, y, n); };
}

SWAV_SAMPLE(potential_max) {
  const float *x = m.floats(n), *high = m.floats(n), *low = m.floats(n);
  float* result = m.out<float>(1);
  return [=] { *result = k.potential_max(x, high, low, 0.5f, n); };
}

SWAV_SAMPLE(potential_exp) {
  m.tolerance = 32 * eps;
  const float *x = m.floats(n), *high = m.floats(n), *low = m.floats(n);
  float* y = m.out<float>(n);
  double* result = m.out<double>(1);
  return [=] { *result = k.potential_exp(x, high, low, 0.125f, 5.0f, y, n); };
}

SWAV_SAMPLE(add_scaled) {
  const float* x = m.floats(n);
  float* y = m.out<float>(n);
  return [=] { k.add_scaled(x, 0.5f, y, n); };
}

SWAV_SAMPLE(scale_row) {
  const float* x = m.floats(n);
  float* y = m.out<float>(n);
  return [=] { k.scale_row(x, 0.5f, y, n); };
}

SWAV_SAMPLE(softmax_cross) {
  m.tolerance = 32 * eps;
  const float *x = m.floats(n), *q = m.fractions(n);
  float* y = m.out<float>(n);
  double* sums = m.out<double>(3);
  return [=] { k.softmax_cross(x, q, 4.0f, 0.5f, y, sums, n); };
}

SWAV_SAMPLE(combine_rows) {
  const float *x = m.floats(n), *y = m.floats(n);
  float* z = m.out<float>(n);
  return [=] { k.combine_rows(x, 0.5f, y, -2.0f, z, n); };
}

SWAV_SAMPLE(row_entropy) {
  m.tolerance = 32 * eps;
  const float* q = m.fractions(n);
  double* result = m.out<double>(1);
  return [=] { *result = k.row_entropy(q, n); };
}

SWAV_SAMPLE(sum_squares) {
  const float* x = m.floats(n);
  double* result = m.out<double>(1);
  return [=] { *result = k.sum_squares(x, n); };
}

SWAV_SAMPLE(momentum_step) {
  const float* gradient = m.floats(n);
  float *value = m.out<float>(n), *momentum = m.out<float>(n);
  return [=] { k.momentum_step(value, gradient, momentum, 0.125f, 0.5f, 0.5f, 0.25f, n); };
}

// Second moments stay positive; a root and a quotient, each within eps, of what is no integer.
SWAV_SAMPLE(adam_step) {
  m.tolerance = 16 * eps;
  const float *gradient = m.floats(n), *begin = m.fractions(n);
  float *value = m.out<float>(n), *first = m.out<float>(n), *second = m.out<float>(n);
  return [=] {
    for (int64_t i = 0; i < n; ++i) second[i] = begin[i];
    const float factors[] = {0.875f, 0.125f, 0.875f, 0.125f, 0.75f, 0.25f, 1.0f, 0.5f};
    k.adam_step(value, gradient, first, second, factors, n);
  };
}

}  // namespace swav::test
