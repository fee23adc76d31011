// Copies of rows into the layout that the product reads, with what batch-norm asks for done on the way. Contracts:
// kernel_table.h.

// Applies body(i, width) over [0, n): whole vectors, then one part of a vector.
template <class Body>
SWAV_INLINE void pack_row(float* to, int64_t n, Body body) {
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store(to + i, body(i, lanes));
  if (i < n) store_part(to + i, body(i, n - i), n - i);
}

SWAV_INLINE vec load_up_to(const float* p, int64_t width) { return width == lanes ? load(p) : load_part(p, width); }

SWAV_INLINE void pack_zero(float* to, int64_t n) {
  pack_row(to, n, [](int64_t, int64_t) { return vec{}; });
}

void pack_plain(const float* const* rows, int64_t count, int64_t n, float* to, int64_t to_stride) {
  for (int64_t r = 0; r < count; ++r, to += to_stride) {
    const float* x = rows[r];
    if (x == nullptr) {
      pack_zero(to, n);
    } else {
      pack_row(to, n, [=](int64_t i, int64_t width) { return load_up_to(x + i, width); });
    }
  }
}

void pack_norm_relu(const float* const* rows, int64_t count, int64_t n, const float* scale, const float* shift, float* to,
                    int64_t to_stride) {
  for (int64_t r = 0; r < count; ++r, to += to_stride) {
    const float* x = rows[r];
    if (x == nullptr) {
      pack_zero(to, n);
      continue;
    }
    pack_row(to, n, [=](int64_t i, int64_t width) {
      return max(load_up_to(x + i, width) * load_up_to(scale + i, width) + load_up_to(shift + i, width), vec{});
    });
  }
}

void pack_gradient(const float* const* rows, int64_t partner, int64_t count, int64_t n, const float* a, const float* b,
                   const float* c, float* to, int64_t to_stride) {
  for (int64_t r = 0; r < count; ++r, to += to_stride) {
    const float* dz = rows[r];
    if (dz == nullptr) {
      pack_zero(to, n);
      continue;
    }
    const float* y = dz + partner;
    pack_row(to, n, [=](int64_t i, int64_t width) {
      return load_up_to(dz + i, width) * load_up_to(a + i, width) +
             (load_up_to(y + i, width) * load_up_to(b + i, width) + load_up_to(c + i, width));
    });
  }
}
