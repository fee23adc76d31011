// Small row operations of the head.
#pragma once

#include <cstdint>

namespace swav {

// Rows to unit norm (x / max(|x|, 1e-12)); norms [rows] keeps the divisors.
void normalize_rows(const float* x, int64_t rows, int64_t n, float* unit, float* norms);

// Backward: dx = (d - (d . unit) unit) / norm; a row at the floor: d / norm.
void normalize_rows_backward(const float* d, const float* unit, const float* norms, int64_t rows, int64_t n, float* dx);

// d_bias[c] += sum over rows of d.
void bias_backward(const float* d, int64_t rows, int64_t n, float* d_bias);

}  // namespace swav
