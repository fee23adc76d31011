// Kernels of the objective: exponentials and row sums. Contracts: kernel_table.h.

// exp by range reduction to |r| <= ln2/2 and a polynomial of degree 6 (Cody-Waite split of ln 2, minimax coefficients).
SWAV_INLINE vec exp(vec x) {
  const vec low = splat(-87.0f), high = splat(88.0f);
  const ivec underflow = x < low;
  x = min(max(x, low), high);
  const vec magic = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
  const vec n = (x * 1.44269504088896341f + magic) - magic;
  vec r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  vec p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const ivec exponent = ((ivec)(n + magic) - (ivec)magic + 127) << 23;
  return select(underflow, vec{}, p * (vec)exponent);
}

float row_max(const float* x, int64_t n) {
  float best = x[0];
  int64_t i = 0;
  if (n >= lanes) {
    vec m = load(x);
    for (i = lanes; i + lanes <= n; i += lanes) m = max(m, load(x + i));
    for (int j = 0; j < lanes; ++j) best = m[j] > best ? m[j] : best;
  }
  for (; i < n; ++i) best = x[i] > best ? x[i] : best;
  return best;
}

double exp_scaled(const float* x, float scale, float shift, float* y, int64_t n) {
  double total = 0;
  int64_t i = 0;
  // Blocks of 16 vectors are summed in float, blocks in double: error below 16 eps of the sum.
  while (i + lanes <= n) {
    vec part{};
    for (int block = 0; block < 16 && i + lanes <= n; ++block, i += lanes) {
      const vec e = exp(load(x + i) * scale - shift);
      store(y + i, e);
      part += e;
    }
    total += double(sum(part));
  }
  if (i < n) {
    const vec e = exp(load_part(x + i, n - i) * scale - shift);
    store_part(y + i, e, n - i);
    for (int64_t j = 0; j < n - i; ++j) total += double(y[i + j]);
  }
  return total;
}
