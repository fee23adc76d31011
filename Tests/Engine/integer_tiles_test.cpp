// Tiles of 8-bit integers: exact sums by every body, and what follows them as fused_quads has it.
#include <doctest/doctest.h>

#include "kernel_samples.h"
#include "kernels/tiles.h"

using namespace swav;
using namespace swav::test;

namespace {

constexpr int columns = bfloat_amx_tile.columns;

// A part of rows with two segments at distances of their own, and panels of columns.
struct Operands {
  int64_t words[2];
  std::vector<uint8_t> a[2];
  std::vector<int8_t> b;

  Operands(uint64_t seed, int rows, int64_t first, int64_t second) : words{first, second} {
    Random random(seed, Purpose::test);
    for (int s = 0; s < 2; ++s) {
      for (int64_t i = 0; i < rows * stride(s); ++i) a[s].push_back(uint8_t(random.below(256)));
    }
    for (int64_t i = 0; i < (first + second) * 4 * columns; ++i) b.push_back(int8_t(int(random.below(256)) - 128));
  }

  int64_t stride(int s) const { return 4 * words[s] + 12; }

  int32_t sum(int r, int n) const {
    int32_t sum = 0;
    int64_t word = 0;
    for (int s = 0; s < 2; ++s) {
      for (int64_t k = 0; k < 4 * words[s]; ++k)
        sum += a[s][size_t(r * stride(s) + k)] * b[size_t(((word + k / 4) * columns + n) * 4 + k % 4)];
      word += words[s];
    }
    return sum;
  }
};

}  // namespace

TEST_CASE("every body of integer tiles gives exact sums, for every number of rows in each part, wherever the second one lies") {
  const TileBodies all = tile_bodies();
  int bodies = 0;
  for (int i = 0; i < all.count; ++i) {
    const TileKernels& body = *all.bodies[i];
    if (!body.integer_product) continue;
    ++bodies;
    const int part = body.tile.rows / body.parts;
    for (int rows = 1; rows <= part; ++rows) {
      for (int second_rows : {0, 1, rows, part}) {
        // All rows lie one below the other, those of the second part first.
        const Operands operands(uint64_t(rows), part + rows, body.tile.words, 3 * body.tile.words);
        const ProductSegment segments[] = {{reinterpret_cast<const char*>(operands.a[0].data()) + part * operands.stride(0),
                                            operands.stride(0), operands.words[0]},
                                           {reinterpret_cast<const char*>(operands.a[1].data()) + part * operands.stride(1),
                                            operands.stride(1), operands.words[1]}};
        const char* second[] = {reinterpret_cast<const char*>(operands.a[0].data()),
                                reinterpret_cast<const char*>(operands.a[1].data())};
        Guarded<int32_t> c(int64_t(body.tile.rows) * columns);
        TileSession(body, true).product(segments, second, 2, operands.b.data(), rows, second_rows, c.data(), columns);
        bool right = c.margins_intact();
        for (int r = 0; r < body.tile.rows; ++r) {
          const bool upper = r < rows, lower = r >= part && r < part + second_rows;
          for (int n = 0; n < columns; ++n) {
            const int64_t at = int64_t(r) * columns + n;
            if (upper || lower) right = right && c[at] == operands.sum(upper ? part + r : r - part, n);
            else right = right && c.untouched(at);
          }
        }
        CHECK_MESSAGE(right, body.name, " rows ", rows, " and ", second_rows);
      }
    }
  }
  CHECK(bodies > 0);
}

TEST_CASE("extreme bytes do not saturate in tiles: 255 times -128 and 127, 1008 words deep") {
  const TileBodies all = tile_bodies();
  constexpr int64_t words = 1008;
  const std::vector<uint8_t> a(words * 4, 255);
  std::vector<int8_t> b(size_t(words * 4 * columns));
  for (size_t i = 0; i < b.size(); ++i) b[i] = i / 4 % 2 ? 127 : -128;
  for (int i = 0; i < all.count; ++i) {
    const TileKernels& body = *all.bodies[i];
    if (!body.integer_product) continue;
    const ProductSegment segment{reinterpret_cast<const char*>(a.data()), 0, words};
    const char* second = nullptr;
    std::vector<int32_t> c(columns);
    TileSession(body, true).product(&segment, &second, 1, b.data(), 1, 0, c.data(), columns);
    for (int n = 0; n < columns; ++n) CHECK(c[size_t(n)] == int32_t(words * 4 * 255 * (n % 2 ? 127 : -128)));
  }
}

// fused_test.cpp compares fused_quads with loops in double.
TEST_CASE("what follows a tile of integers is what follows a fused product, to the bit, on every instruction set") {
  const int rows = 5;
  const int64_t words = 3;
  const Operands operands(4, rows, words, 0);
  std::vector<int32_t> sums, bias;
  std::vector<uint8_t> residual;
  for (int r = 0; r < rows; ++r) {
    for (int n = 0; n < columns; ++n) sums.push_back(operands.sum(r, n)), residual.push_back(uint8_t(37 * r + 11 * n));
  }
  for (int n = 0; n < columns; ++n) bias.push_back(1000 * n - 9000);
  const Floats scale = normals(1, columns, 0.01), residual_scale = normals(2, columns);
  for (Isa isa : every_isa) {
    if (!runs(isa) || !runs_quads(kernels(isa))) continue;
    const int64_t width = kernels(isa).tile_columns;
    for (const bool with_residual : {false, true}) {
      for (const bool to_float : {false, true}) {
        const int64_t size = to_float ? 4 : 1;
        std::vector<char> found(size_t(rows * columns * size)), expected(found);
        const char* side = with_residual ? reinterpret_cast<const char*>(residual.data()) : nullptr;
        const Requantize scales{bias.data(), scale.data(), residual_scale.data(), to_float};
        kernels(isa).finish_quads(sums.data(), columns, rows, scales, {found.data(), columns * size, side, columns});
        for (int64_t column = 0; column < columns; column += width) {
          std::vector<int8_t> panel;
          for (int64_t k = 0; k < words; ++k) {
            const auto begin = operands.b.begin() + (k * columns + column) * 4;
            panel.insert(panel.end(), begin, begin + 4 * width);
          }
          for (int r = 0; r < rows; ++r) {
            const ProductSegment row{reinterpret_cast<const char*>(operands.a[0].data()) + r * operands.stride(0), 0, words};
            kernels(isa).fused_quads(
                &row, 1, panel.data(), 1, scales.from(column),
                {expected.data() + (r * columns + column) * size, 0, side ? side + r * columns + column : nullptr, 0});
          }
        }
        CHECK_MESSAGE(found == expected, name(isa), " residual ", with_residual, " to float ", to_float);
      }
    }
  }
}
