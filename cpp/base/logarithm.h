// The natural logarithm by additions, multiplications and one division, which every CPU rounds alike. The C library's own has
// versions for different CPUs, and so different last bits.
#pragma once

#include <cmath>

namespace swav {

// ln x for x > 0 and finite, relative error below 4e-16 (1e-16 near 1, absolutely). x = m 2^e with m in [sqrt(1/2), sqrt(2))
// and ln m = 2 artanh(z), z = (m - 1) / (m + 1): |z| < 0.172, so z^23 / 23 is the first term below 2^-53.
inline double logarithm(double x) {
  int exponent;
  double m = std::frexp(x, &exponent);
  if (m < 0.70710678118654752) {
    m *= 2;
    --exponent;
  }
  const double z = (m - 1) / (m + 1), square = z * z;
  double series = 0;
  for (int n = 21; n >= 3; n -= 2) series = series * square + 1.0 / n;
  return exponent * 0.69314718055994531 + (2 * z + 2 * z * square * series);
}

}  // namespace swav
