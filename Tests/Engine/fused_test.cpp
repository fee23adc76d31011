// The fused products of frozen networks, on every instruction set, against plain loops. Data are small integers, so every sum
// is exact, and integer results have to be equal everywhere.
#include <doctest/doctest.h>

#include <cmath>

#include "base/cpu.h"
#include "kernel_samples.h"

using namespace swav;
using namespace swav::test;

namespace {

// Two segments with strides of their own, their words in B one after the other.
struct Product {
  int rows, in_word;
  int64_t words[2];
  std::vector<int> a[2], b;  // a [rows][words * in_word], b [words * in_word][columns]
  int64_t columns;

  Product(const Kernels& kernel, int rows_in, int64_t first, int64_t second, int numbers, int most_a, int most_b)
      : rows(rows_in), in_word(numbers), words{first, second}, columns(kernel.tile_columns) {
    for (int s = 0; s < 2; ++s) {
      for (float x : integers(uint64_t(s) + 1, rows * words[s] * in_word, most_a)) a[s].push_back(std::abs(int(x)));
    }
    for (float x : integers(3, (first + second) * in_word * columns, most_b)) b.push_back(int(x));
  }

  int64_t sum(int r, int64_t n) const {
    int64_t total = 0, k = 0;
    for (int s = 0; s < 2; ++s) {
      for (int64_t i = 0; i < words[s] * in_word; ++i, ++k) {
        total += int64_t(a[s][size_t(r * words[s] * in_word + i)]) * b[size_t(k * columns + n)];
      }
    }
    return total;
  }

