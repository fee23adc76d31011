// The matrix product's tiles and the packing before it, against plain loops. Data are small integers, so every sum is exact.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "kernel_samples.h"

using namespace swav;
using namespace swav::test;

namespace {

constexpr float guard = -12345.5f;
const float nan = std::numeric_limits<float>::quiet_NaN();

// One tile: A, B and C as the kernels read them, with the result of plain loops.
struct Tile {
  int rows;
  int64_t columns, depth, width;

  float expected(const Floats& a, const Floats& b, int r, int64_t n, float before) const {
    double sum = double(before);
    for (int64_t k = 0; k < depth; ++k) sum += double(a[size_t(r * depth + k)]) * double(b[size_t(k * width + n)]);
    return float(sum);
  }
};

void check_tile(const Kernels& kernel, const Tile& t, bool depth_first, bool accumulate) {
  const Floats a = integers(1, t.rows * t.depth, 5), b = integers(2, t.depth * t.width, 5);
  const int64_t c_stride = t.columns + 3, a_stride = t.rows + 2;
  const Floats before = integers(3, t.rows * t.columns, 9);
  Guarded<float> c(t.rows * c_stride, guard);
  for (int r = 0; r < t.rows; ++r) {
    for (int64_t n = 0; n < t.columns; ++n) c.data()[r * c_stride + n] = before[size_t(r * t.columns + n)];
  }
  if (depth_first) {
    Floats transposed(size_t(t.depth * a_stride), nan);  // what lies behind a row's end must not matter
    for (int r = 0; r < t.rows; ++r) {
      for (int64_t k = 0; k < t.depth; ++k) transposed[size_t(k * a_stride + r)] = a[size_t(r * t.depth + k)];
    }
    kernel.product_depth(t.depth, transposed.data(), a_stride, b.data(), c.data(), c_stride, t.rows, t.columns, accumulate, {});
  } else {
    const int64_t stride = row_stride(t.depth);
    Floats panel(size_t(t.rows * stride), nan);
    for (int r = 0; r < t.rows; ++r) std::copy_n(a.begin() + r * t.depth, t.depth, panel.begin() + r * stride);
    kernel.product_rows(t.depth, panel.data(), stride, b.data(), c.data(), c_stride, t.rows, t.columns, accumulate, {});
  }
  bool equal = c.margins_intact();
  for (int r = 0; r < t.rows; ++r) {
    for (int64_t n = 0; n < c_stride; ++n) {
      if (n >= t.columns) equal = equal && c.untouched(r * c_stride + n);
      else equal = equal && c[r * c_stride + n] == t.expected(a, b, r, n, accumulate ? before[size_t(r * t.columns + n)] : 0);
    }
  }
  CHECK_MESSAGE(equal, kernel.isa, " rows ", t.rows, " columns ", t.columns, " depth ", t.depth, " depth first ", depth_first,
                " accumulate ", accumulate);
}

// Rows to pack: distances between them, and one of padding in the middle.
struct Rows {
  Floats values;
  std::vector<const float*> pointers;

  Rows(uint64_t seed, int64_t count, int64_t n) : values(integers(seed, count * n, 9)) {
    for (int64_t r = 0; r < count; ++r) pointers.push_back(r == 1 ? nullptr : values.data() + r * n);
  }
};

template <class Pack, class Expected>
void check_pack(const Kernels& kernel, int64_t n, Pack pack, Expected expected) {
  constexpr int64_t count = 4;
  const int64_t stride = n + 5;
  const Rows rows(11, count, n);
  Guarded<float> to(count * stride, guard);
  pack(rows, count, to.data(), stride);
  bool equal = to.margins_intact();
  for (int64_t r = 0; r < count; ++r) {
    for (int64_t i = 0; i < stride; ++i) {
      if (i >= n) equal = equal && to.untouched(r * stride + i);
      else
        equal = equal && to[r * stride + i] == (rows.pointers[size_t(r)] ? expected(r, i, rows.pointers[size_t(r)][i]) : 0.0f);
    }
  }
  CHECK_MESSAGE(equal, kernel.isa, " n ", n);
}

}  // namespace

TEST_CASE("a tile of the product is the product of matrices and nothing else is written, for every size of tile") {
  for (const Kernels* kernel : machine_kernels()) {
    const int64_t lanes = kernel->lanes;
    CHECK(kernel->tile_columns == 2 * lanes);
    for (int rows = 1; rows <= kernel->tile_rows; ++rows) {
      for (int64_t columns : {int64_t(1), lanes - 1, lanes, lanes + 1, 2 * lanes - 1, 2 * lanes}) {
        for (int64_t depth : {int64_t(1), int64_t(2), int64_t(33)}) {
          for (int variant = 0; variant < 4; ++variant) {
            check_tile(*kernel, {rows, columns, depth, kernel->tile_columns}, variant & 1, variant & 2);
          }
        }
      }
    }
  }
}

