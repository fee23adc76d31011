// What becomes of pixels on their way into a product or a transform: the vector of channels at `c` of the pixel that begins at
// x, with what batch-norm asks for done in float. ask() asks for one that the next tile will need: rows of tiles are too many
// streams for the CPU's own prefetching.

struct PlainPixels {
  template <class T>
  vec value(const T* x, int64_t c, int64_t width) const {
    return get(x + c, width);
  }
  template <class T>
  void ask(const T* x) const {
    __builtin_prefetch(x);
  }
};

struct NormReluPixels : PlainPixels {
  const float *scale, *shift;
  NormReluPixels(const float* scale_, const float* shift_) : scale(scale_), shift(shift_) {}
  template <class T>
  vec value(const T* x, int64_t c, int64_t width) const {
    return max(get(x + c, width) * get(scale + c, width) + get(shift + c, width), vec{});
  }
};

struct GradientPixels {
  int64_t partner;
  const float *a, *b, *c;
  template <class T>
  vec value(const T* d, int64_t at, int64_t width) const {
    d += at;
    return get(d, width) * get(a + at, width) + (get(d + partner, width) * get(b + at, width) + get(c + at, width));
  }
  template <class T>
  void ask(const T* d) const {
    __builtin_prefetch(d);
    __builtin_prefetch(d + partner);
  }
};