  // As the kernel reads them: A with `gap` numbers behind each row, B word by word.
  template <class Number>
  std::vector<Number> source(int s, int64_t gap) const {
    const int64_t n = words[s] * in_word;
    std::vector<Number> out(size_t(rows * (n + gap)), Number(99));
    for (int r = 0; r < rows; ++r) {
      for (int64_t i = 0; i < n; ++i) out[size_t(r * (n + gap) + i)] = Number(a[s][size_t(r * n + i)]);
    }
    return out;
  }
  template <class Number>
  std::vector<Number> packed() const {
    std::vector<Number> out(b.size());
    for (int64_t k = 0; k < int64_t(b.size()) / columns; ++k) {
      for (int64_t n = 0; n < columns; ++n) {
        out[size_t((k / in_word * columns + n) * in_word + k % in_word)] = Number(b[size_t(k * columns + n)]);
      }
    }
    return out;
  }
};

std::vector<int> edge_rows(const Kernels& kernel) {
  return {1, 2, kernel.tile_rows / 2, kernel.tile_rows - 1, kernel.tile_rows};
}

void check_float(const Kernels& kernel, int rows, int64_t first, int64_t second, bool with_residual, bool relu) {
  const Product p(kernel, rows, first, second, 1, 5, 5);
  const auto a0 = p.source<float>(0, 3), a1 = p.source<float>(1, 0), b = p.packed<float>();
  const ProductSegment segments[2] = {{reinterpret_cast<const char*>(a0.data()), (first + 3) * 4, first},
                                      {reinterpret_cast<const char*>(a1.data()), second * 4, second}};
  const Floats bias = integers(5, p.columns, 9), residual = integers(6, rows * p.columns, 9);
  const int64_t stride = p.columns + 5;
  Guarded<float> out(rows * stride, -12345.5f);
  kernel.fused_float(segments, 2, b.data(), rows, bias.data(), relu,
                     {reinterpret_cast<char*>(out.data()), stride * 4,
                      with_residual ? reinterpret_cast<const char*>(residual.data()) : nullptr, p.columns * 4});
  bool equal = out.margins_intact();
  for (int r = 0; r < rows; ++r) {
    for (int64_t n = 0; n < stride; ++n) {
      if (n >= p.columns) {
        equal = equal && out.untouched(r * stride + n);
        continue;
      }
      float expected = float(p.sum(r, n)) + bias[size_t(n)];
      if (with_residual) expected += residual[size_t(r * p.columns + n)];
      equal = equal && out[r * stride + n] == (relu ? std::max(expected, 0.0f) : expected);
    }
  }
  CHECK_MESSAGE(equal, kernel.isa, " rows ", rows, " words ", first, " + ", second, " residual ", with_residual, " relu ",
                relu);
}

// Round to nearest, ties to even, of a value in 0..255.
double nearest(float v) { return std::nearbyint(double(std::min(std::max(v, 0.0f), 255.0f))); }

// Activation: what is stored; Weight: its signed twin.
template <class Activation, class Weight, class Call>
void check_integer(const Kernels& kernel, int rows, int64_t first, int64_t second, bool with_residual, bool to_float,
                   Call call) {
  const int numbers = int(4 / sizeof(Activation));
  const Product p(kernel, rows, first, second, numbers, 255, 127);
  const auto a0 = p.source<Activation>(0, numbers), a1 = p.source<Activation>(1, 0);
  const auto b = p.packed<Weight>();
  const ProductSegment segments[2] = {{reinterpret_cast<const char*>(a0.data()), (first + 1) * 4, first},
                                      {reinterpret_cast<const char*>(a1.data()), second * 4, second}};
  std::vector<int32_t> bias;
  std::vector<Activation> residual;
  Floats scale, residual_scale;
  for (int64_t n = 0; n < p.columns; ++n) {
    bias.push_back(int32_t(n * 1001) - 7000);
    scale.push_back(0.5f / float(first + second) / float(n % 7 + 100));  // some results are clipped, most are not
    residual_scale.push_back(0.3f + 0.01f * float(n));
  }
  for (int64_t i = 0; i < rows * p.columns; ++i) residual.push_back(Activation(i * 37 % 256));
  const Requantize scales{bias.data(), scale.data(), residual_scale.data(), to_float};
  const int64_t stride = p.columns + 5;
  bool equal = true;
  const auto run = [&](auto number) {
    using Out = decltype(number);
    Guarded<Out> out(rows * stride);
    call(segments, b.data(), scales,
         FusedRows{reinterpret_cast<char*>(out.data()), stride * int64_t(sizeof(Out)),
                   with_residual ? reinterpret_cast<const char*>(residual.data()) : nullptr,
                   p.columns * int64_t(sizeof(Activation))});
    equal = out.margins_intact();
    for (int r = 0; r < rows; ++r) {
      for (int64_t n = p.columns; n < stride; ++n) equal = equal && out.untouched(r * stride + n);
      for (int64_t n = 0; n < p.columns; ++n) {
        // Every operation rounded on its own; volatile keeps the test's compiler from fusing them.
        volatile float v = float(int32_t(p.sum(r, n) + bias[size_t(n)])) * scale[size_t(n)];
        volatile float identity = float(residual[size_t(r * p.columns + n)]) * residual_scale[size_t(n)];
        if (with_residual) v = v + identity;
        const double expected = to_float ? double(std::max(float(v), 0.0f)) : nearest(v);
        equal = equal && double(out[r * stride + n]) == expected;
      }
    }
  };
  if (to_float) run(float());
  else run(Activation());
  CHECK_MESSAGE(equal, kernel.isa, " bytes ", sizeof(Activation), " rows ", rows, " words ", first, " + ", second, " residual ",
                with_residual, " to float ", to_float);
}

}  // namespace

TEST_CASE("a fused float product is the product with bias, residual and ReLU, at every number of rows") {
  for (const Kernels* kernel : machine_kernels()) {
    for (int rows = 1; rows <= kernel->tile_rows; ++rows) check_float(*kernel, rows, 7, 4, true, true);
    for (int rows : edge_rows(*kernel)) {
      for (int64_t words : {1, 2, 33, 600}) {
        check_float(*kernel, rows, words, 1, false, false);
        check_float(*kernel, rows, words, 3, true, false);
        check_float(*kernel, rows, words, 3, false, true);
      }
    }
  }
}