TEST_CASE("a tile may be as deep as a whole row") {
  for (const Kernels* kernel : machine_kernels()) {
    for (int64_t depth : {287, 2304}) {
      check_tile(*kernel, {kernel->tile_rows, kernel->tile_columns, depth, kernel->tile_columns}, false, true);
      check_tile(*kernel, {kernel->tile_rows, kernel->tile_columns, depth, kernel->tile_columns}, true, true);
    }
  }
}

TEST_CASE("packing copies rows, with zeros for padding, and writes nothing else") {
  for (const Kernels* kernel : machine_kernels()) {
    for (int64_t n : sizes_around(kernel->lanes)) {
      check_pack(
          *kernel, n,
          [&](const Rows& rows, int64_t count, float* to, int64_t stride) {
            kernel->pack_plain(rows.pointers.data(), count, n, to, stride, n, 0);
          },
          [](int64_t, int64_t, float x) { return x; });
    }
  }
}

TEST_CASE("packing applies batch-norm and ReLU to rows and keeps padding zero") {
  for (const Kernels* kernel : machine_kernels()) {
    for (int64_t n : sizes_around(kernel->lanes)) {
      const Floats scale = integers(21, n, 3), shift = integers(22, n, 5);
      check_pack(
          *kernel, n,
          [&](const Rows& rows, int64_t count, float* to, int64_t stride) {
            kernel->pack_norm_relu(rows.pointers.data(), count, n, scale.data(), shift.data(), to, stride, n, 0);
          },
          [&](int64_t, int64_t i, float x) { return std::max(x * scale[size_t(i)] + shift[size_t(i)], 0.0f); });
    }
  }
}

TEST_CASE("packing applies the backward of batch-norm to pairs of rows and keeps padding zero") {
  for (const Kernels* kernel : machine_kernels()) {
    for (int64_t n : sizes_around(kernel->lanes)) {
      const Floats a = integers(31, n, 3), b = integers(32, n, 3), c = integers(33, n, 9), y = integers(34, 4 * n, 9);
      check_pack(
          *kernel, n,
          [&](const Rows& rows, int64_t count, float* to, int64_t stride) {
            kernel->pack_gradient(rows.pointers.data(), y.data() - rows.values.data(), count, n, a.data(), b.data(), c.data(),
                                  to, stride, n, 0);
          },
          [&](int64_t r, int64_t i, float x) {
            return a[size_t(i)] * x + (b[size_t(i)] * y[size_t(r * n + i)] + c[size_t(i)]);
          });
    }
  }
}

TEST_CASE("packed panels hold the same values as rows in one piece") {
  constexpr int64_t count = 4, margin = 16;
  for (const Kernels* kernel : machine_kernels()) {
    for (int64_t panel_width : {int64_t(kernel->tile_rows), int64_t(kernel->tile_columns)}) {
      const int64_t slot = (panel_width + kernel->lanes - 1) / kernel->lanes * kernel->lanes, step = count * slot;
      for (int64_t n : {panel_width - 1, panel_width, panel_width + 1, 3 * panel_width + 5}) {
        const Rows rows(11, count, n);
        const Floats scale = integers(21, n, 3), shift = integers(22, n, 5);
        const int64_t panels = (n + panel_width - 1) / panel_width;
        Floats plain(size_t(count * n)), norm(size_t(count * n));
        Guarded<float> plain_panels(panels * step + margin, guard), norm_panels(panels * step + margin, guard);
        kernel->pack_plain(rows.pointers.data(), count, n, plain.data(), n, n, 0);
        kernel->pack_plain(rows.pointers.data(), count, n, plain_panels.data(), slot, panel_width, step);
        kernel->pack_norm_relu(rows.pointers.data(), count, n, scale.data(), shift.data(), norm.data(), n, n, 0);
        kernel->pack_norm_relu(rows.pointers.data(), count, n, scale.data(), shift.data(), norm_panels.data(), slot,
                               panel_width, step);
        bool equal = plain_panels.margins_intact() && norm_panels.margins_intact();
        for (int64_t i = 0; i < margin; ++i) equal = equal && plain_panels.untouched(panels * step + i);
        for (int64_t r = 0; r < count; ++r) {
          for (int64_t i = 0; i < n; ++i) {
            const int64_t at = i / panel_width * step + r * slot + i % panel_width;
            equal = equal && plain_panels[at] == plain[size_t(r * n + i)] && norm_panels[at] == norm[size_t(r * n + i)];
          }
        }
        CHECK_MESSAGE(equal, kernel->isa, " n ", n, " panels of ", panel_width);
      }
    }
  }
}
