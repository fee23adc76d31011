// Products of frozen networks: the register tile of register_tile.inl.h, over the whole depth at once, with all that follows a
// convolution done before its result is written. Contracts: kernel_table.inl.h.
//
// One body for three kinds of numbers, which differ in what a word of four bytes holds: one float, two 16-bit or four 8-bit
// integers. Per word of the depth a tile of 14 rows makes 28 multiply-adds of a vector from 2 loads of B and 14 broadcasts of A
// (AVX-512); an integer dot product of four takes the place of one float.

typedef int32_t word __attribute__((may_alias, aligned(1)));
typedef float float_word __attribute__((may_alias, aligned(1)));

struct FloatWords {
  using acc = vec;
  SWAV_INLINE vec start(const float* bias) { return load(bias); }
  SWAV_INLINE vec broadcast(const char* a) { return splat(*reinterpret_cast<const float_word*>(a)); }
  SWAV_INLINE vec b(const char* p) { return load(reinterpret_cast<const float*>(p)); }
  SWAV_INLINE void add_product(vec& sum, vec x, vec y) { sum += x * y; }
};

struct IntegerWords {
  using acc = ivec;
  SWAV_INLINE ivec start(const int32_t* bias) { return *reinterpret_cast<const ivec*>(bias); }
  SWAV_INLINE ivec broadcast(const char* a) { return *reinterpret_cast<const word*>(a) - ivec{}; }
  SWAV_INLINE ivec b(const char* p) { return *reinterpret_cast<const ivec*>(p); }
};

// Sum of the products of two 16-bit numbers. The instruction is written out, as compilers have no vector operation for it.
struct PairWords : IntegerWords {
  SWAV_INLINE void add_product(ivec& sum, ivec x, ivec y) {
#if defined(__x86_64__) && SWAV_LANES >= 8
    ivec product;
    asm("vpmaddwd %2, %1, %0" : "=v"(product) : "v"(x), "v"(y));
    sum += product;
#elif defined(__x86_64__)
    asm("pmaddwd %1, %0" : "+x"(x) : "x"(y));
    sum += x;
#else
    sum += ((x << 16) >> 16) * ((y << 16) >> 16) + (x >> 16) * (y >> 16);
#endif
  }
};

// Sum of the products of four unsigned and four signed bytes. AVX2's vpmaddubsw saturates at 16 bits and would not be exact.
struct QuadWords : IntegerWords {
  SWAV_INLINE void add_product(ivec& sum, ivec x, ivec y) {
#if defined(__x86_64__) && SWAV_LANES == 16
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(y));
#else
    sum += (x & 255) * ((y << 24) >> 24) + ((x >> 8) & 255) * ((y << 16) >> 24);
    sum += ((x >> 16) & 255) * ((y << 8) >> 24) + ((x >> 24) & 255) * (y >> 24);
#endif
  }
};

// store(r, half, sum) gets the two vectors of each row.
template <class Words, int rows, class Bias, class Store>
SWAV_INLINE void fused_tile(const ProductSegment* segments, int count, const char* b, const Bias* bias, Store finish) {
  typename Words::acc left[rows], right[rows];
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r) left[r] = Words::start(bias), right[r] = Words::start(bias + lanes);
  for (int s = 0; s < count; ++s) {
    const char* a = segments[s].a;
    const int64_t stride = segments[s].stride;
    for (const char* end = a + 4 * segments[s].words; a < end; a += 4) {
      const auto b_left = Words::b(b), b_right = Words::b(b + 4 * lanes);
      b += 4 * tile_columns;
#pragma GCC unroll 16
      for (int r = 0; r < rows; ++r) {
        const auto x = Words::broadcast(a + r * stride);
        Words::add_product(left[r], x, b_left);
        Words::add_product(right[r], x, b_right);
      }
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r) {
    finish(r, 0, left[r]);
    finish(r, lanes, right[r]);
  }
}

template <int rows>
void fused_float_rows(const ProductSegment* segments, int count, const float* b, const float* bias, bool relu,
                      const FusedRows& to) {
  fused_tile<FloatWords, rows>(segments, count, reinterpret_cast<const char*>(b), bias, [&](int r, int column, vec value) {
    if (to.residual != nullptr) {
      value += load(reinterpret_cast<const float*>(to.residual + r * to.residual_stride) + column);
    }
    store(reinterpret_cast<float*>(to.out + r * to.out_stride) + column, relu ? max(value, vec{}) : value);
  });
}

// Keeps the compiler from fusing the operation that made v with the one that takes it.
SWAV_INLINE vec rounded(vec v) {
#if defined(__x86_64__) && SWAV_LANES == 16
  asm("" : "+v"(v));
#elif defined(__x86_64__)
  asm("" : "+x"(v));
#elif defined(__aarch64__)
  asm("" : "+w"(v));
#endif
  return v;
}

