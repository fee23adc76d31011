// Rows of bfloat16 and of float32, one from the other, and what follows a product of bfloat16. Contracts: kernel_table.inl.h.

// Widening and narrowing by instructions where compilers go lane by lane. Masks of all lanes, as g++ 12 takes what its plain
// forms leave undefined for a use.
SWAV_INLINE vec load_bfloat(const bfloat16* p) {
#if defined(__x86_64__) && SWAV_LANES == 16
  return (vec)((ivec)_mm512_maskz_cvtepu16_epi32(0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(p))) << 16);
#elif defined(__x86_64__) && SWAV_LANES == 8
  return (vec)_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i_u*>(p))), 16);
#else
  return (vec)(__builtin_convertvector(*reinterpret_cast<const hvec*>(p), ivec) << 16);
#endif
}

// The nearest number of bfloat16, ties to even, as to_bfloat16. A float that is no normal number may become zero, with its
// sign: that is what the instruction does.
#if defined(SWAV_ROUNDS_BFLOAT)
SWAV_INLINE __m256i bfloat_of(vec v) { return (__m256i)_mm512_cvtneps_pbh((__m512)v); }
SWAV_INLINE vec bfloat_value(vec v) { return (vec)((ivec)_mm512_maskz_cvtepu16_epi32(0xffff, bfloat_of(v)) << 16); }

// Words with `upper` in their upper halves.
SWAV_INLINE vec word_of(vec upper, vec lower) {
  const __m512i turns = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20,
                                         4, 19, 3, 18, 2, 17, 1, 16, 0);
  return (vec)_mm512_permutexvar_epi16(turns, (__m512i)_mm512_cvtne2ps_pbh((__m512)upper, (__m512)lower));
}

SWAV_INLINE void store_bfloat(bfloat16* p, vec v) { _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(p), bfloat_of(v)); }
#else
// The lower half of the bits is what rounding leaves of them.
SWAV_INLINE ivec nearest_bfloat(vec v) {
  const ivec bits = (ivec)v;
  const ivec number = v == v;
  return ((bits + 0x7fff + ((bits >> 16) & 1)) & number) | ((bits | 0x400000) & ~number);
}
SWAV_INLINE ivec bfloat_bits(vec v) { return (nearest_bfloat(v) >> 16) & 0xffff; }
SWAV_INLINE vec bfloat_value(vec v) { return (vec)(nearest_bfloat(v) & int32_t(0xffff0000)); }

// Words with `upper` in their upper halves.
SWAV_INLINE vec word_of(vec upper, vec lower) {
  return (vec)((nearest_bfloat(upper) & int32_t(0xffff0000)) | bfloat_bits(lower));
}

SWAV_INLINE void store_bfloat(bfloat16* p, vec v) {
#if defined(__x86_64__) && SWAV_LANES == 16
  _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(p), _mm512_maskz_cvtepi32_epi16(0xffff, (__m512i)bfloat_bits(v)));
#elif defined(__x86_64__) && SWAV_LANES == 8
  const __m256i bits = (__m256i)bfloat_bits(v), both = _mm256_permute4x64_epi64(_mm256_packus_epi32(bits, bits), 0xd8);
  _mm_storeu_si128(reinterpret_cast<__m128i_u*>(p), _mm256_castsi256_si128(both));
#else
  *reinterpret_cast<hvec*>(p) = __builtin_convertvector(bfloat_bits(v), hvec);
#endif
}
#endif

SWAV_INLINE vec get(const bfloat16* p, int64_t left) {
  if (left >= lanes) return load_bfloat(p);
#if defined(__x86_64__) && SWAV_LANES == 16
  const __m256i half = _mm256_maskz_loadu_epi16(__mmask16((1u << left) - 1), p);
  return (vec)((ivec)_mm512_maskz_cvtepu16_epi32(0xffff, half) << 16);
#endif
  bfloat16 part[lanes] = {};
  for (int64_t i = 0; i < left; ++i) part[i] = p[i];
  return load_bfloat(part);
}
SWAV_INLINE void put(bfloat16* p, vec v, int64_t left) {
  if (left >= lanes) return store_bfloat(p, v);
#if defined(SWAV_ROUNDS_BFLOAT)
  return _mm256_mask_storeu_epi16(p, __mmask16((1u << left) - 1), bfloat_of(v));
#elif defined(__x86_64__) && SWAV_LANES == 16
  return _mm512_mask_cvtepi32_storeu_epi16(p, __mmask16((1u << left) - 1), (__m512i)bfloat_bits(v));
#endif
  bfloat16 part[lanes];
  store_bfloat(part, v);
  for (int64_t i = 0; i < left; ++i) p[i] = part[i];
}

// Two vectors one behind the other.
SWAV_INLINE void put_two(bfloat16* p, vec first, vec second) {
#if defined(SWAV_ROUNDS_BFLOAT)
  _mm512_storeu_si512(p, (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first));
#else
  store_bfloat(p, first);
  store_bfloat(p + lanes, second);
#endif
}
SWAV_INLINE void put_two(float* p, vec first, vec second) {
  store(p, first);
  store(p + lanes, second);
}

// One number, for tails of what has no vectors of its own.
SWAV_INLINE float number(float x) { return x; }
SWAV_INLINE float number(bfloat16 x) {
  bfloat16 part[lanes] = {x};
  return load_bfloat(part)[0];
}
SWAV_INLINE void set(float& to, float x) { to = x; }
SWAV_INLINE void set(bfloat16& to, float x) { put(&to, splat(x), 1); }

void to_bfloat(const float* x, bfloat16* y, int64_t n) {
  for_vectors(n, [=](int64_t i, int64_t left) SWAV_BODY { put(y + i, get(x + i, left), left); });
}

void from_bfloat(const bfloat16* x, float* y, int64_t n) {
  for_vectors(n, [=](int64_t i, int64_t left) SWAV_BODY { put(y + i, get(x + i, left), left); });
}

template <class Out>
SWAV_INLINE void finish_rows(const float* c, int64_t c_stride, int rows, const float* bias, bool relu, const FusedRows& to) {
  for (int r = 0; r < rows; ++r) {
    Out* out = reinterpret_cast<Out*>(to.out + r * to.out_stride);
#pragma GCC unroll 8
    for (int i = 0; i < bfloat_columns; i += 2 * lanes) {
      const auto value = [&](int at) SWAV_BODY {
        vec v = load(c + r * c_stride + at) + load(bias + at);
        if (to.residual != nullptr)
          v += load_bfloat(reinterpret_cast<const bfloat16*>(to.residual + r * to.residual_stride) + at);
        // Not max: zeros without a sign let maxima of bfloat16 be those of their bits.
        return relu ? select(v <= vec{}, vec{}, v) : v;
      };
      put_two(out + i, value(i), value(i + lanes));
    }
  }
}

void finish_bfloat(const float* c, int64_t c_stride, int rows, const float* bias, bool relu, bool to_float,
                   const FusedRows& to) {
  if (to_float) finish_rows<float>(c, c_stride, rows, bias, relu, to);
  else finish_rows<bfloat16>(c, c_stride, rows, bias, relu, to);
}

void write_bfloat(const float* c, int64_t c_stride, bfloat16* const* rows, int64_t column, int count, int64_t n,
                  bool accumulate) {
  for (int r = 0; r < count; ++r, c += c_stride) {
    const float* from = c;
    bfloat16* to = rows[r] + column;
    for_vectors(n, [=](int64_t i, int64_t left) SWAV_BODY {
      const vec value = get(from + i, left);
      put(to + i, accumulate ? value + get(to + i, left) : value, left);
    });
  }
}
