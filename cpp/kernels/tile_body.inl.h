// The product of tiles over any body. Included in an unnamed namespace by the file of each body, which defines
//   Tiles<shape>: zero(), load(c, c_stride), multiply_add(a, second, a_stride, b), store(c, c_stride); words, the depth of a
//   step; columns; two, whether there are rows in a second part
// for the sums of one register tile.

template <class Tiles>
static inline __attribute__((always_inline)) void tile_product(const ProductSegment* segments, const char* const* second,
                                                               int count, const bfloat16* b, float* c, int64_t c_stride,
                                                               bool accumulate) {
  Tiles tiles;
  if (accumulate) tiles.load(c, c_stride);
  else tiles.zero();
  const char* panel = reinterpret_cast<const char*>(b);
  for (int s = 0; s < count; ++s) {
    const char *a = segments[s].a, *lower = Tiles::two ? second[s] : nullptr;
    for (const char* end = a + 4 * segments[s].words; a < end; a += 4 * Tiles::words) {
      tiles.multiply_add(a, lower, segments[s].stride, panel);
      if (Tiles::two) lower += 4 * Tiles::words;
      panel += 4 * Tiles::words * Tiles::columns;
    }
  }
  tiles.store(c, c_stride);
}
