// `vec`: as many floats as the instruction set's registers hold, as a compiler vector type, so that one source serves all.
// Included inside the unnamed namespace of an isa_*.cpp, which defines SWAV_LANES first; everything here is internal to it.
//
// No standard header may be included from here or from the kernel headers: an inline function of the standard library, compiled
// with AVX-512 flags, could be the copy that the linker keeps for everybody. (Those of immintrin.h are never kept.)

typedef float vec __attribute__((vector_size(SWAV_LANES * 4), aligned(4)));  // loads and stores need no alignment
typedef int32_t ivec __attribute__((vector_size(SWAV_LANES * 4), aligned(4)));
// As many bytes and 16-bit numbers as vec has floats.
typedef uint8_t bvec __attribute__((vector_size(SWAV_LANES), aligned(1)));
typedef uint16_t hvec __attribute__((vector_size(SWAV_LANES * 2), aligned(2)));

#define SWAV_INLINE static inline __attribute__((always_inline))

constexpr int lanes = SWAV_LANES;

SWAV_INLINE vec load(const float* p) { return *reinterpret_cast<const vec*>(p); }
SWAV_INLINE void store(float* p, vec v) { *reinterpret_cast<vec*>(p) = v; }
SWAV_INLINE vec splat(float x) { return x - vec{}; }
SWAV_INLINE vec select(ivec mask, vec yes, vec no) { return (vec)(((ivec)yes & mask) | ((ivec)no & ~mask)); }
// Where a is not a number the result is a, as it is of the instruction: a value goes first, a bound second, so that ReLU and
// clipping hand NaN on instead of hiding it.
SWAV_INLINE vec max(vec a, vec b) { return b > a ? b : a; }
SWAV_INLINE vec min(vec a, vec b) { return b < a ? b : a; }

// The first n lanes, zero after them. n in [0, lanes]. Masked instructions where there are some: compilers make a branch for
// each lane of the loops.
#if defined(__x86_64__) && SWAV_LANES == 16
SWAV_INLINE vec load_part(const float* p, int64_t n) { return (vec)_mm512_maskz_loadu_ps(__mmask16((1u << n) - 1), p); }
SWAV_INLINE void store_part(float* p, vec v, int64_t n) { _mm512_mask_storeu_ps(p, __mmask16((1u << n) - 1), (__m512)v); }
#elif defined(__x86_64__) && SWAV_LANES == 8
SWAV_INLINE __m256i first_lanes(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(int(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
SWAV_INLINE vec load_part(const float* p, int64_t n) { return (vec)_mm256_maskload_ps(p, first_lanes(n)); }
SWAV_INLINE void store_part(float* p, vec v, int64_t n) { _mm256_maskstore_ps(p, first_lanes(n), (__m256)v); }
#else
SWAV_INLINE vec load_part(const float* p, int64_t n) {
  vec v{};
  for (int i = 0; i < lanes; ++i) {
    if (i < n) v[i] = p[i];
  }
  return v;
}
SWAV_INLINE void store_part(float* p, vec v, int64_t n) {
  for (int i = 0; i < lanes; ++i) {
    if (i < n) p[i] = v[i];
  }
}
#endif

// Sum over lanes, in a fixed order: halves are added until one is left.
SWAV_INLINE float sum(vec v) {
  float part[lanes];
  store(part, v);
  for (int width = lanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) part[i] += part[i + width];
  }
  return part[0];
}

// Calls body(i, left) for every vector of n numbers, left = lanes but for the last. Two calls, so that the compiler sees the
// first one's constant and keeps the loop free of the tail. get and put read and write what is left, and zeros beside it.
#define SWAV_BODY __attribute__((always_inline))
template <class F>
SWAV_INLINE void for_vectors(int64_t n, F body) {
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) body(i, lanes);
  if (i < n) body(i, n - i);
}

SWAV_INLINE vec get(const float* p, int64_t left) { return left >= lanes ? load(p) : load_part(p, left); }
SWAV_INLINE void put(float* p, vec v, int64_t left) {
  if (left >= lanes) {
    store(p, v);
  } else {
    store_part(p, v, left);
  }
}
