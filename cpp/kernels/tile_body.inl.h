// The product of tiles over any body. Included in an unnamed namespace by the file of each body, which defines
//   Tiles<shape>: begin(c, c_stride, accumulate), multiply_add(a, second, a_stride, b), end(c, c_stride, accumulate); words,
//   the depth of a step; columns; two, whether there are rows in a second part
// for the sums of one register tile.

template <class Tiles, class Sum>
static inline __attribute__((always_inline)) void tile_product(const ProductSegment* segments, const char* const* second,
                                                               int count, const void* b, Sum* c, int64_t c_stride,
                                                               bool accumulate, Ahead ahead) {
  Tiles tiles;
  tiles.begin(c, c_stride, accumulate);
  const char* panel = static_cast<const char*>(b);
  for (int s = 0; s < count; ++s) {
    const char *a = segments[s].a, *lower = Tiles::two ? second[s] : nullptr;
    for (const char* end = a + 4 * segments[s].words; a < end; a += 4 * Tiles::words) {
      if (ahead.lines > 0) {
        __builtin_prefetch(ahead.at, 0, 2);
        ahead.at += 64;
        --ahead.lines;
      }
      tiles.multiply_add(a, lower, segments[s].stride, panel);
      if (Tiles::two) lower += 4 * Tiles::words;
      panel += 4 * Tiles::words * Tiles::columns;
    }
  }
  tiles.end(c, c_stride, accumulate);
}
