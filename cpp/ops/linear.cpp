#include "ops/linear.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"

namespace swav {
namespace {
constexpr double norm_floor = 1e-12;
constexpr int64_t rows_a_task = 16;
constexpr int64_t columns_a_task = 32;

template <class F>
void for_rows(int64_t rows, F&& body) {
  parallel::for_each((rows + rows_a_task - 1) / rows_a_task, [&](int64_t task, int) {
    const int64_t end = std::min(rows, (task + 1) * rows_a_task);
    for (int64_t r = task * rows_a_task; r < end; ++r) body(r);
  });
}

double dot(const float* a, const float* b, int64_t n) {
  double total = 0;
  for (int64_t i = 0; i < n; ++i) total += double(a[i]) * double(b[i]);
  return total;
}
}  // namespace

void normalize_rows(const float* x, int64_t rows, int64_t n, float* unit, float* norms) {
  for_rows(rows, [&](int64_t r) {
    const float* from = x + r * n;
    const double norm = std::max(std::sqrt(dot(from, from, n)), norm_floor);
    for (int64_t i = 0; i < n; ++i) unit[r * n + i] = float(double(from[i]) / norm);
    norms[r] = float(norm);
  });
}

void normalize_rows_backward(const float* d, const float* unit, const float* norms, int64_t rows, int64_t n, float* dx) {
  for_rows(rows, [&](int64_t r) {
    const double along = double(norms[r]) > norm_floor ? dot(d + r * n, unit + r * n, n) : 0.0;
    for (int64_t i = r * n; i < (r + 1) * n; ++i) dx[i] = float((double(d[i]) - along * double(unit[i])) / double(norms[r]));
  });
}

void bias_backward(const float* d, int64_t rows, int64_t n, float* d_bias) {
  parallel::for_each((n + columns_a_task - 1) / columns_a_task, [&](int64_t task, int) {
    const int64_t c0 = task * columns_a_task, c1 = std::min(n, c0 + columns_a_task);
    double sums[columns_a_task] = {};
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = c0; c < c1; ++c) sums[c - c0] += double(d[r * n + c]);
    }
    for (int64_t c = c0; c < c1; ++c) d_bias[c] += float(sums[c - c0]);
  });
}

}  // namespace swav
