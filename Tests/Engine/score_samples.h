// Scores as training sees them, and the plain formula in double: what the tests of codes, loss and queue share.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "base/random.h"

namespace swav::test {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

// `rows` random vectors of unit norm, [rows][dim].
inline Floats unit_vectors(uint64_t seed, int64_t rows, int64_t dim) {
  Random random(seed, Purpose::test);
  Floats z(size_t(rows * dim));
  for (int64_t n = 0; n < rows; ++n) {
    double square = 0;
    for (int64_t d = 0; d < dim; ++d) {
      z[size_t(n * dim + d)] = float(random.normal());
      square += std::pow(double(z[size_t(n * dim + d)]), 2);
    }
    for (int64_t d = 0; d < dim; ++d) z[size_t(n * dim + d)] = float(double(z[size_t(n * dim + d)]) / std::sqrt(square));
  }
  return z;
}

// a [rows][dim] times the transpose of b [columns][dim].
inline Floats cosines(const Floats& a, const Floats& b, int64_t dim) {
  const int64_t rows = int64_t(a.size()) / dim, columns = int64_t(b.size()) / dim;
  Floats s(size_t(rows * columns));
  for (int64_t n = 0; n < rows; ++n) {
    for (int64_t k = 0; k < columns; ++k) {
      double dot = 0;
      for (int64_t d = 0; d < dim; ++d) dot += double(a[size_t(n * dim + d)]) * double(b[size_t(k * dim + d)]);
      s[size_t(n * columns + k)] = float(dot);
    }
  }
  return s;
}

inline Floats random_scores(uint64_t seed, int64_t rows, int64_t prototypes, int64_t dim = 32) {
  return cosines(unit_vectors(seed, rows, dim), unit_vectors(seed + 1000, prototypes, dim), dim);
}

inline double log_sum_exp(const Doubles& x) {
  double largest = x[0], sum = 0;
  for (double v : x) largest = std::max(largest, v);
  for (double v : x) sum += std::exp(v - largest);
  return largest + std::log(sum);
}

// Sinkhorn-Knopp in the log domain in double: the reference formula without its constants, which the last step cancels.
inline Doubles log_domain_codes(const Floats& scores, int64_t rows, int64_t prototypes, double epsilon, int iterations) {
  Doubles q(scores.size());
  for (size_t i = 0; i < q.size(); ++i) q[i] = double(scores[i]) / epsilon;
  for (int it = 0; it < iterations; ++it) {
    for (int64_t k = 0; k < prototypes; ++k) {
      Doubles column;
      for (int64_t n = 0; n < rows; ++n) column.push_back(q[size_t(n * prototypes + k)]);
      const double total = log_sum_exp(column);
      for (int64_t n = 0; n < rows; ++n) q[size_t(n * prototypes + k)] -= total;
    }
    for (int64_t n = 0; n < rows; ++n) {
      const double total = log_sum_exp(Doubles(q.begin() + n * prototypes, q.begin() + (n + 1) * prototypes));
      for (int64_t k = 0; k < prototypes; ++k) q[size_t(n * prototypes + k)] -= total;
    }
  }
  for (double& v : q) v = std::exp(v);
  return q;
}

}  // namespace swav::test
