// Kernels of the optimisers. Contracts: kernel_table.inl.h.

// As many doubles as vec has floats: two registers where the hardware has no wider one.
typedef double dvec __attribute__((vector_size(SWAV_LANES * 8), aligned(8)));

SWAV_INLINE vec sqrt(vec x) {
  for (int j = 0; j < lanes; ++j) x[j] = __builtin_sqrtf(x[j]);
  return x;
}

double sum_squares(const float* x, int64_t n) {
  dvec s{};
  for_vectors(n, [&](int64_t i, int64_t left) SWAV_BODY {
    const dvec d = __builtin_convertvector(get(x + i, left), dvec);
    s += d * d;
  });
  double total = 0;
  for (int j = 0; j < lanes; ++j) total += s[j];
  return total;
}

void momentum_step(float* value, const float* gradient, float* momentum, float rate, float factor, float scale, float decay,
                   int64_t n) {
  for_vectors(n, [&](int64_t i, int64_t left) SWAV_BODY {
    const vec p = get(value + i, left);
    const vec g = (get(gradient + i, left) + p * decay) * scale;
    const vec v = get(momentum + i, left) * factor + g;
    put(momentum + i, v, left);
    put(value + i, p - v * rate, left);
  });
}

void adam_step(float* value, const float* gradient, float* m, float* v, const float* factors, int64_t n) {
  const float keep = factors[0], rate = factors[1], beta1 = factors[2], rest1 = factors[3], beta2 = factors[4],
              rest2 = factors[5];
  const float root = factors[6], epsilon = factors[7];
  for_vectors(n, [&](int64_t i, int64_t left) SWAV_BODY {
    const vec g = get(gradient + i, left);
    const vec first = get(m + i, left) * beta1 + g * rest1;
    const vec second = get(v + i, left) * beta2 + g * g * rest2;
    put(m + i, first, left);
    put(v + i, second, left);
    put(value + i, get(value + i, left) * keep - first * rate / (sqrt(second) * root + epsilon), left);
  });
}
