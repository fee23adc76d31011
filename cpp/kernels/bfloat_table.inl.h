// Kernels of bfloat16, as rows of kernel_table.inl.h: SWAV_KERNEL(result, name, parameters...).

// -- plain_tile.inl.h -- register tiles of 32 columns in plain C++: C [rows][32] = A B, or C += A B with accumulate; A in
// segments, B [words of all segments][32][2], c_stride in floats.

// The sums of vdpbf16ps, word by word: the product of a word's second numbers is added, then that of the first. rows <= 14.
SWAV_KERNEL(void, tile_vector_order, const ProductSegment* segments, int count, const bfloat16* b, int rows, float* c,
            int64_t c_stride, bool accumulate)

// The sums of tdpbf16ps: the first numbers' products of 16 words are added up, the second numbers' likewise, both to one
// another, and that to C. rows <= 32, the words of a segment are a multiple of 16.
SWAV_KERNEL(void, tile_amx_order, const ProductSegment* segments, int count, const bfloat16* b, int rows, float* c,
            int64_t c_stride, bool accumulate)

// -- bfloat_rows.inl.h -- rounding to the nearest, ties to even

// y[i] = x[i].
SWAV_KERNEL(void, to_bfloat, const float* x, bfloat16* y, int64_t n)
SWAV_KERNEL(void, from_bfloat, const bfloat16* x, float* y, int64_t n)

// out[r][i] = c[r][i] + bias[i] (+ residual[r][i], of bfloat16), with ReLU where asked for, for 32 columns; rounded to
// bfloat16, or float32 with to_float. ReLU leaves no zero with a sign.
SWAV_KERNEL(void, finish_bfloat, const float* c, int64_t c_stride, int rows, const float* bias, bool relu, bool to_float,
            const FusedRows& to)
