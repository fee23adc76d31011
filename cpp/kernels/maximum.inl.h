// Max-pooling over batch-norm and ReLU. Contracts: kernel_table.inl.h.

SWAV_INLINE ivec widen(const uint8_t* p) { return __builtin_convertvector(*reinterpret_cast<const bvec*>(p), ivec); }

template <class T>
void max_pool(const T* const* rows, int count, int64_t n, const float* scale, const float* shift, T* out, uint8_t* index) {
  int64_t c = 0;
  for (; c + lanes <= n; c += lanes) {
    const vec a = load(scale + c), b = load(shift + c);
    vec best{};
    ivec where = ivec{} + 255;
    for (int t = 0; t < count; ++t) {
      if (rows[t] == nullptr) continue;
      const vec v = get(rows[t] + c, lanes) * a + b;
      const ivec better = (v > best) | (v != v);  // NaN stays, whatever follows
      best = select(better, v, best);
      where = (better & t) | (where & ~better);
    }
    put(out + c, best, lanes);
    *reinterpret_cast<bvec*>(index + c) = __builtin_convertvector(where, bvec);
  }
  for (; c < n; ++c) {
    float best = 0;
    int where = 255;
    for (int t = 0; t < count; ++t) {
      const float v = rows[t] == nullptr ? 0 : number(rows[t][c]) * scale[c] + shift[c];
      if (v > best || v != v) best = v, where = t;
    }
    set(out[c], best);
    index[c] = uint8_t(where);
  }
}

template <class T>
void max_pool_backward(const T* const* d_out, const uint8_t* const* index, const int* taps, int count, int64_t n, T* dz) {
  int64_t c = 0;
  for (; c + lanes <= n; c += lanes) {
    vec total{};
    for (int w = 0; w < count; ++w) total += select(widen(index[w] + c) == taps[w], get(d_out[w] + c, lanes), vec{});
    put(dz + c, total, lanes);
  }
  for (; c < n; ++c) {
    float total = 0;
    for (int w = 0; w < count; ++w) total += index[w][c] == taps[w] ? number(d_out[w][c]) : 0;
    set(dz[c], total);
  }
}

void maximum_float(const float* const* rows, int count, int64_t n, float* out) {
  for (int64_t i = 0; i < n; i += lanes) {
    vec best = load(rows[0] + i);
    for (int t = 1; t < count; ++t) {
      const vec v = load(rows[t] + i);
      best = select((v > best) | (v != v), v, best);  // NaN stays
    }
    store(out + i, best);
  }
}

// A macro, as GCC drops the alignment of a vector type that is a template argument.
#define SWAV_MAXIMUM(vector)                                          \
  for (int64_t i = 0; i < n; i += lanes) {                            \
    vector best = *reinterpret_cast<const vector*>(rows[0] + i);      \
    for (int t = 1; t < count; ++t) {                                 \
      const vector v = *reinterpret_cast<const vector*>(rows[t] + i); \
      best = v > best ? v : best;                                     \
    }                                                                 \
    *reinterpret_cast<vector*>(out + i) = best;                       \
  }

void maximum_bytes(const uint8_t* const* rows, int count, int64_t n, uint8_t* out) { SWAV_MAXIMUM(bvec) }
void maximum_halves(const uint16_t* const* rows, int count, int64_t n, uint16_t* out) { SWAV_MAXIMUM(hvec) }
#undef SWAV_MAXIMUM
