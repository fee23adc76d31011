// bfloat16: conversions against arithmetic in double, register tiles of every body against their plain twins, to the bit, and
// against sums in double.
#include <doctest/doctest.h>

#include <cfloat>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/bfloat16.h"
#include "kernel_samples.h"
#include "kernels/bfloat_kernels.h"
#include "kernels/tiles.h"

using namespace swav;
using namespace swav::test;

namespace {

uint32_t bits_of(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

float float_of(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

// The nearer of the two neighbours of a finite x, the even one of equally near ones, in double.
float nearest(float x) {
  const uint32_t below = bits_of(x) & 0xffff0000;
  const double low = double(float_of(below)), gap = std::abs(double(x) - low);
  const uint32_t above = below + 0x10000;
  // Beyond the largest number the next one would be 2^128.
  const double high =
      (above & 0x7f800000) == 0x7f800000 ? std::copysign(std::ldexp(1.0, 128), double(x)) : double(float_of(above));
  const double rest = std::abs(high - double(x));
  return gap < rest || (gap == rest && (below & 0x10000) == 0) ? float_of(below) : float_of(above);
}

// Operands of a tile: two segments with strides of their own, and columns packed word by word.
struct TileOperands {
  int rows;
  int64_t words[2];
  std::vector<bfloat16> a[2], b;
  Floats before;

  // scale: exponents of -scale..scale are spread over the values.
  TileOperands(uint64_t seed, int row_count, int64_t first, int64_t second, int scale) : rows(row_count), words{first, second} {
    Random random(seed, Purpose::test);
    const auto value = [&] { return std::ldexp(float(random.normal()), int(random.below(uint32_t(2 * scale + 1))) - scale); };
    for (int s = 0; s < 2; ++s) {
      for (int64_t i = 0; i < rows * stride(s); ++i) a[s].push_back(to_bfloat16(value()));
    }
    for (int64_t i = 0; i < (first + second) * 64; ++i) b.push_back(to_bfloat16(value()));
    for (int64_t i = 0; i < rows * 32; ++i) before.push_back(value());
  }

  int64_t stride(int s) const { return 2 * words[s] + 6; }  // in numbers

  Floats product(const TileKernels& body, bool accumulate) const {
    Guarded<float> c(before);
    if (body.numbers == 1) {
      multiply_widened(body, accumulate, c.data());
      CHECK_MESSAGE(c.margins_intact(), body.name, " rows ", rows);
      return c.values();
    }
    const ProductSegment segments[] = {{reinterpret_cast<const char*>(a[0].data()), 2 * stride(0), words[0]},
                                       {reinterpret_cast<const char*>(a[1].data()), 2 * stride(1), words[1]}};
    TileSession(body).product(segments, words[1] > 0 ? 2 : 1, b.data(), rows, c.data(), 32, accumulate);
    CHECK_MESSAGE(c.margins_intact(), body.name, " rows ", rows);
    return c.values();
  }

  // The segments as one row of floats, of each word the second number first.
  void multiply_widened(const TileKernels& body, bool accumulate, float* c) const {
    const int64_t depth = 2 * (words[0] + words[1]);
    Floats wide_a;
    for (int r = 0; r < rows; ++r) {
      for (int s = 0; s < 2; ++s) {
        for (int64_t k = 0; k < 2 * words[s]; ++k) wide_a.push_back(to_float(a[s][size_t(r * stride(s) + (k ^ 1))]));
      }
    }
    for (int n0 = 0; n0 < 32; n0 += body.tile.columns) {
      Floats wide_b;
      for (int64_t k = 0; k < depth; ++k) {
        for (int n = n0; n < n0 + body.tile.columns; ++n) {
          wide_b.push_back(to_float(b[size_t(k / 2 * 64 + n * 2 + (k + 1) % 2)]));
        }
      }
      const ProductSegment segment{reinterpret_cast<const char*>(wide_a.data()), 4 * depth, depth};
      TileSession(body).product(&segment, 1, wide_b.data(), rows, c + n0, 32, accumulate);
    }
  }

  // The sum in double, and that of magnitudes.
  std::pair<double, double> expected(int r, int n, bool accumulate) const {
    double sum = accumulate ? double(before[size_t(r * 32 + n)]) : 0, magnitude = std::abs(sum);
    int64_t word = 0;
    for (int s = 0; s < 2; ++s) {
      for (int64_t k = 0; k < 2 * words[s]; ++k) {
        const double product = double(to_float(a[s][size_t(r * stride(s) + k)])) *
                               double(to_float(b[size_t((word + k / 2) * 64 + n * 2 + k % 2)]));
        sum += product, magnitude += std::abs(product);
      }
      word += words[s];
    }
    return {sum, magnitude};
  }
};

struct Table {
  const char* name;
  const BfloatKernels* kernels;
  bool flushes;  // floats below the normal ones
};

// Those that the CPU can run.
std::vector<Table> machine_tables() {
  std::vector<Table> tables;
  for (Isa isa : every_isa) {
    if (runs(isa)) tables.push_back({name(isa), &bfloat_kernels(isa), false});
  }
  if (rounding_bfloat_kernels() != nullptr) tables.push_back({"avx512_bf16", rounding_bfloat_kernels(), true});
  return tables;
}

}  // namespace

TEST_CASE("every bfloat16 becomes a float and itself again") {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float x = to_float({uint16_t(bits)});
    const uint16_t again = to_bfloat16(x).bits;
    if (std::isnan(x)) REQUIRE(again == (bits | 0x40));
    else REQUIRE(again == bits);
  }
}

TEST_CASE("a float becomes the nearest bfloat16, ties to even, one and many at a time, on every instruction set") {
  Floats x = {0.0f, -0.0f, 1.0f, FLT_MAX, -FLT_MAX, FLT_MIN, 1e-40f, INFINITY, -INFINITY, 1.00390625f, 1.01171875f};
  Random random(3, Purpose::test);
  for (int i = 0; i < 20000; ++i) x.push_back(float_of(random.below(0xffffffffu)));
  for (float& value : x) {
    if (std::isnan(value)) value = 1.0f;
  }
  for (uint32_t half : {0x3f808000u, 0x3f818000u, 0xbf808000u, 0x00008000u, 0x7f7f8000u, 0x7f7f7fffu})
    x.push_back(float_of(half));
  for (float value : x) REQUIRE(bits_of(to_float(to_bfloat16(value))) == bits_of(std::isinf(value) ? value : nearest(value)));
  x.push_back(std::numeric_limits<float>::quiet_NaN());
  x.push_back(-std::numeric_limits<float>::signaling_NaN());
  for (const Table& table : machine_tables()) {
    for (int64_t n : {int64_t(1), int64_t(15), int64_t(33), int64_t(x.size())}) {
      const float* from = x.data() + x.size() - size_t(n);
      std::vector<bfloat16> to(size_t(n + 1), bfloat16{7});
      table.kernels->to_bfloat(from, to.data(), n);
      Floats back(size_t(n + 1), 7.0f);
      table.kernels->from_bfloat(to.data(), back.data(), n);
      bool equal = to.back().bits == 7 && back.back() == 7.0f;
      for (int64_t i = 0; i < n; ++i) {
        const bool flushed = table.flushes && std::fpclassify(from[i]) == FP_SUBNORMAL;
        equal = equal && to[size_t(i)].bits == to_bfloat16(flushed ? std::copysign(0.0f, from[i]) : from[i]).bits;
        equal = equal && bits_of(back[size_t(i)]) == bits_of(to_float(to[size_t(i)]));
      }
      CHECK_MESSAGE(equal, table.name, " n ", n);
    }
  }
}

TEST_CASE("every body of the tiles gives the bits of its plain twin, for every number of rows") {
  const TileBodies all = tile_bodies();
  for (int i = 0; i < all.count; ++i) {
    const TileKernels& body = *all.bodies[i];
    const int64_t step = body.tile.words;
    for (int rows = 1; rows <= body.tile.rows; ++rows) {
      for (int variant = 0; variant < 4; ++variant) {
        const TileOperands operands(uint64_t(rows), rows, (variant < 2 ? 1 : 5) * step, variant < 2 ? 0 : 2 * step, 10);
        const Floats native = operands.product(body, variant % 2), twin = operands.product(plain_twin(body), variant % 2);
        CHECK_MESSAGE(std::memcmp(native.data(), twin.data(), native.size() * 4) == 0, body.name, " rows ", rows, " variant ",
                      variant);
      }
    }
  }
}

TEST_CASE("the two parts of a tile may lie anywhere: each gives what it gives alone") {
  const TileBodies all = tile_bodies();
  for (int i = 0; i < all.count; ++i) {
    const TileKernels& body = *all.bodies[i];
    if (body.parts == 1) continue;
    const int part = body.tile.rows / 2;
    for (const auto& [rows, second_rows] : {std::pair{part, part}, {7, 7}, {1, part}, {part - 2, 3}}) {
      const TileOperands operands(9, rows, 2 * body.tile.words, 0, 4);
      const int64_t stride = 2 * operands.stride(0);
      // The second part begins before the first, and overlaps it.
      std::vector<bfloat16> a(size_t((part + 2) * operands.stride(0)));
      for (size_t at = 0; at < a.size(); ++at) a[at] = operands.a[0][at % operands.a[0].size()];
      const char* second = reinterpret_cast<const char*>(a.data());
      const ProductSegment segment{second + stride, stride, operands.words[0]};
      Floats both(size_t(body.tile.rows * 32), 5.0f), one(both), other(both);
      {
        TileSession session(body);
        session.product(&segment, &second, 1, operands.b.data(), std::min(rows, part), second_rows, both.data(), 32, true);
        session.product(&segment, 1, operands.b.data(), rows, one.data(), 32, true);
        const ProductSegment lower{second, stride, operands.words[0]};
        session.product(&lower, 1, operands.b.data(), second_rows, other.data(), 32, true);
      }
      CHECK_MESSAGE(std::equal(one.begin(), one.begin() + rows * 32, both.begin()), body.name, " rows ", rows);
      CHECK_MESSAGE(std::equal(other.begin(), other.begin() + second_rows * 32, both.begin() + part * 32), body.name,
                    " second rows ", second_rows);
      for (int r = rows; r < part; ++r) CHECK(both[size_t(r * 32)] == 5.0f);
    }
  }
}

TEST_CASE("a tile's sums are within their rounding of those in double: (depth + 2) eps times the sum of magnitudes") {
  const TileBodies all = tile_bodies();
  for (int i = 0; i < all.count; ++i) {
    const TileKernels& body = *all.bodies[i];
    for (int64_t steps : {1, 9}) {
      const TileOperands operands(7, body.tile.rows, steps * body.tile.words, 3 * body.tile.words, 3);
      const int64_t depth = 2 * (steps + 3) * body.tile.words;
      for (bool accumulate : {false, true}) {
        const Floats found = operands.product(body, accumulate);
        bool within = true;
        for (int r = 0; r < operands.rows; ++r) {
          for (int n = 0; n < 32; ++n) {
            const auto [sum, magnitude] = operands.expected(r, n, accumulate);
            within =
                within && std::abs(double(found[size_t(r * 32 + n)]) - sum) <= double(depth + 2) * FLT_EPSILON / 2 * magnitude;
          }
        }
        CHECK_MESSAGE(within, body.name, " depth ", depth);
      }
    }
  }
}

#if defined(__x86_64__)
TEST_CASE("denormals count as zeros and become zeros, in every body") {
  const TileBodies all = tile_bodies();
  for (int i = 0; i < all.count; ++i) {
    const TileKernels& body = *all.bodies[i];
    TileOperands operands(1, 1, body.tile.words, 0, 0);
    const auto alone = [&](float x, float y, float begin) {
      std::fill(operands.a[0].begin(), operands.a[0].end(), bfloat16{});
      std::fill(operands.b.begin(), operands.b.end(), to_bfloat16(1.0f));
      operands.a[0][0] = to_bfloat16(x);
      for (int n = 0; n < 32; ++n) operands.b[size_t(2 * n)] = to_bfloat16(y);
      operands.before.assign(32, begin);
      return operands.product(body, true)[31];
    };
    INFO(body.name);
    CHECK(alone(1e-40f, 1.0f, 0.0f) == 0.0f);              // an operand
    CHECK(alone(1e-20f, 1e-20f, 0.0f) == 0.0f);            // a product
    CHECK(alone(0.0f, 1.0f, 1e-40f) == 0.0f);              // a sum before
    CHECK(alone(-1.0f, FLT_MIN, 1.5f * FLT_MIN) == 0.0f);  // a sum after
    CHECK(alone(1.0f, FLT_MIN, FLT_MIN) == 2 * FLT_MIN);
  }
}

TEST_CASE("the modes of a thread are as before when its products are done") {
  volatile float tiny = FLT_MIN;
  { TileSession session(tiles()); }
  CHECK(tiny * 0.5f != 0.0f);
}
#endif

TEST_CASE("what is not finite stays so through a product and what follows it") {
  const TileBodies all = tile_bodies();
  for (int i = 0; i < all.count; ++i) {
    const TileKernels& body = *all.bodies[i];
    for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      TileOperands operands(2, 2, body.tile.words, 0, 1);
      operands.a[0][size_t(operands.stride(0))] = to_bfloat16(bad);  // of the second row
      const Floats sums = operands.product(body, false), bias(32);
      std::vector<bfloat16> out(64);
      const FusedRows to{reinterpret_cast<char*>(out.data()), 64, nullptr, 0};
      bfloat_kernels().finish_bfloat(sums.data(), 32, 2, bias.data(), false, false, to);
      for (int n = 0; n < 32; ++n) {
        CHECK(std::isfinite(to_float(out[size_t(n)])));
        CHECK(!std::isfinite(to_float(out[size_t(32 + n)])));
      }
      bfloat_kernels().finish_bfloat(sums.data(), 32, 2, bias.data(), true, false, to);
      if (std::isnan(bad)) {
        for (int n = 0; n < 32; ++n) CHECK(std::isnan(to_float(out[size_t(32 + n)])));
      }
    }
  }
}

