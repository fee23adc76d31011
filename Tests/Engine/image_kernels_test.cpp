// Kernels of the image stage against plain loops, on every instruction set of this machine and at sizes around a vector.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/random.h"
#include "image/blur.h"
#include "image/color.h"
#include "image/resample.h"
#include "kernels/kernels.h"

using namespace swav;

namespace {

const std::vector<int64_t> sizes = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 96, 225};

// Random bytes with room for a vector on both sides.
struct Bytes {
  std::vector<uint8_t> memory;
  uint8_t* data;

  Bytes(int64_t n, uint64_t stream) : memory(size_t(n) + 2 * 128), data(memory.data() + 128) {
    Random random(11, Purpose::test, stream, uint64_t(n));
    for (uint8_t& byte : memory) byte = uint8_t(random.next_bits());
  }
};

template <class F>
void for_each_isa(F&& body) {
  for (Isa isa : every_isa) {
    if (!runs(isa)) continue;
    CAPTURE(std::string(name(isa)));
    body(kernels(isa));
  }
}

// Twin of blends: equal to the truncated value in double, unless that is so close to an integer that float may fall on the
// other side: |value| * 3 roundings * 2^-24 with |value| <= 255 + 3 * 255.
void check_blend(int got, double degenerate, double factor, int sample) {
  const double value = std::clamp(degenerate + factor * (sample - degenerate), 0.0, 255.0);
  const double tolerance = 1020 * 3 * 0x1p-24;
  CHECK(got >= int(std::max(0.0, value - tolerance)));
  CHECK(got <= int(std::min(255.0, value + tolerance)));
}

}  // namespace

TEST_CASE("transpose: every shape around the 8 x 8 block, nothing written outside") {
  for_each_isa([](const Kernels& k) {
    for (int64_t rows : {1, 7, 8, 9, 16, 23}) {
      for (int64_t columns : {1, 3, 8, 15, 24, 25}) {
        const Bytes from(rows * 40, 1);
        std::vector<uint8_t> to(size_t(columns * 30), 99);
        k.image_transpose(from.data, 40, rows, columns, to.data(), 30);
        for (int64_t c = 0; c < columns; ++c) {
          for (int64_t r = 0; r < 30; ++r) CHECK(to[size_t(c * 30 + r)] == (r < rows ? from.data[r * 40 + c] : 99));
        }
      }
    }
  });
}

TEST_CASE("resample equals the weighted sum, forwards and backwards") {
  for_each_isa([](const Kernels& k) {
    for (int64_t n : sizes) {
      image::Filter filter;
      filter.prepare(0, 40, 13, 2, 7);
      const int64_t stride = n + 5;
      const Bytes lines(40 * stride, 2);
      for (int direction : {1, -1}) {
        const int64_t out_stride = (n + 15) / 16 * 16;
        Bytes out(7 * out_stride, 3);
        uint8_t* const first = out.data + (direction > 0 ? 0 : 6 * out_stride);
        k.image_resample(lines.data, stride, filter.start.data(), filter.length.data(), filter.fixed.data(), filter.stride, 7,
                         n, first, direction * out_stride);
        for (int64_t i = 0; i < 7; ++i) {
          for (int64_t x = 0; x < n; ++x) {
            int64_t sum = 1 << 21;
            for (int t = 0; t < filter.length[size_t(i)]; ++t) {
              sum +=
                  int64_t(filter.fixed[size_t(i * filter.stride + t)]) * lines.data[(filter.start[size_t(i)] + t) * stride + x];
            }
            CHECK(first[direction * i * out_stride + x] == std::min<int64_t>(255, sum >> 22));
          }
        }
      }
    }
  });
}

TEST_CASE("box blur kernels equal the 24-bit sum along rows and down columns") {
  for_each_isa([](const Kernels& k) {
    for (float sigma : {0.1f, 1.0f, 1.9f, 5.0f}) {
      const image::BoxPass pass = image::box_pass(sigma);
      const int r = pass.radius;
      for (int64_t n : sizes) {
        const Bytes in(n, 4);
        Bytes row(n, 5), column(n, 6);
        k.image_box_row(in.data, r, pass.inner, pass.outer, row.data, n);
        std::vector<const uint8_t*> rows;
        std::vector<Bytes> storage;
        for (int i = 0; i < 2 * r + 3; ++i) storage.emplace_back(n, 100 + uint64_t(i));
        for (const Bytes& b : storage) rows.push_back(b.data);
        k.image_box_column(rows.data(), r, pass.inner, pass.outer, column.data, n);
        for (int64_t x = 0; x < n; ++x) {
          uint64_t across = 0, down = 0;
          for (int i = -r; i <= r; ++i) across += in.data[x + i], down += rows[size_t(r + 1 + i)][x];
          const uint64_t beside = in.data[x - r - 1] + in.data[x + r + 1], above = rows.front()[x] + rows.back()[x];
          CHECK(row.data[x] == ((across * pass.inner + beside * pass.outer + (1 << 23)) >> 24));
          CHECK(column.data[x] == ((down * pass.inner + above * pass.outer + (1 << 23)) >> 24));
        }
      }
    }
  });
}