// How activations are stored. Functions, as GCC drops the alignment of a vector type that is a template argument.
struct StoredBytes {
  static constexpr int size = 1;
  SWAV_INLINE ivec get(const char* p) { return __builtin_convertvector(*reinterpret_cast<const bvec*>(p), ivec); }
  SWAV_INLINE void put(char* p, ivec v) { *reinterpret_cast<bvec*>(p) = __builtin_convertvector(v, bvec); }
};
struct StoredHalves {
  static constexpr int size = 2;
  SWAV_INLINE ivec get(const char* p) { return __builtin_convertvector(*reinterpret_cast<const hvec*>(p), ivec); }
  SWAV_INLINE void put(char* p, ivec v) { *reinterpret_cast<hvec*>(p) = __builtin_convertvector(v, hvec); }
};

// What follows the sums of row r from `column` on, bias included.
template <class Stored>
SWAV_INLINE void requantize(ivec sum, vec scale, int r, int column, const Requantize& scales, const FusedRows& to) {
  vec value = rounded(__builtin_convertvector(sum, vec) * scale);
  if (to.residual != nullptr) {
    const ivec identity = Stored::get(to.residual + r * to.residual_stride + column * Stored::size);
    value += rounded(__builtin_convertvector(identity, vec) * load(scales.residual_scale + column));
  }
  value = max(value, vec{});
  char* out = to.out + r * to.out_stride;
  if (scales.to_float) return store(reinterpret_cast<float*>(out) + column, value);
  // At 2^23 a float's last bit is worth 1: the sum's low bits are the rounded integer.
  const ivec bits = (ivec)(min(value, splat(255.0f)) + 8388608.0f) & 255;
  Stored::put(out + column * Stored::size, bits);
}

template <class Words, int rows, class Stored>
void fused_integer_rows(const ProductSegment* segments, int count, const char* b, const Requantize& scales,
                        const FusedRows& to) {
  const vec scale[2] = {load(scales.scale), load(scales.scale + lanes)};
  fused_tile<Words, rows>(segments, count, b, scales.bias, [&](int r, int column, ivec sum) {
    requantize<Stored>(sum, scale[column != 0], r, column, scales, to);
  });
}

#if SWAV_LANES == 16
#define SWAV_EACH_ROWS(ROWS) \
  ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6) ROWS(7) ROWS(8) ROWS(9) ROWS(10) ROWS(11) ROWS(12) ROWS(13) ROWS(14)
#else
#define SWAV_EACH_ROWS(ROWS) ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6)
#endif

void fused_float(const ProductSegment* segments, int count, const float* b, int rows, const float* bias, bool relu,
                 const FusedRows& to) {
#define SWAV_ROWS(n) \
  case n: return fused_float_rows<n>(segments, count, b, bias, relu, to);
  switch (rows) { SWAV_EACH_ROWS(SWAV_ROWS) }
#undef SWAV_ROWS
}

void fused_quads(const ProductSegment* segments, int count, const int8_t* b, int rows, const Requantize& scales,
                 const FusedRows& to) {
  const char* words = reinterpret_cast<const char*>(b);
#define SWAV_ROWS(n) \
  case n: return fused_integer_rows<QuadWords, n, StoredBytes>(segments, count, words, scales, to);
  switch (rows) { SWAV_EACH_ROWS(SWAV_ROWS) }
#undef SWAV_ROWS
}

void fused_pairs(const ProductSegment* segments, int count, const int16_t* b, int rows, const Requantize& scales,
                 const FusedRows& to) {
  const char* words = reinterpret_cast<const char*>(b);
#define SWAV_ROWS(n) \
  case n: return fused_integer_rows<PairWords, n, StoredHalves>(segments, count, words, scales, to);
  switch (rows) { SWAV_EACH_ROWS(SWAV_ROWS) }
#undef SWAV_ROWS
}
#undef SWAV_EACH_ROWS

// Written out, without vpdpbusd: every AVX-512 runs it.
void tile_quads(const ProductSegment* segments, int count, const int8_t* panel, int rows, int32_t* c, int64_t c_stride) {
  constexpr int columns = bfloat_amx_tile.columns;
  for (int r = 0; r < rows; ++r) {
    for (int column = 0; column < columns; column += lanes) {
      const char* b = reinterpret_cast<const char*>(panel) + 4 * column;
      ivec sum{};
      for (int s = 0; s < count; ++s) {
        const char* a = segments[s].a + r * segments[s].stride;
        for (const char* end = a + 4 * segments[s].words; a < end; a += 4, b += 4 * columns) {
          const ivec x = IntegerWords::broadcast(a), y = IntegerWords::b(b);
          sum += (x & 255) * ((y << 24) >> 24) + ((x >> 8) & 255) * ((y << 16) >> 24);
          sum += ((x >> 16) & 255) * ((y << 8) >> 24) + ((x >> 24) & 255) * (y >> 24);
        }
      }
      *reinterpret_cast<ivec*>(c + r * c_stride + column) = sum;
    }
  }
}

void finish_quads(const int32_t* c, int64_t c_stride, int rows, const Requantize& scales, const FusedRows& to) {
  for (int column = 0; column < bfloat_amx_tile.columns; column += lanes) {
    const ivec bias = *reinterpret_cast<const ivec*>(scales.bias + column);
    const vec scale = load(scales.scale + column);
    for (int r = 0; r < rows; ++r) {
      const ivec sum = *reinterpret_cast<const ivec*>(c + r * c_stride + column) + bias;
      requantize<StoredBytes>(sum, scale, r, column, scales, to);
    }
  }
}
