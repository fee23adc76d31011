// Products of bfloat16 with sums in float32, and of 8-bit integers with sums in 32 bits, tile by tile: one interface, a body
// for each way that CPUs have, and plain C++ that computes the same sums in the same order. docs/bfloat16.md says what hardware
// does and what is promised.
//
// A word has four bytes: two numbers of bfloat16, or one of them as a float where a body takes them widened, or four integers.
// A row of A holds words as they follow in the depth; B holds panels of tile columns: [words][columns][numbers of a word].
#pragma once

#include <cstdint>

#include "base/bfloat16.h"
#include "kernels/kernels.h"

namespace swav {

// Rows of A lie at equal distances within a part of the tile, and the parts anywhere: `segments` has the first one, second[s]
// the first row of the second one in segment s. Part p is rows [p, p + 1) * tile.rows / parts of C.
struct TileKernels {
  const char* name;   // "amx", "avx512_bf16", "widened"; "amx_order" and "vector_order" are plain C++
  TileGeometry tile;  // the words of every segment are a multiple of its words
  int parts;          // 1 or 2
  int numbers;        // in a word: 2, or 1 where they are widened; those have one segment
  // Prepares the calling thread for products of so many rows in each part; second_rows may be 0.
  void (*configure)(int rows, int second_rows);
  void (*release)();
  // C [rows][columns] = A B, or C += A B with accumulate; rows of C lie c_stride floats apart. A in segments, B [words of all
  // segments][columns][numbers]. Between configure and release.
  void (*product)(const ProductSegment* segments, const char* const* second, int count, const void* b, int rows,
                  int second_rows, float* c, int64_t c_stride, bool accumulate, Ahead ahead);
  // C = A B of unsigned bytes of A and signed ones of B: exact where 32 bits hold the sums, and so the same in any order. NULL
  // in bodies of vectors: those have fused_quads (kernel_table.inl.h).
  void (*integer_product)(const ProductSegment* segments, const char* const* second, int count, const int8_t* b, int rows,
                          int second_rows, int32_t* c, int64_t c_stride);
};

// All bodies that this CPU can run, whatever the cap, the plain ones last. For tests.
struct TileBodies {
  static constexpr int most = 5;
  const TileKernels* bodies[most];
  int count;
};
TileBodies tile_bodies();

// The body that computes the sums of `kernels` in plain C++.
const TileKernels& plain_twin(const TileKernels& kernels);

// The body in use: AMX where it is in use and granted; AVX512-BF16 on AMD's CPUs, whose vectors multiply bfloat16 at twice the
// rate of floats; else multiply-adds of floats, as Intel's multiply bfloat16 at half of it.
const TileKernels& tiles();

// The body in use for integers: AMX where it is in use and granted; else NULL.
const TileKernels* integer_tiles();

// Whether products of bfloat16 are faster than those of floats.
bool fast_bfloat16();

// Products of one thread: configures where the number of rows changes. Denormals count as zeros, and become zeros, on x86-64
// while it lives, which is what the hardware does with bfloat16; not where it is for integers.
class TileSession {
 public:
  explicit TileSession(const TileKernels& kernels, bool integers = false);
  ~TileSession();
  TileSession(const TileSession&) = delete;
  TileSession& operator=(const TileSession&) = delete;

  void product(const ProductSegment* segments, const char* const* second, int count, const void* b, int rows, int second_rows,
               float* c, int64_t c_stride, bool accumulate, Ahead ahead = {}) {
    configure(rows, second_rows);
    kernels_.product(segments, second, count, b, rows, second_rows, c, c_stride, accumulate, ahead);
  }
  void product(const ProductSegment* segments, const char* const* second, int count, const int8_t* b, int rows, int second_rows,
               int32_t* c, int64_t c_stride) {
    configure(rows, second_rows);
    kernels_.integer_product(segments, second, count, b, rows, second_rows, c, c_stride);
  }

  // The same where all rows lie at equal distances; at most most_segments.
  static constexpr int most_segments = 16;
  void product(const ProductSegment* segments, int count, const void* b, int rows, float* c, int64_t c_stride, bool accumulate,
               Ahead ahead = {}) {
    const int part = kernels_.tile.rows / kernels_.parts, first = rows < part ? rows : part;
    const char* second[most_segments];
    for (int s = 0; s < count; ++s) second[s] = segments[s].a + part * segments[s].stride;
    product(segments, second, count, b, first, rows - first, c, c_stride, accumulate, ahead);
  }

 private:
  void configure(int rows, int second_rows) {
    if (rows != rows_ || second_rows != second_rows_) kernels_.configure(rows_ = rows, second_rows_ = second_rows);
  }

  const TileKernels& kernels_;
  int rows_ = 0, second_rows_ = 0;
  uint32_t saved_ = 0;
};

}  // namespace swav
