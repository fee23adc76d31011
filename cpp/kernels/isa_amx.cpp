// Tiles of bfloat16 and of 8-bit integers in AMX: 32 x 32 sums in four tile registers, two of A and two of B, 16 words deep a
// step. Four multiply-adds (tdpbf16ps of 16 x 16 x 32, tdpbusd of 16 x 16 x 64) from four loads.
//
// Written against Intel's documentation of the instructions (Software Developer's Manual, volume 2, TDPBF16PS, TDPBUSD and
// LDTILECFG): a word of four bytes is the unit of both, so the tiles' shapes are the same. The tiles' shapes are set for the
// number of rows, so that no row beyond them is read. The registers of A are the two parts of a tile: pixels of two rows of a
// map fill it where one row has 14.
#include "kernels/tiles.h"

#if defined(__x86_64__)
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("amx-tile,amx-bf16,amx-int8"))), apply_to = function)
#endif
namespace swav {
namespace {
#include "kernels/tile_body.inl.h"

constexpr int tile_columns = bfloat_amx_tile.columns, register_rows = bfloat_amx_tile.rows / 2;

// The memory that LDTILECFG reads.
struct alignas(64) TileConfiguration {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfiguration) == 64);

// Registers 0 and 1 hold sums of the first part, 2 and 3 of the second; 4 and 5 rows of A, 6 and 7 columns of B. A register
// without rows is not touched.
void configure(int upper, int lower) {
  TileConfiguration to;
  const int of_register[8] = {upper, upper, lower, lower, upper, lower, register_rows, register_rows};
  for (int i = 0; i < 8; ++i) {
    to.rows[i] = uint8_t(of_register[i]);
    to.row_bytes[i] = of_register[i] > 0 ? 64 : 0;
  }
  asm volatile("" : : "r"(&to) : "memory");  // g++ 12 takes the instruction for one that reads eight bytes
  _tile_loadconfig(&to);
}

void release() { _tile_release(); }

// The sums of a part += its rows times both registers of columns. Written out, as numbers of registers are part of an
// instruction's text for g++.
struct Bfloats {
  static __attribute__((always_inline)) void first_part() {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
  }
  static __attribute__((always_inline)) void second_part() {
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
};
struct Integers {  // rows without a sign, columns with one
  static __attribute__((always_inline)) void first_part() {
    _tile_dpbusd(0, 4, 6);
    _tile_dpbusd(1, 4, 7);
  }
  static __attribute__((always_inline)) void second_part() {
    _tile_dpbusd(2, 5, 6);
    _tile_dpbusd(3, 5, 7);
  }
};

template <class Numbers, bool two_parts>
struct AmxTiles {
  static constexpr bool two = two_parts;
  static constexpr int words = bfloat_amx_tile.words, columns = tile_columns;

  template <class Sum>
  __attribute__((always_inline)) void begin(const Sum* c, int64_t stride, bool accumulate) {
    if (!accumulate) {
      _tile_zero(0);
      _tile_zero(1);
      if constexpr (two) {
        _tile_zero(2);
        _tile_zero(3);
      }
      return;
    }
    _tile_loadd(0, c, stride * 4);
    _tile_loadd(1, c + 16, stride * 4);
    if constexpr (two) {
      _tile_loadd(2, c + register_rows * stride, stride * 4);
      _tile_loadd(3, c + register_rows * stride + 16, stride * 4);
    }
  }
  __attribute__((always_inline)) void multiply_add(const char* a, const char* second, int64_t stride, const char* b) {
    _tile_loadd(6, b, 4 * tile_columns);
    _tile_loadd(7, b + 64, 4 * tile_columns);
    _tile_loadd(4, a, stride);
    Numbers::first_part();
    if constexpr (two) {
      _tile_loadd(5, second, stride);
      Numbers::second_part();
    }
  }
  template <class Sum>
  __attribute__((always_inline)) void end(Sum* c, int64_t stride, bool) {
    _tile_stored(0, c, stride * 4);
    _tile_stored(1, c + 16, stride * 4);
    if constexpr (two) {
      _tile_stored(2, c + register_rows * stride, stride * 4);
      _tile_stored(3, c + register_rows * stride + 16, stride * 4);
    }
  }
};

void product(const ProductSegment* segments, const char* const* second, int count, const void* b, int, int second_rows,
             float* c, int64_t c_stride, bool accumulate, Ahead ahead) {
  if (second_rows > 0) tile_product<AmxTiles<Bfloats, true>>(segments, second, count, b, c, c_stride, accumulate, ahead);
  else tile_product<AmxTiles<Bfloats, false>>(segments, second, count, b, c, c_stride, accumulate, ahead);
}

void integer_product(const ProductSegment* segments, const char* const* second, int count, const int8_t* b, int,
                     int second_rows, int32_t* c, int64_t c_stride) {
  if (second_rows > 0) tile_product<AmxTiles<Integers, true>>(segments, second, count, b, c, c_stride, false, {});
  else tile_product<AmxTiles<Integers, false>>(segments, second, count, b, c, c_stride, false, {});
}

}  // namespace

extern const TileKernels amx_tiles;
const TileKernels amx_tiles = {"amx", bfloat_amx_tile, 2, 2, configure, release, product, integer_product};

}  // namespace swav
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
