// The serial leaves of the engine: their contracts, and the table that holds one version of each for an instruction set.
//
// Every kernel is written once, in a body of this folder (*.inl.h) over `vec` (vector.inl.h), and compiled three times, by
// isa_baseline.cpp, isa_avx2.cpp and isa_avx512.cpp. Kernels know nothing of threads, shapes of networks or allocation.
// Letters: M rows (pixels or samples), N columns (output channels or prototypes), K depth of a product.
#pragma once

#include <cstdint>

#include "base/cpu.h"

namespace swav {

// Distance between packed rows of `depth` floats: an odd number of cache lines. Rows a power of two apart would meet in one set
// of the first-level cache, which then holds 8 of a tile's 14.
constexpr int64_t row_stride(int64_t depth) { return ((depth + line_floats - 1) / line_floats | 1) * line_floats; }

// Bytes beyond the end of an array that kernels on bytes may touch: a vector has at most 16 lanes of one byte.
constexpr int image_slack = 16;

// Cache lines that a product asks the second-level cache for, one at a step of its depth. They are not read.
struct Ahead {
  const char* at = nullptr;
  int64_t lines = 0;
};

// One stretch of the depth of a fused product: row r begins r * stride bytes behind a and has `words` words of four bytes.
struct ProductSegment {
  const char* a;
  int64_t stride;
  int64_t words;
};

// Where the rows of a fused product go, and what is added to them: distances in bytes, residual NULL for nothing.
struct FusedRows {
  char* out;
  int64_t out_stride;
  const char* residual;
  int64_t residual_stride;
};

// From the 32-bit sums of an integer product to what is stored, column by column.
struct Requantize {
  const int32_t* bias;          // added to the sums
  const float* scale;           // of a sum, in units of the output
  const float* residual_scale;  // of the residual, in units of the output; not read without a residual
  bool to_float;                // store float32 instead of integers

  Requantize from(int64_t column) const { return {bias + column, scale + column, residual_scale + column, to_float}; }
};

struct Kernels {
  const char* isa;
  int lanes;                    // floats in a vector
  int tile_rows, tile_columns;  // tile_geometry
#define SWAV_KERNEL(result, name, ...) result (*name)(__VA_ARGS__);
#include "kernels/kernel_table.inl.h"
#undef SWAV_KERNEL
};

// The table of an instruction set; of the one in use without an argument. Asking for one that the CPU lacks returns
// a table that must not be called: tests skip it by runs().
const Kernels& kernels(Isa isa);
const Kernels& kernels();

}  // namespace swav
