// Tiles of bfloat16 in plain C++, in the orders of the hardware's sums (docs/bfloat16.md): the twins of isa_avx512_bf16.cpp and
// isa_amx.cpp, and what CPUs without either run. Contracts: kernel_table.inl.h.
//
// A product of two bfloat16 is exact in a float, so a fused multiply-add and a multiplication with an addition give the same,
// but where the product alone would be denormal.

constexpr int bfloat_columns = bfloat_vector_tile.columns;
static_assert(bfloat_columns == bfloat_amx_tile.columns);

SWAV_INLINE vec lower_half(ivec words) { return (vec)(words << 16); }
SWAV_INLINE vec upper_half(ivec words) { return (vec)(words & int32_t(0xffff0000)); }

SWAV_INLINE ivec load_words(const char* p) { return *reinterpret_cast<const ivec*>(p); }
SWAV_INLINE ivec splat_word(const char* p) { return *reinterpret_cast<const word*>(p) - ivec{}; }

// vdpbf16ps: the product of the second numbers is added first. What is in C already is added at the end.
struct VectorOrder {
  static constexpr bool from_c = false;
  static constexpr int words = bfloat_vector_tile.words;
  SWAV_INLINE void step(vec& sum, const char* a, const char* b) {
    const ivec x = splat_word(a), y = load_words(b);
    sum += upper_half(x) * upper_half(y);
    sum += lower_half(x) * lower_half(y);
  }
};

// tdpbf16ps: products of first and of second numbers are summed apart over 16 words, then both sums, then their sum is added to
// C.
struct AmxOrder {
  static constexpr bool from_c = true;
  static constexpr int words = bfloat_amx_tile.words;
  SWAV_INLINE void step(vec& sum, const char* a, const char* b) {
    vec first{}, second{};
    for (int k = 0; k < words; ++k, a += 4, b += 4 * bfloat_columns) {
      const ivec x = splat_word(a), y = load_words(b);
      first += lower_half(x) * lower_half(y);
      second += upper_half(x) * upper_half(y);
    }
    sum += first + second;
  }
};

template <class Order>
SWAV_INLINE void plain_tile(const ProductSegment* segments, int count, const bfloat16* panel, int rows, float* c,
                            int64_t c_stride, bool accumulate) {
  for (int r = 0; r < rows; ++r) {
    for (int column = 0; column < bfloat_columns; column += lanes) {
      const char* b = reinterpret_cast<const char*>(panel) + 4 * column;
      float* place = c + r * c_stride + column;
      vec sum = accumulate && Order::from_c ? load(place) : vec{};
      for (int s = 0; s < count; ++s) {
        const char* a = segments[s].a + r * segments[s].stride;
        for (const char* end = a + 4 * segments[s].words; a < end; a += 4 * Order::words) {
          Order::step(sum, a, b);
          b += 4 * Order::words * bfloat_columns;
        }
      }
      store(place, accumulate && !Order::from_c ? sum + load(place) : sum);
    }
  }
}

void tile_vector_order(const ProductSegment* segments, int count, const bfloat16* b, int rows, float* c, int64_t c_stride,
                       bool accumulate) {
  plain_tile<VectorOrder>(segments, count, b, rows, c, c_stride, accumulate);
}

void tile_amx_order(const ProductSegment* segments, int count, const bfloat16* b, int rows, float* c, int64_t c_stride,
                    bool accumulate) {
  plain_tile<AmxOrder>(segments, count, b, rows, c, c_stride, accumulate);
}