TEST_CASE("blend and saturate truncate and clip as Pillow's blend") {
  for_each_isa([](const Kernels& k) {
    for (int64_t n : sizes) {
      for (float factor : {0.0f, 0.3f, 0.999f, 1.7f, 3.0f}) {
        const Bytes before(n, 7);
        Bytes after = before;
        after.data = after.memory.data() + 128;
        k.image_blend(after.data, 117, factor, n);
        for (int64_t i = 0; i < n; ++i) check_blend(after.data[i], 117, double(factor), before.data[i]);

        const Bytes r(n, 8), g(n, 9), b(n, 10);
        std::vector<uint8_t> out[3] = {r.memory, g.memory, b.memory};
        k.image_saturate(out[0].data() + 128, out[1].data() + 128, out[2].data() + 128, factor, n);
        for (int64_t i = 0; i < n; ++i) {
          const double gray = image::luminance(r.data[i], g.data[i], b.data[i]);
          check_blend(out[0][size_t(128 + i)], gray, double(factor), r.data[i]);
          check_blend(out[1][size_t(128 + i)], gray, double(factor), g.data[i]);
          check_blend(out[2][size_t(128 + i)], gray, double(factor), b.data[i]);
        }
      }
    }
  });
}

TEST_CASE("luminance of each pixel and its sum are exact") {
  for_each_isa([](const Kernels& k) {
    for (int64_t n : sizes) {
      const Bytes r(n, 12), g(n, 13), b(n, 14);
      Bytes gray(n, 15);
      k.image_gray(r.data, g.data, b.data, gray.data, n);
      int64_t total = 0;
      for (int64_t i = 0; i < n; ++i) {
        const int luminance = image::luminance(r.data[i], g.data[i], b.data[i]);
        CHECK(gray.data[i] == luminance);
        total += luminance;
      }
      CHECK(k.image_luminance_sum(r.data, g.data, b.data, n) == total);
    }
  });
}

TEST_CASE("hue: at most one step of hue or saturation off the twin, and equal nearly everywhere") {
  std::vector<uint8_t> colors[3], pixels;
  for (int r = 0; r < 256; r += 5) {
    for (int g = 0; g < 256; g += 5) {
      for (int b = 0; b < 256; b += 5) {
        const int color[3] = {r, g, b};
        for (int c = 0; c < 3; ++c) colors[c].push_back(uint8_t(color[c]));
        pixels.insert(pixels.end(), {uint8_t(r), uint8_t(g), uint8_t(b)});
      }
    }
  }
  const int64_t n = int64_t(colors[0].size());
  for (auto& plane : colors) plane.resize(size_t(n + image_slack));
  for_each_isa([&](const Kernels& k) {
    for (int steps : {-127, -51, 0, 1, 30, 51, 127}) {
      std::vector<uint8_t> want = pixels, got[3] = {colors[0], colors[1], colors[2]};
      image::adjust_hue(want.data(), n, 3, (float(steps) + (steps < 0 ? -0.5f : 0.5f)) / 255);
      k.image_hue(got[0].data(), got[1].data(), got[2].data(), steps, n);
      int64_t different = 0;
      int worst = 0;
      for (int64_t i = 0; i < n * 3; ++i) {
        const int difference = std::abs(int(got[i % 3][size_t(i / 3)]) - int(want[size_t(i)]));
        worst = std::max(worst, difference);
        different += difference > 0;
      }
      CAPTURE(steps);
      CHECK(worst <= 8);  // one hue step of 1530 / 255 levels of the trapezoid, one of saturation, one of rounding
      CHECK(double(different) < 0.01 * 3 * double(n));
    }
  });
}

TEST_CASE("normalise writes exactly n pixels, interleaved") {
  for_each_isa([](const Kernels& k) {
    const float scale[3] = {0.5f, 2, 3}, shift[3] = {-1, 4, 7};
    for (int64_t n : sizes) {
      const Bytes r(n, 16), g(n, 17), b(n, 18);
      const uint8_t* const planes[3] = {r.data, g.data, b.data};
      std::vector<float> pixels(size_t(3 * n + 1), 123), single(size_t(n + 1), 123);
      k.image_normalise_rgb(r.data, g.data, b.data, scale, shift, pixels.data(), n);
      k.image_normalise(r.data, scale[1], shift[1], single.data(), n);
      // Small integers: exact in float.
      for (int64_t i = 0; i < 3 * n; ++i) CHECK(pixels[size_t(i)] == float(planes[i % 3][i / 3]) * scale[i % 3] + shift[i % 3]);
      for (int64_t i = 0; i < n; ++i) CHECK(single[size_t(i)] == float(r.data[i]) * scale[1] + shift[1]);
      CHECK(pixels.back() == 123);
      CHECK(single.back() == 123);
    }
  });
}
