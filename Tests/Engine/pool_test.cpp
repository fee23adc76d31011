// Pooling against plain loops, exactly on integers: ties, padding, odd maps.
#include <doctest/doctest.h>

#include <cfloat>
#include <cmath>

#include "kernel_samples.h"
#include "ops/pool.h"

using namespace swav;
using namespace swav::test;

namespace {

struct NormValues {
  Arena arena;
  BatchNormValues v;
  explicit NormValues(int64_t channels) {
    arena.lay_out([&] { v.take(arena, channels); });
    for (int64_t c = 0; c < channels; ++c)
      v.scale[c] = float(c % 4 - 1), v.shift[c] = float(c % 3), v.mean[c] = float(c % 5 - 2);
  }
};

// The window's largest ReLU(scale y + shift), its first place (0..8), or 255 for a zero.
struct Window {
  float value = 0;
  int place = 255;
};

Window window(const PoolShape& s, const Floats& y, const BatchNormValues& v, int64_t image, int32_t oy, int32_t ox, int32_t c) {
  Window w;
  for (int t = 0; t < 9; ++t) {
    const int32_t iy = 2 * oy - 1 + t / 3, ix = 2 * ox - 1 + t % 3;
    if (iy < 0 || ix < 0 || iy >= s.height || ix >= s.width) continue;
    const float x = y[size_t(((image * s.height + iy) * s.width + ix) * s.channels + c)] * v.scale[c] + v.shift[c];
    if (x > w.value) w = {x, t};
  }
  return w;
}

// Calls visit(output index, window) over all outputs; the index is that of [images][out_height][out_width][channels].
template <class F>
void for_each_window(const PoolShape& s, const Floats& y, const BatchNormValues& v, F visit) {
  int64_t at = 0;
  for (int64_t i = 0; i < s.images; ++i) {
    for (int32_t oy = 0; oy < s.out_height(); ++oy) {
      for (int32_t ox = 0; ox < s.out_width(); ++ox) {
        for (int32_t c = 0; c < s.channels; ++c) {
          const Window w = window(s, y, v, i, oy, ox, c);
          const int32_t iy = 2 * oy - 1 + w.place / 3, ix = 2 * ox - 1 + w.place % 3;
          const int64_t source = w.place == 255 ? -1 : ((i * s.height + iy) * s.width + ix) * s.channels + c;
          visit(at++, w, source);
        }
      }
    }
  }
}

const PoolShape shapes[] = {{1, 1, 1, 5},   {2, 2, 2, 16},  {1, 3, 3, 17},  {3, 5, 4, 33},
                            {1, 16, 17, 8}, {1, 49, 49, 3}, {2, 24, 24, 15}};

}  // namespace

TEST_CASE("max-pooling kernels are exact on integers with ties, padding and every size") {
  for (const Kernels* kernel : machine_kernels()) {
    for (int64_t n : sizes_around(kernel->lanes)) {
      const Floats x = integers(1, 9 * n, 2), scale = integers(2, n, 1), shift = integers(3, n, 1), d = integers(4, 9 * n, 9);
      const float* rows[9];
      for (int t = 0; t < 9; ++t) rows[t] = t % 4 == 1 ? nullptr : x.data() + t * n;
      Guarded<float> out(n);
      Guarded<uint8_t> index(n);
      kernel->max_pool(rows, 9, n, scale.data(), shift.data(), out.data(), index.data());
      bool equal = out.margins_intact() && index.margins_intact();
      for (int64_t c = 0; c < n; ++c) {
        Window w;
        for (int t = 0; t < 9; ++t) {
          const float v = rows[t] ? rows[t][c] * scale[size_t(c)] + shift[size_t(c)] : 0;
          if (v > w.value) w = {v, t};
        }
        equal = equal && out[c] == w.value && index[c] == w.place;
      }
      CHECK_MESSAGE(equal, kernel->isa, " n ", n);

      // The same pixel is tap 8, 6, 2 and 0 of the four windows it lies in; here every window holds the places found above.
      const std::vector<uint8_t> places = index.values();
      const int taps[4] = {8, 6, 2, 0};
      const uint8_t* indices[4] = {places.data(), places.data(), places.data(), places.data()};
      const float* gradients[4] = {d.data(), d.data() + n, d.data() + 2 * n, d.data() + 3 * n};
      for (int count : {1, 2, 4}) {
        Guarded<float> dz(n);
        kernel->max_pool_backward(gradients, indices, taps, count, n, dz.data());
        equal = dz.margins_intact();
        for (int64_t c = 0; c < n; ++c) {
          float total = 0;
          for (int w = 0; w < count; ++w) total += places[size_t(c)] == taps[w] ? gradients[w][c] : 0;
          equal = equal && dz[c] == total;
        }
        CHECK_MESSAGE(equal, kernel->isa, " n ", n, " windows ", count);
      }
    }
  }
}

