// Kernels of the objective: exponentials and row sums. Contracts: kernel_table.inl.h.
//
// Each is one loop over vectors by for_vectors; `get` and `put` take what is left for the last one (its spare lanes read
// zeros).

// exp; beyond 88 that of 88, which is finite. x = n ln 2 + r with |r| <= ln 2 / 2 (ln 2 in two parts, so that n ln 2 is exact),
// exp(r) = 1 + r + r^2 p(r) with p of degree 4 minimax in the relative error (3e-9), and n added to the exponent.
SWAV_INLINE vec exp(vec x) {
  const vec low = splat(-87.0f);
  const ivec underflow = x < low;
  x = max(low, x);  // this way round NaN is a large negative number: the difference of infinities where scores are near 3e38
  x = min(x, splat(88.0f));
  const vec magic = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer, which then stands in the lowest bits
  const vec rounded = x * 1.44269504088896341f + magic;
  const vec n = rounded - magic;
  vec r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  vec p = splat(1.381459878757596e-3f);
  p = p * r + 8.368716575205326e-3f;
  p = p * r + 4.166838899254799e-2f;
  p = p * r + 1.666652113199234e-1f;
  p = p * r + 4.999999403953552e-1f;
  p = p * (r * r) + r + 1.0f;
  const ivec exponent = ((ivec)rounded - ((ivec)magic - 127)) << 23;
  return select(underflow, vec{}, p * (vec)exponent);
}

// log of x > 0 and normal: x = 2^e * m with m in [sqrt(1/2), sqrt(2)), polynomial of degree 8 in m - 1.
SWAV_INLINE vec log(vec x) {
  const ivec bits = (ivec)x - 0x3f3504f3;
  const ivec e = bits >> 23;
  const vec m = (vec)((bits & 0x007fffff) + 0x3f3504f3) - 1.0f;
  vec p = splat(7.0376836292e-2f);
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  const vec n = __builtin_convertvector(e, vec);
  const vec square = m * m;
  return m + (square * (p * m - 0.5f) + n * -2.12194440e-4f) + n * 0.693359375f;
}

// Calls body(i, left) for i = 0, lanes, 2 lanes.. below n, with left = lanes while a whole vector is left, and n - i at last.
// Lanes from `left` on become zero.
SWAV_INLINE vec keep_first(vec v, int64_t left) {
  if (left >= lanes) return v;
  for (int j = 0; j < lanes; ++j) {
    if (j >= left) v[j] = 0;
  }
  return v;
}

// A sum over a row: 16 vectors are added in float, these parts in double, so the error stays below 16 eps of the sum of
// magnitudes.
struct RowSum {
  vec part;
  double total;
  int count;
};
SWAV_INLINE void add(RowSum* s, vec v) {
  s->part += v;
  if (++s->count == 16) {
    s->total += double(sum(s->part));
    s->part = vec{};
    s->count = 0;
  }
}
SWAV_INLINE double total(const RowSum* s) { return s->total + double(sum(s->part)); }

// How far ahead what comes from memory is fetched, in floats: 2 KiB, as the hardware's own prefetch stops at each page of 4
// KiB. Over 4096 x 3000 scores 17 % of the codes' time (1 KiB: 12 %, 4 KiB: 15 %) and 9 % of the loss's; nothing for
// column_max.
constexpr int64_t ahead = 512;

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

float column_max(const float* x, float* m, int64_t n) {
  vec poison{};  // x * 0 is NaN for what is not finite
  for_vectors(n, [&](int64_t i, int64_t left) SWAV_BODY {
    const vec v = get(x + i, left);
    poison += v * 0.0f;
    put(m + i, max(v, get(m + i, left)), left);
  });
  return sum(poison);
}

void column_moments(const float* x, const float* origin, float* sums, float* squares, int64_t n) {
  for_vectors(n, [&](int64_t i, int64_t left) SWAV_BODY {
    const vec d = get(x + i, left) - get(origin + i, left);
    put(sums + i, get(sums + i, left) + d, left);
    put(squares + i, get(squares + i, left) + d * d, left);
  });
}

void exp_accumulate(const float* x, const float* shift, float scale, float* y, int64_t n) {
  for_vectors(n, [&](int64_t i, int64_t left) SWAV_BODY {
    const vec e = exp((get(x + i, left) - get(shift + i, left)) * scale);
    put(y + i, get(y + i, left) + e, left);
  });
}

void exp_multiply(const float* x, const float* shift, float scale, float* y, int64_t n) {
  for_vectors(n, [&](int64_t i, int64_t left) SWAV_BODY {
    const vec e = exp((get(x + i, left) - get(shift + i, left)) * scale);
    put(y + i, get(y + i, left) * e, left);
  });
}

float potential_max(const float* x, const float* high, const float* low, float scale, int64_t n) {
  float best = (x[0] - high[0]) * scale - low[0];
  for (int64_t i = 1; i < n; ++i) {
    const float t = (x[i] - high[i]) * scale - low[i];
    best = t > best ? t : best;
  }
  return best;
}

double potential_exp(const float* x, const float* high, const float* low, float scale, float shift, float* y, int64_t n) {
  RowSum s{};
  for_vectors(n, [&](int64_t i, int64_t left) SWAV_BODY {
    __builtin_prefetch(x + i + ahead);
    const vec t = (get(x + i, left) - get(high + i, left)) * scale - get(low + i, left);
    const vec e = keep_first(exp(t - shift), left);
    put(y + i, e, left);
    add(&s, e);
  });
  return total(&s);
}

void add_scaled(const float* x, float scale, float* y, int64_t n) {
  for_vectors(n, [&](int64_t i, int64_t left) SWAV_BODY { put(y + i, get(y + i, left) + get(x + i, left) * scale, left); });
}

void scale_row(const float* x, float scale, float* y, int64_t n) {
  for_vectors(n, [&](int64_t i, int64_t left) SWAV_BODY { put(y + i, get(x + i, left) * scale, left); });
}

void softmax_cross(const float* x, const float* q, float shift, float scale, float* y, double* sums, int64_t n) {
  RowSum mass{}, cross{}, weight{};
  for_vectors(n, [&](int64_t i, int64_t left) SWAV_BODY {
    __builtin_prefetch(q + i + ahead);
    const vec target = get(q + i, left);
    // -1e30 is where q * t stays finite for any q <= 1e8; exp has been 0 since -87.
    vec t = (get(x + i, left) - shift) * scale;
    t = select(t < splat(-1e30f), splat(-1e30f), t);
    const vec e = keep_first(exp(t), left);
    put(y + i, e, left);
    add(&mass, e);
    add(&cross, target * t);
    add(&weight, target);
  });
  sums[0] = total(&mass);
  sums[1] = total(&cross);
  sums[2] = total(&weight);
}

void combine_rows(const float* x, float a, const float* y, float b, float* z, int64_t n) {
  for_vectors(n, [&](int64_t i, int64_t left) SWAV_BODY { put(z + i, get(x + i, left) * a + get(y + i, left) * b, left); });
}

double row_entropy(const float* q, int64_t n) {
  RowSum s{};
  const vec tiny = splat(1.17549435e-38f);  // smaller numbers add nothing: q ln q -> 0
  for_vectors(n, [&](int64_t i, int64_t left) SWAV_BODY {
    const vec v = max(get(q + i, left), tiny);
    add(&s, keep_first(v * log(v), left));
  });
  return -total(&s);
}
