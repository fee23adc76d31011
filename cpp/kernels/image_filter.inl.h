// Kernels of the image stage that look at neighbours: transpose, resize, box blur. Contracts: kernel_table.inl.h.

typedef uint8_t bvec __attribute__((vector_size(SWAV_LANES), aligned(1)));
typedef uint32_t uvec __attribute__((vector_size(SWAV_LANES * 4), aligned(4)));

// GCC 12 widens and narrows vectors of bytes lane by lane, so the instructions are named on x86-64; but not where
// AddressSanitizer has to see each access.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SWAV_ADDRESS_SANITIZER
#endif
#endif
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(SWAV_ADDRESS_SANITIZER)
#define SWAV_NAMED_INSTRUCTIONS
#endif

// One sample a lane.
SWAV_INLINE ivec load_samples(const uint8_t* p) {
#if defined(SWAV_NAMED_INSTRUCTIONS) && SWAV_LANES >= 8
  ivec v;
  asm("vpmovzxbd %1, %0" : "=v"(v) : "m"(*reinterpret_cast<const bvec*>(p)));
  return v;
#elif defined(SWAV_NAMED_INSTRUCTIONS)
  ivec v;
  asm("movd %1, %0\n\tpunpcklbw %2, %0\n\tpunpcklwd %2, %0" : "=&x"(v) : "m"(*reinterpret_cast<const bvec*>(p)), "x"(ivec{}));
  return v;
#else
  return __builtin_convertvector(*reinterpret_cast<const bvec*>(p), ivec);
#endif
}
SWAV_INLINE uvec load_unsigned(const uint8_t* p) { return (uvec)load_samples(p); }

// Clipped to 0..255: the narrowing instructions do that by themselves.
SWAV_INLINE void store_samples(uint8_t* p, ivec v) {
  bvec& to = *reinterpret_cast<bvec*>(p);
#if defined(SWAV_NAMED_INSTRUCTIONS) && SWAV_LANES == 16
  asm("vpmaxsd %2, %1, %1\n\tvpmovusdb %1, %0" : "=m"(to), "+v"(v) : "v"(ivec{}));
#elif defined(SWAV_NAMED_INSTRUCTIONS) && SWAV_LANES == 8
  typedef int32_t half __attribute__((vector_size(16)));
  half high;
  asm("vextracti128 $1, %t1, %2\n\tvpackssdw %2, %x1, %x1\n\tvpackuswb %x1, %x1, %x1\n\tvmovq %x1, %0"
      : "=m"(to), "+x"(v), "=&x"(high));
#elif defined(SWAV_NAMED_INSTRUCTIONS)
  asm("packssdw %1, %1\n\tpackuswb %1, %1\n\tmovd %1, %0" : "=m"(to), "+x"(v));
#else
  v = v < 0 ? ivec{} : v;
  v = v > 255 ? ivec{} + 255 : v;
  to = __builtin_convertvector(v, bvec);
#endif
}
SWAV_INLINE void store_samples(uint8_t* p, uvec v) { store_samples(p, (ivec)v); }

// Swaps the bits of `mask` in a with those in b that lie `shift` higher: one step of a transpose within 64-bit words.
SWAV_INLINE void swap_bits(uint64_t& a, uint64_t& b, int shift, uint64_t mask) {
  const uint64_t difference = ((a >> shift) ^ b) & mask;
  a ^= difference << shift;
  b ^= difference;
}

SWAV_INLINE uint64_t load_word(const uint8_t* p) {
  uint64_t word;
  __builtin_memcpy(&word, p, 8);
  return word;
}
SWAV_INLINE void store_word(uint8_t* p, uint64_t word) { __builtin_memcpy(p, &word, 8); }

// 8 x 8 bytes: halves, quarters and bytes of the words trade places. Little-endian, as all targets are.
SWAV_INLINE void transpose_block(const uint8_t* from, int64_t from_stride, uint8_t* to, int64_t to_stride) {
  uint64_t row[8];
  for (int i = 0; i < 8; ++i) row[i] = load_word(from + i * from_stride);
  for (int i = 0; i < 4; ++i) swap_bits(row[i], row[i + 4], 32, 0x00000000FFFFFFFFull);
  for (int i = 0; i < 8; i += i & 1 ? 3 : 1) swap_bits(row[i], row[i + 2], 16, 0x0000FFFF0000FFFFull);
  for (int i = 0; i < 8; i += 2) swap_bits(row[i], row[i + 1], 8, 0x00FF00FF00FF00FFull);
  for (int i = 0; i < 8; ++i) store_word(to + i * to_stride, row[i]);
}

void image_transpose(const uint8_t* from, int64_t from_stride, int64_t rows, int64_t columns, uint8_t* to, int64_t to_stride) {
  const int64_t whole_rows = rows & ~int64_t{7}, whole_columns = columns & ~int64_t{7};
  for (int64_t r = 0; r < whole_rows; r += 8) {
    for (int64_t c = 0; c < whole_columns; c += 8) {
      transpose_block(from + r * from_stride + c, from_stride, to + c * to_stride + r, to_stride);
    }
  }
  for (int64_t c = 0; c < columns; ++c) {
    for (int64_t r = c < whole_columns ? whole_rows : 0; r < rows; ++r) to[c * to_stride + r] = from[r * from_stride + c];
  }
}

void image_resample(const uint8_t* lines, int64_t stride, const int32_t* start, const int32_t* length, const int32_t* weight,
                    int64_t weight_stride, int64_t count, int64_t n, uint8_t* out, int64_t out_stride) {
  for (int64_t i = 0; i < count; ++i) {
    const uint8_t* const first = lines + start[i] * stride;
    const int32_t* const w = weight + i * weight_stride;
    const int taps = length[i];
    for (int64_t x = 0; x < n; x += lanes) {
      ivec sum = ivec{} + (1 << 21);
      for (int k = 0; k < taps; ++k) sum += load_samples(first + k * stride + x) * w[k];
      store_samples(out + i * out_stride + x, sum >> 22);
    }
  }
}

// (inner * sum of the box + outer * the two beyond it + half) >> 24
SWAV_INLINE uvec box_sample(uvec box, uvec beyond, uint32_t inner, uint32_t outer) {
  return (box * inner + beyond * outer + (1u << 23)) >> 24;
}

void image_box_row(const uint8_t* in, int radius, uint32_t inner, uint32_t outer, uint8_t* out, int64_t n) {
  for (int64_t x = 0; x < n; x += lanes) {
    uvec box = load_unsigned(in + x);
    for (int k = 1; k <= radius; ++k) box += load_unsigned(in + x - k) + load_unsigned(in + x + k);
    const uvec beyond = load_unsigned(in + x - radius - 1) + load_unsigned(in + x + radius + 1);
    store_samples(out + x, box_sample(box, beyond, inner, outer));
  }
}

void image_box_column(const uint8_t* const* rows, int radius, uint32_t inner, uint32_t outer, uint8_t* out, int64_t n) {
  for (int64_t x = 0; x < n; x += lanes) {
    uvec box = load_unsigned(rows[radius + 1] + x);
    for (int k = 1; k <= radius; ++k) box += load_unsigned(rows[radius + 1 - k] + x) + load_unsigned(rows[radius + 1 + k] + x);
    const uvec beyond = load_unsigned(rows[0] + x) + load_unsigned(rows[2 * radius + 2] + x);
    store_samples(out + x, box_sample(box, beyond, inner, outer));
  }
}