TEST_CASE("what follows a product: bias, residual, ReLU without signed zeros, to bfloat16 or float, on every instruction set") {
  const Floats sums = normals(1, 3 * 40), bias = normals(2, 32);
  std::vector<bfloat16> residual(3 * 50);
  for (size_t i = 0; i < residual.size(); ++i) residual[i] = to_bfloat16(float(i % 7) - 3);
  for (const Table& table : machine_tables()) {
    for (int variant = 0; variant < 8; ++variant) {
      const bool relu = variant & 1, with_residual = variant & 2, floats = variant & 4;
      Guarded<float> wide(3 * 36);
      Guarded<uint16_t> narrow(3 * 36);
      const FusedRows to{floats ? reinterpret_cast<char*>(wide.data()) : reinterpret_cast<char*>(narrow.data()),
                         36 * (floats ? 4 : 2), with_residual ? reinterpret_cast<const char*>(residual.data()) : nullptr, 100};
      table.kernels->finish_bfloat(sums.data(), 40, 3, bias.data(), relu, floats, to);
      bool equal = wide.margins_intact() && narrow.margins_intact();
      for (int r = 0; r < 3; ++r) {
        for (int n = 0; n < 36; ++n) {
          const int at = r * 36 + n;
          if (n >= 32) {
            equal = equal && wide.untouched(at) && narrow.untouched(at);
            continue;
          }
          float value = sums[size_t(r * 40 + n)] + bias[size_t(n)];
          if (with_residual) value += to_float(residual[size_t(r * 50 + n)]);
          if (relu && value <= 0) value = 0.0f;
          equal = equal && (floats ? bits_of(wide[at]) == bits_of(value) : narrow[at] == to_bfloat16(value).bits);
        }
      }
      CHECK_MESSAGE(equal, table.name, " variant ", variant);
    }
    const Floats negative_zero(32, -0.0f), no_bias(32, -0.0f);
    std::vector<bfloat16> out(32);
    table.kernels->finish_bfloat(negative_zero.data(), 32, 1, no_bias.data(), true, false,
                                 {reinterpret_cast<char*>(out.data()), 64, nullptr, 0});
    for (bfloat16 x : out) CHECK(x.bits == 0);
  }
}