TEST_CASE("max-pooling of a batch equals plain loops: the first of equal values wins, padding never does") {
  for (const PoolShape& s : shapes) {
    CAPTURE(s.height);
    CAPTURE(s.width);
    CAPTURE(s.channels);
    const Floats y = integers(1, s.images * s.height * s.width * s.channels, 2);
    NormValues values(s.channels);
    Guarded<float> out(s.out_count());
    Guarded<uint8_t> index(s.out_count());
    max_pool_forward(s, y.data(), values.v, out.data(), index.data());
    bool equal = out.margins_intact() && index.margins_intact();
    for_each_window(s, y, values.v,
                    [&](int64_t at, const Window& w, int64_t) { equal = equal && out[at] == w.value && index[at] == w.place; });
    CHECK(equal);
  }
}

TEST_CASE("the backward of max-pooling gives each gradient to the pixel that won, and sums it for batch-norm") {
  for (const PoolShape& s : shapes) {
    CAPTURE(s.height);
    CAPTURE(s.width);
    CAPTURE(s.channels);
    const int64_t pixels = s.images * s.height * s.width;
    const Floats y = integers(1, pixels * s.channels, 2), d = integers(2, s.out_count(), 4);
    NormValues values(s.channels);
    std::vector<uint8_t> index;
    Floats expected(y.size(), 0.0f);
    for_each_window(s, y, values.v, [&](int64_t at, const Window& w, int64_t source) {
      index.push_back(uint8_t(w.place));
      if (source >= 0) expected[size_t(source)] += d[size_t(at)];
    });
    Guarded<float> dz(int64_t(y.size()));
    Guarded<float> first(max_pool_blocks(s) * s.channels), second(max_pool_blocks(s) * s.channels);
    max_pool_backward(s, d.data(), index.data(), y.data(), values.v, dz.data(), {first.data(), second.data()});
    CHECK(dz.values() == expected);
    CHECK(dz.margins_intact());
    CHECK(first.margins_intact());
    CHECK(second.margins_intact());
    for (int32_t c = 0; c < s.channels; ++c) {
      float total = 0, centred = 0, block_total = 0, block_centred = 0;
      for (int64_t p = 0; p < pixels; ++p) {
        const size_t i = size_t(p * s.channels + c);
        total += expected[i];
        centred += expected[i] * (y[i] - values.v.mean[c]);
      }
      for (int64_t b = 0; b < max_pool_blocks(s); ++b) {
        block_total += first[b * s.channels + c];
        block_centred += second[b * s.channels + c];
      }
      CHECK(block_total == total);
      CHECK(block_centred == centred);
    }
  }
}

TEST_CASE("average pooling is the mean over pixels, its backward an equal share") {
  for (int64_t channels : {1, 15, 16, 17, 50}) {
    const int64_t images = 3, pixels = 49;
    const Floats x = normals(1, images * pixels * channels), d = normals(2, images * channels);
    Guarded<float> features(images * channels), dx(images * pixels * channels);
    average_pool_forward(x.data(), images, pixels, channels, features.data());
    average_pool_backward(d.data(), images, pixels, channels, dx.data());
    for (int64_t i = 0; i < images; ++i) {
      for (int64_t c = 0; c < channels; ++c) {
        double mean = 0, magnitude = 0;
        for (int64_t p = 0; p < pixels; ++p) {
          mean += double(x[size_t((i * pixels + p) * channels + c)]) / double(pixels);
          magnitude += std::abs(double(x[size_t((i * pixels + p) * channels + c)])) / double(pixels);
        }
        CHECK(std::abs(double(features[i * channels + c]) - mean) <= double(pixels) * FLT_EPSILON * magnitude);  // a sum of 49
        for (int64_t p = 0; p < pixels; ++p) {
          CHECK(dx[(i * pixels + p) * channels + c] == d[size_t(i * channels + c)] / float(pixels));
        }
      }
    }
    CHECK(features.margins_intact());
    CHECK(dx.margins_intact());
  }
}
