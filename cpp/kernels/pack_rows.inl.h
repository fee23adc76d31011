// Copies of rows into the layout that the product reads, with what batch-norm asks for done on the way. Contracts:
// kernel_table.inl.h.

// Writes body(i, width) for i in [0, n) to panels of panel_width numbers, panel_step apart.
template <class Body>
SWAV_INLINE void pack_row(float* to, int64_t n, int64_t panel_width, int64_t panel_step, Body body) {
  for (int64_t first = 0; first < n; first += panel_width, to += panel_step) {
    const int64_t end = first + panel_width < n ? first + panel_width : n;
    int64_t i = first;
    for (; i < end && i + lanes <= n; i += lanes) store(to + (i - first), body(i, lanes));
    if (i < end) store_part(to + (i - first), body(i, n - i), n - i);
  }
}

SWAV_INLINE void pack_zero(float* to, int64_t n, int64_t panel_width, int64_t panel_step) {
  pack_row(to, n, panel_width, panel_step, [](int64_t, int64_t) SWAV_BODY { return vec{}; });
}

void pack_plain(const float* const* rows, int64_t count, int64_t n, float* to, int64_t to_stride, int64_t panel_width,
                int64_t panel_step) {
  for (int64_t r = 0; r < count; ++r, to += to_stride) {
    const float* x = rows[r];
    if (x == nullptr) {
      pack_zero(to, n, panel_width, panel_step);
    } else {
      pack_row(to, n, panel_width, panel_step, [=](int64_t i, int64_t width) SWAV_BODY { return get(x + i, width); });
    }
  }
}

void pack_norm_relu(const float* const* rows, int64_t count, int64_t n, const float* scale, const float* shift, float* to,
                    int64_t to_stride, int64_t panel_width, int64_t panel_step) {
  for (int64_t r = 0; r < count; ++r, to += to_stride) {
    const float* x = rows[r];
    if (x == nullptr) {
      pack_zero(to, n, panel_width, panel_step);
      continue;
    }
    pack_row(to, n, panel_width, panel_step, [=](int64_t i, int64_t width) SWAV_BODY {
      return max(get(x + i, width) * get(scale + i, width) + get(shift + i, width), vec{});
    });
  }
}

void pack_gradient(const float* const* rows, int64_t partner, int64_t count, int64_t n, const float* a, const float* b,
                   const float* c, float* to, int64_t to_stride, int64_t panel_width, int64_t panel_step) {
  for (int64_t r = 0; r < count; ++r, to += to_stride) {
    const float* dz = rows[r];
    if (dz == nullptr) {
      pack_zero(to, n, panel_width, panel_step);
      continue;
    }
    const float* y = dz + partner;
    pack_row(to, n, panel_width, panel_step, [=](int64_t i, int64_t width) SWAV_BODY {
      return get(dz + i, width) * get(a + i, width) + (get(y + i, width) * get(b + i, width) + get(c + i, width));
    });
  }
}
