// Kernels of bfloat16, as rows of kernel_table.inl.h: SWAV_KERNEL(result, name, parameters...).

// -- plain_tile.inl.h -- register tiles of 32 columns in plain C++: C [rows][32] = A B, or C += A B with accumulate; A in
// segments, B [words of all segments][32][2], c_stride in floats.

// The sums of vdpbf16ps, word by word: the product of a word's second numbers is added, then that of the first; to C at the
// end. rows <= 14.
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

// rows[r][column + i] = c[r][i] for i < n and r < count, or += with accumulate, rounded.
SWAV_KERNEL(void, write_bfloat, const float* c, int64_t c_stride, bfloat16* const* rows, int64_t column, int count, int64_t n,
            bool accumulate)

// -- bfloat_pack.inl.h -- the values are those of pack_plain, pack_norm_relu and pack_gradient (kernel_table.inl.h), computed
// in float and rounded once; `partner` is in numbers

// Words of the depth, the earlier number in the upper half, as that is the one that vectors add first: to[r * to_stride + (i ^
// 1)] = the value i of row r, i < n; zeros where rows[r] is NULL, and in place of value n where n is odd.
SWAV_KERNEL(void, bfloat_rows_plain, const bfloat16* const* rows, int64_t count, int64_t n, bfloat16* to, int64_t to_stride)
SWAV_KERNEL(void, bfloat_rows_norm_relu, const bfloat16* const* rows, int64_t count, int64_t n, const float* scale,
            const float* shift, bfloat16* to, int64_t to_stride)
SWAV_KERNEL(void, bfloat_rows_gradient, const bfloat16* const* rows, int64_t partner, int64_t count, int64_t n, const float* a,
            const float* b, const float* c, bfloat16* to, int64_t to_stride)

// Word i of pair p holds the values i of rows 2p (upper half) and 2p + 1, zeros where a row is NULL. A pair's words go to
// panels of panel_width words that lie panel_step words apart, the pairs to_stride words apart. `to` is an array of
// words, which are moved as floats and never computed with.
SWAV_KERNEL(void, bfloat_pairs_float, const float* const* rows, int64_t pairs, int64_t n, float* to, int64_t to_stride,
            int64_t panel_width, int64_t panel_step)
SWAV_KERNEL(void, bfloat_pairs_plain, const bfloat16* const* rows, int64_t pairs, int64_t n, float* to, int64_t to_stride,
            int64_t panel_width, int64_t panel_step)
SWAV_KERNEL(void, bfloat_pairs_norm_relu, const bfloat16* const* rows, int64_t pairs, int64_t n, const float* scale,
            const float* shift, float* to, int64_t to_stride, int64_t panel_width, int64_t panel_step)
SWAV_KERNEL(void, bfloat_pairs_gradient, const bfloat16* const* rows, int64_t partner, int64_t pairs, int64_t n, const float* a,
            const float* b, const float* c, float* to, int64_t to_stride, int64_t panel_width, int64_t panel_step)

// The values as floats, with `to` and its panels as in pack_plain.
SWAV_KERNEL(void, bfloat_values_float, const float* const* rows, int64_t count, int64_t n, float* to, int64_t to_stride,
            int64_t panel_width, int64_t panel_step)
SWAV_KERNEL(void, bfloat_values_plain, const bfloat16* const* rows, int64_t count, int64_t n, float* to, int64_t to_stride,
            int64_t panel_width, int64_t panel_step)
SWAV_KERNEL(void, bfloat_values_norm_relu, const bfloat16* const* rows, int64_t count, int64_t n, const float* scale,
            const float* shift, float* to, int64_t to_stride, int64_t panel_width, int64_t panel_step)
SWAV_KERNEL(void, bfloat_values_gradient, const bfloat16* const* rows, int64_t partner, int64_t count, int64_t n,
            const float* a, const float* b, const float* c, float* to, int64_t to_stride, int64_t panel_width,
            int64_t panel_step)

// to[r][i ^ 1] = the value i of row r as a float, i < n, n even: numbers in the order in which vectors add those of words that
// lie in a map.
SWAV_KERNEL(void, bfloat_words_widened, const bfloat16* const* rows, int64_t count, int64_t n, float* to, int64_t to_stride)

// -- channel_sums.inl.h, maximum.inl.h, winograd_transforms.inl.h -- the same bodies as in kernel_table.inl.h over maps of
// bfloat16: read as floats, computed with as floats, rounded where they are stored; sums are those of what is stored
SWAV_KERNEL(void, block_moments_bfloat, const bfloat16* y, int64_t stride, int64_t rows, int64_t n, float* mean, float* m2)
SWAV_KERNEL(void, column_sums_bfloat, const bfloat16* x, int64_t stride, int64_t rows, int64_t n, float* sums)
SWAV_KERNEL(void, relu_backward_bfloat, bfloat16* dx, const bfloat16* y, int64_t stride, int64_t rows, int64_t n,
            const float* scale, const float* shift, const float* mean, float* sum, float* sum_centred)
SWAV_KERNEL(void, gradient_sums_bfloat, const bfloat16* dz, const bfloat16* y, int64_t stride, int64_t rows, int64_t n,
            const float* mean, float* sum, float* sum_centred)
SWAV_KERNEL(void, masked_gradient_sums_bfloat, bfloat16* dx, const bfloat16* x, const bfloat16* y, int64_t stride, int64_t rows,
            int64_t n, const float* mean, float* sum, float* sum_centred)
SWAV_KERNEL(void, residual_plain_bfloat, const bfloat16* y, const bfloat16* identity, int64_t rows, int64_t n,
            const float* scale, const float* shift, bfloat16* sum)
SWAV_KERNEL(void, residual_projected_bfloat, const bfloat16* y, const bfloat16* projected, int64_t rows, int64_t n,
            const float* scale, const float* shift, const float* projected_scale, const float* projected_shift, bfloat16* sum)
SWAV_KERNEL(void, max_pool_bfloat, const bfloat16* const* rows, int count, int64_t n, const float* scale, const float* shift,
            bfloat16* out, uint8_t* index)
SWAV_KERNEL(void, max_pool_backward_bfloat, const bfloat16* const* d_out, const uint8_t* const* index, const int* taps,
            int count, int64_t n, bfloat16* dz)
SWAV_KERNEL(void, winograd_input_plain_bfloat, const bfloat16* const* pixels, int64_t n, float* to, int64_t to_stride)
SWAV_KERNEL(void, winograd_input_norm_relu_bfloat, const bfloat16* const* pixels, int64_t n, const float* scale,
            const float* shift, float* to, int64_t to_stride)
SWAV_KERNEL(void, winograd_input_gradient_bfloat, const bfloat16* const* pixels, int64_t partner, int64_t n, const float* a,
            const float* b, const float* c, float* to, int64_t to_stride)
SWAV_KERNEL(void, winograd_output_bfloat, const float* from, int64_t from_stride, int64_t n, bfloat16* const* pixels,
            bool accumulate)
SWAV_KERNEL(void, winograd_gradient_plain_bfloat, const bfloat16* const* pixels, int64_t n, float* to, int64_t to_stride,
            int64_t panel_step)
SWAV_KERNEL(void, winograd_gradient_bfloat, const bfloat16* const* pixels, int64_t partner, int64_t n, const float* a,
            const float* b, const float* c, float* to, int64_t to_stride, int64_t panel_step)
