// Products of bfloat16 with sums in float32, tile by tile: one interface, a body for each way that CPUs have, and plain C++
// that computes the same sums in the same order. docs/bfloat16.md says what hardware does and what is promised.
//
// A row of A holds words of two numbers, as they follow in the depth; B holds panels of tile columns: [words][columns][2].
#pragma once

#include <cstdint>

#include "base/bfloat16.h"
#include "kernels/kernels.h"

namespace swav {

// Rows of A lie at equal distances within a part of the tile, and the parts anywhere: `segments` has the first one, second[s]
// the first row of the second one in segment s. Part p is rows [p, p + 1) * tile.rows / parts of C.
struct TileKernels {
  const char* name;   // "amx", "avx512_bf16"; "amx_order" and "vector_order" are plain C++
  TileGeometry tile;  // the words of every segment are a multiple of its words
  int parts;          // 1 or 2
  // Prepares the calling thread for products of so many rows in each part; second_rows may be 0.
  void (*configure)(int rows, int second_rows);
  void (*release)();
  // C [rows][columns] = A B, or C += A B with accumulate; rows of C lie c_stride floats apart. A in segments, B [words of all
  // segments][columns][2]. Between configure and release.
  void (*product)(const ProductSegment* segments, const char* const* second, int count, const bfloat16* b, int rows,
                  int second_rows, float* c, int64_t c_stride, bool accumulate);
};

// All bodies that this CPU can run, whatever the cap, the plain ones last. For tests.
struct TileBodies {
  static constexpr int most = 4;
  const TileKernels* bodies[most];
  int count;
};
TileBodies tile_bodies();

// The body that computes the sums of `kernels` in plain C++.
const TileKernels& plain_twin(const TileKernels& kernels);

// The body in use: AMX where it is in use and granted, else AVX512-BF16, else plain C++ in the latter's order.
const TileKernels& tiles();

// Whether products of bfloat16 are worth it: with AMX, or where vectors multiply them at twice the rate of floats, as AMD's do.
// Intel's multiply them in vectors at the rate of floats.
bool fast_bfloat16();

// Products of one thread: configures where the number of rows changes. Denormals count as zeros, and become zeros, on x86-64
// while it lives: that is what the hardware does.
class TileSession {
 public:
  explicit TileSession(const TileKernels& kernels);
  ~TileSession();
  TileSession(const TileSession&) = delete;
  TileSession& operator=(const TileSession&) = delete;

  void product(const ProductSegment* segments, const char* const* second, int count, const bfloat16* b, int rows,
               int second_rows, float* c, int64_t c_stride, bool accumulate) {
    if (rows != rows_ || second_rows != second_rows_) kernels_.configure(rows_ = rows, second_rows_ = second_rows);
    kernels_.product(segments, second, count, b, rows, second_rows, c, c_stride, accumulate);
  }

  // The same where all rows lie at equal distances; at most most_segments.
  static constexpr int most_segments = 16;
  void product(const ProductSegment* segments, int count, const bfloat16* b, int rows, float* c, int64_t c_stride,
               bool accumulate) {
    const int part = kernels_.tile.rows / kernels_.parts, first = rows < part ? rows : part;
    const char* second[most_segments];
    for (int s = 0; s < count; ++s) second[s] = segments[s].a + part * segments[s].stride;
    product(segments, second, count, b, first, rows - first, c, c_stride, accumulate);
  }

 private:
  const TileKernels& kernels_;
  int rows_ = 0, second_rows_ = 0;
  uint32_t saved_ = 0;
};

}  // namespace swav