TEST_CASE("fused integer products are exact and rounded to the nearest, equal on every instruction set") {
  for (const Kernels* kernel : machine_kernels()) {
    const auto check = [&](int rows, int64_t first, int64_t second, bool with_residual, bool to_float) {
      check_integer<uint16_t, int16_t>(*kernel, rows, first, second, with_residual, to_float,
                                       [&](const ProductSegment* s, const int16_t* b, const Requantize& q,
                                           const FusedRows& to) { kernel->fused_pairs(s, 2, b, rows, q, to); });
      if (!runs_quads(*kernel)) return;
      check_integer<uint8_t, int8_t>(*kernel, rows, first, second, with_residual, to_float,
                                     [&](const ProductSegment* s, const int8_t* b, const Requantize& q, const FusedRows& to) {
                                       kernel->fused_quads(s, 2, b, rows, q, to);
                                     });
    };
    for (int rows = 1; rows <= kernel->tile_rows; ++rows) check(rows, 5, 2, true, false);
    for (int rows : edge_rows(*kernel)) {
      for (int64_t words : {1, 2, 33, 300}) {
        check(rows, words, 1, false, false);
        check(rows, words, 2, true, true);
        check(rows, words, 2, false, true);
      }
    }
  }
}

TEST_CASE("extreme bytes do not saturate: 255 times -128 and 127, 1000 words deep") {
  for (const Kernels* kernel : machine_kernels()) {
    constexpr int64_t words = 1000;
    const int64_t columns = kernel->tile_columns;
    std::vector<uint8_t> a(words * 4, 255);
    std::vector<int8_t> b(size_t(words * 4 * columns));
    for (size_t i = 0; i < b.size(); ++i) b[i] = i / 4 % 2 ? 127 : -128;
    std::vector<uint16_t> a_pairs(words * 2, 255);
    std::vector<int16_t> b_pairs(size_t(words * 2 * columns));
    for (size_t i = 0; i < b_pairs.size(); ++i) b_pairs[i] = i / 2 % 2 ? 127 : -128;
    const std::vector<int32_t> bias(size_t(columns), 200000000);  // ReLU would hide negative sums
    const Floats scale(size_t(columns), 1.0f);
    const Requantize scales{bias.data(), scale.data(), nullptr, true};
    Floats out(static_cast<size_t>(columns));
    const FusedRows to{reinterpret_cast<char*>(out.data()), columns * 4, nullptr, 0};
    const auto right = [&](int in_word) {
      for (int64_t n = 0; n < columns; ++n) {
        const int64_t sum = 200000000 + int64_t(255) * (n % 2 ? 127 : -128) * words * in_word;
        if (out[size_t(n)] != float(sum)) return false;
      }
      return true;
    };
    const ProductSegment pairs{reinterpret_cast<const char*>(a_pairs.data()), 0, words};
    kernel->fused_pairs(&pairs, 1, b_pairs.data(), 1, scales, to);
    CHECK_MESSAGE(right(2), kernel->isa);
    if (!runs_quads(*kernel)) continue;
    const ProductSegment quads{reinterpret_cast<const char*>(a.data()), 0, words};
    kernel->fused_quads(&quads, 1, b.data(), 1, scales, to);
    CHECK_MESSAGE(right(4), kernel->isa);
  }
}

TEST_CASE("the largest of several rows, in floats, bytes and 16-bit numbers") {
  for (const Kernels* kernel : machine_kernels()) {
    const int64_t n = 3 * kernel->lanes;
    for (int count : {1, 4, 9}) {
      const auto check = [&](auto number, auto call) {
        using Number = decltype(number);
        std::vector<std::vector<Number>> rows;
        std::vector<const Number*> pointers;
        for (int t = 0; t < count; ++t) {
          rows.emplace_back();
          for (float x : integers(uint64_t(t), n, 255)) rows.back().push_back(Number(std::abs(x)));
        }
        for (const auto& row : rows) pointers.push_back(row.data());
        Guarded<Number> out(n);
        call(pointers.data(), out.data());
        bool equal = out.margins_intact();
        for (int64_t i = 0; i < n; ++i) {
          Number largest = 0;
          for (const auto& row : rows) largest = std::max(largest, row[size_t(i)]);
          equal = equal && out[i] == largest;
        }
        CHECK_MESSAGE(equal, kernel->isa, " rows ", count, " bytes ", sizeof(Number));
      };
      check(float(), [&](const float* const* rows, float* out) { kernel->maximum_float(rows, count, n, out); });
      check(uint8_t(), [&](const uint8_t* const* rows, uint8_t* out) { kernel->maximum_bytes(rows, count, n, out); });
      check(uint16_t(), [&](const uint16_t* const* rows, uint16_t* out) { kernel->maximum_halves(rows, count, n, out); });
    }
  }
}
