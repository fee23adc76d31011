// SWAV_KERNEL(result, name, parameters...): one row a kernel, in the order of the pipeline. The contract stands above the row.

// -- register_tile.inl.h --

// C[rows][columns] = A B, or C += A B with accumulate. A [rows][a_stride], of each row the first `depth`; B
// [depth][tile_columns]; C rows c_stride apart. 1 <= rows <= tile_rows, 1 <= columns <= tile_columns; nothing outside is
// written. ahead: what else to ask the cache for meanwhile.
SWAV_KERNEL(void, product_rows, int64_t depth, const float* a, int64_t a_stride, const float* b, float* c, int64_t c_stride,
            int rows, int64_t columns, bool accumulate, Ahead ahead)

// The same with A [depth][a_stride], of each row the first `rows`.
SWAV_KERNEL(void, product_depth, int64_t depth, const float* a, int64_t a_stride, const float* b, float* c, int64_t c_stride,
            int rows, int64_t columns, bool accumulate, Ahead ahead)

// Does `rounds` times 2 * tile_rows independent multiply-adds of vectors, as many as a tile has, and returns something that
// depends on all of them: what the CPU can do at most.
SWAV_KERNEL(float, multiply_adds, int64_t rounds)

// -- fused_tile.inl.h -- frozen networks: one register tile over the whole depth, its result written once. C
// [rows][tile_columns] (1 <= rows <= tile_rows); A in segments, B [words of all segments][tile_columns] words.

// out = A B + bias (+ residual), then ReLU where asked for; a word is one float.
SWAV_KERNEL(void, fused_float, const ProductSegment* segments, int count, const float* b, int rows, const float* bias,
            bool relu, const FusedRows& to)

// The same in integers, always with ReLU: s = A B + bias in 32 bits, exactly; v = s * scale (+ residual * residual_scale), each
// operation rounded on its own; out = v clipped to 0..255 and rounded to the nearest (ties to even), or max(v, 0) as float.
// Results are equal on every instruction set. quads: a word is four unsigned bytes of A, four signed of B, out and residual
// bytes; the avx512 version needs AVX-512 VNNI. pairs: a word is two 16-bit numbers, 0..255 of A, -128..127 of B, out and
// residual 16-bit numbers.
SWAV_KERNEL(void, fused_quads, const ProductSegment* segments, int count, const int8_t* b, int rows, const Requantize& scales,
            const FusedRows& to)
SWAV_KERNEL(void, fused_pairs, const ProductSegment* segments, int count, const int16_t* b, int rows, const Requantize& scales,
            const FusedRows& to)

// The twin of AMX's tdpbusd: C [rows][32] = A B of quads, B [words of all segments][32][4], C in 32 bits, exactly. rows <= 32.
SWAV_KERNEL(void, tile_quads, const ProductSegment* segments, int count, const int8_t* b, int rows, int32_t* c,
            int64_t c_stride)

// What follows it, for 32 columns: what fused_quads makes of these sums; scales has 32 of each.
SWAV_KERNEL(void, finish_quads, const int32_t* c, int64_t c_stride, int rows, const Requantize& scales, const FusedRows& to)

// -- pack_rows.inl.h --

// to[r][i] = rows[r][i] for i in [0, n), zeros where rows[r] is NULL (padding). A row is written to panels of panel_width
// numbers that lie panel_step apart; a panel but the last may be filled up to whole vectors with what follows it in the row.
// panel_width >= n writes a row in one piece.
SWAV_KERNEL(void, pack_plain, const float* const* rows, int64_t count, int64_t n, float* to, int64_t to_stride,
            int64_t panel_width, int64_t panel_step)

// to[r][i] = max(rows[r][i] * scale[i] + shift[i], 0): batch-norm and ReLU. Zeros where rows[r] is NULL.
SWAV_KERNEL(void, pack_norm_relu, const float* const* rows, int64_t count, int64_t n, const float* scale, const float* shift,
            float* to, int64_t to_stride, int64_t panel_width, int64_t panel_step)

// to[r][i] = a[i] * rows[r][i] + b[i] * y[r][i] + c[i]: backward of batch-norm; y[r] lies `partner` floats after rows[r].
SWAV_KERNEL(void, pack_gradient, const float* const* rows, int64_t partner, int64_t count, int64_t n, const float* a,
            const float* b, const float* c, float* to, int64_t to_stride, int64_t panel_width, int64_t panel_step)

// -- transpose.inl.h --

// to[c][r] = from[r][c], or += in transpose_add, for r < rows, c < columns. The arrays must not overlap. A row
// but the last may be read beyond its columns, where the matrix goes on.
SWAV_KERNEL(void, transpose, const float* from, int64_t from_stride, int64_t rows, int64_t columns, float* to,
            int64_t to_stride)
SWAV_KERNEL(void, transpose_add, const float* from, int64_t from_stride, int64_t rows, int64_t columns, float* to,
            int64_t to_stride)

// -- winograd_transforms.inl.h -- rows of transformed tiles are to_stride floats apart, number i * 6 + j for row i and column j
// of the 6x6

// B^T d B of n channels: pixels[36] of the tile, each at its first channel, NULL for padding; to [36][to_stride]. In the
// variants the values go through batch-norm and ReLU, or the backward of batch-norm, as in pack_*.
SWAV_KERNEL(void, winograd_input_plain, const float* const* pixels, int64_t n, float* to, int64_t to_stride)
SWAV_KERNEL(void, winograd_input_norm_relu, const float* const* pixels, int64_t n, const float* scale, const float* shift,
            float* to, int64_t to_stride)
SWAV_KERNEL(void, winograd_input_gradient, const float* const* pixels, int64_t partner, int64_t n, const float* a,
            const float* b, const float* c, float* to, int64_t to_stride)

// A^T m A of n channels: from [36][from_stride] to pixels[16], NULL for pixels outside the map.
SWAV_KERNEL(void, winograd_output, const float* from, int64_t from_stride, int64_t n, float* const* pixels, bool accumulate)

// The same with bias, residual and ReLU behind it: pixels[16], NULL outside the map; residuals[16] NULL for none at all.
SWAV_KERNEL(void, winograd_output_fused, const float* from, int64_t from_stride, int64_t n, const float* bias,
            const float* const* residuals, bool relu, float* const* pixels)

// G g G^T of n filters side by side, n a multiple of the vector width: taps [9][tap_stride] to [36][to_stride].
SWAV_KERNEL(void, winograd_weights, const float* taps, int64_t tap_stride, int64_t n, float* to, int64_t to_stride)

// G' d G'^T of a 4x4 tile of gradients: pixels[16], NULL for padding; to [36][to_stride], in panels as in pack_*.
SWAV_KERNEL(void, winograd_gradient_plain, const float* const* pixels, int64_t n, float* to, int64_t to_stride,
            int64_t panel_step)
SWAV_KERNEL(void, winograd_gradient, const float* const* pixels, int64_t partner, int64_t n, const float* a, const float* b,
            const float* c, float* to, int64_t to_stride, int64_t panel_step)

// A'^T m A' of n filters: from [36][from_stride] to the 9 taps, to [9][to_stride].
SWAV_KERNEL(void, winograd_taps, const float* from, int64_t from_stride, int64_t n, float* to, int64_t to_stride)

// -- channel_sums.inl.h -- matrices [rows][stride], of each row the first n; results [n]

// Mean, and sum of squared deviations from it (M2), of each column. rows >= 1.
SWAV_KERNEL(void, block_moments, const float* y, int64_t stride, int64_t rows, int64_t n, float* mean, float* m2)

SWAV_KERNEL(void, column_sums, const float* x, int64_t stride, int64_t rows, int64_t n, float* sums)

// y[r][i] += bias[i].
SWAV_KERNEL(void, add_row, float* y, int64_t stride, int64_t rows, int64_t n, const float* bias)

// Backward of ReLU(scale * y + shift), in place in dx, with sum = sum of dz and sum_centred = sum of dz * (y - mean).
SWAV_KERNEL(void, relu_backward, float* dx, const float* y, int64_t stride, int64_t rows, int64_t n, const float* scale,
            const float* shift, const float* mean, float* sum, float* sum_centred)

// The same sums where dz is known.
SWAV_KERNEL(void, gradient_sums, const float* dz, const float* y, int64_t stride, int64_t rows, int64_t n, const float* mean,
            float* sum, float* sum_centred)

// The same sums where dz = dx where x > 0, else 0: in place in dx.
SWAV_KERNEL(void, masked_gradient_sums, float* dx, const float* x, const float* y, int64_t stride, int64_t rows, int64_t n,
            const float* mean, float* sum, float* sum_centred)

// sum[r][i] = max(y * scale + shift + identity, 0); dense rows of n.
SWAV_KERNEL(void, residual_plain, const float* y, const float* identity, int64_t rows, int64_t n, const float* scale,
            const float* shift, float* sum)

// sum[r][i] = max((y * scale + shift) + (projected * projected_scale + projected_shift), 0); dense rows of n.
SWAV_KERNEL(void, residual_projected, const float* y, const float* projected, int64_t rows, int64_t n, const float* scale,
            const float* shift, const float* projected_scale, const float* projected_shift, float* sum)

// -- maximum.inl.h --

// out[c] = largest over t < count of max(rows[t][c] * scale[c] + shift[c], 0), skipping NULL rows (padding); index[c] the first
// t that has it, 255 where the result is 0 (no gradient passes). Here and in every maximum below and above NaN stays NaN.
SWAV_KERNEL(void, max_pool, const float* const* rows, int count, int64_t n, const float* scale, const float* shift, float* out,
            uint8_t* index)

// dz[c] = sum of d_out[w][c] over the windows w < count whose index[w][c] is taps[w], the place of this pixel in window w.
SWAV_KERNEL(void, max_pool_backward, const float* const* d_out, const uint8_t* const* index, const int* taps, int count,
            int64_t n, float* dz)

// out[i] = largest of rows[t][i] for t < count, i < n, n a multiple of the vector width.
SWAV_KERNEL(void, maximum_float, const float* const* rows, int count, int64_t n, float* out)
SWAV_KERNEL(void, maximum_bytes, const uint8_t* const* rows, int count, int64_t n, uint8_t* out)
SWAV_KERNEL(void, maximum_halves, const uint16_t* const* rows, int count, int64_t n, uint16_t* out)

// -- image_filter.inl.h, image_color.inl.h --
// Samples are bytes. Unless a row says "exactly n", kernels read and write whole vectors: up to 15 bytes beyond what the
// arguments name (image_slack, kernels.h) must be there, and are overwritten in outputs.

// to[c * to_stride + r] = from[r * from_stride + c]. Exactly rows x columns are read and written.
SWAV_KERNEL(void, image_transpose, const uint8_t* from, int64_t from_stride, int64_t rows, int64_t columns, uint8_t* to,
            int64_t to_stride)

// Line i of out (lines are n samples, `stride` and `out_stride` apart; out_stride may be negative) = (sum over k < length[i] of
// weight[i * weight_stride + k] * line start[i] + k of lines + 2^21) >> 22, at most 255. Weights are not negative.
SWAV_KERNEL(void, image_resample, const uint8_t* lines, int64_t stride, const int32_t* start, const int32_t* length,
            const int32_t* weight, int64_t weight_stride, int64_t count, int64_t n, uint8_t* out, int64_t out_stride)

// out[x] = (inner * (in[x - radius] + ... + in[x + radius]) + outer * (in[x - radius - 1] + in[x + radius + 1]) + 2^23) >> 24
// (Gwosdek et al., SSVM 2011). `in` is readable from -radius - 1 to n + radius.
SWAV_KERNEL(void, image_box_row, const uint8_t* in, int radius, uint32_t inner, uint32_t outer, uint8_t* out, int64_t n)

// The same down a column of 2 * radius + 3 rows: out[x] is made of rows[0][x], rows[1][x], ...
SWAV_KERNEL(void, image_box_column, const uint8_t* const* rows, int radius, uint32_t inner, uint32_t outer, uint8_t* out,
            int64_t n)

// samples[i] = degenerate + factor * (samples[i] - degenerate), clipped to 0..255, truncated. In float.
SWAV_KERNEL(void, image_blend, uint8_t* samples, float degenerate, float factor, int64_t n)

// L = (19595 r + 38470 g + 7471 b + 2^15) >> 16 of each pixel, summed over exactly n.
SWAV_KERNEL(int64_t, image_luminance_sum, const uint8_t* r, const uint8_t* g, const uint8_t* b, int64_t n)

// Each channel = L + factor * (channel - L), as image_blend.
SWAV_KERNEL(void, image_saturate, uint8_t* r, uint8_t* g, uint8_t* b, float factor, int64_t n)

// gray[i] = L. gray may be r, g or b.
SWAV_KERNEL(void, image_gray, const uint8_t* r, const uint8_t* g, const uint8_t* b, uint8_t* gray, int64_t n)

// RGB -> HSV in bytes (hue and saturation truncated), hue + steps modulo 256, back (rounded). steps in -256..256.
SWAV_KERNEL(void, image_hue, uint8_t* r, uint8_t* g, uint8_t* b, int steps, int64_t n)

// pixels[3 * i + c] = channel c of pixel i * scale[c] + shift[c]. Exactly n pixels are written.
SWAV_KERNEL(void, image_normalise_rgb, const uint8_t* r, const uint8_t* g, const uint8_t* b, const float* scale,
            const float* shift, float* pixels, int64_t n)

// pixels[i] = samples[i] * scale + shift. Exactly n pixels are written.
SWAV_KERNEL(void, image_normalise, const uint8_t* samples, float scale, float shift, float* pixels, int64_t n)

// -- score_rows.inl.h --

// Largest of x[0..n). n >= 1.
SWAV_KERNEL(float, row_max, const float* x, int64_t n)

// m[i] = max(m[i], x[i]). Returns 0 if every x is finite, NaN otherwise.
SWAV_KERNEL(float, column_max, const float* x, float* m, int64_t n)

// d = x[i] - origin[i]: sums[i] += d, squares[i] += d * d.
SWAV_KERNEL(void, column_moments, const float* x, const float* origin, float* sums, float* squares, int64_t n)

// exp in the kernels below: relative error at most 2e-7 for arguments in [-87, 88], 0 under that; nothing is promised above.

// y[i] += exp((x[i] - shift[i]) * scale).
SWAV_KERNEL(void, exp_accumulate, const float* x, const float* shift, float scale, float* y, int64_t n)

// y[i] *= exp((x[i] - shift[i]) * scale).
SWAV_KERNEL(void, exp_multiply, const float* x, const float* shift, float scale, float* y, int64_t n)

// Largest of t[i] = (x[i] - high[i]) * scale - low[i]. n >= 1.
SWAV_KERNEL(float, potential_max, const float* x, const float* high, const float* low, float scale, int64_t n)

// y[i] = exp(t[i] - shift) with the t above; returns the sum of y. y may be x.
SWAV_KERNEL(double, potential_exp, const float* x, const float* high, const float* low, float scale, float shift, float* y,
            int64_t n)

// y[i] += x[i] * scale.
SWAV_KERNEL(void, add_scaled, const float* x, float scale, float* y, int64_t n)

// y[i] = x[i] * scale. y may be x.
SWAV_KERNEL(void, scale_row, const float* x, float scale, float* y, int64_t n)

// t[i] = max((x[i] - shift) * scale, -1e30), y[i] = exp(t[i]); sums = {sum of y, sum of q t, sum of q}. y may be x.
SWAV_KERNEL(void, softmax_cross, const float* x, const float* q, float shift, float scale, float* y, double* sums, int64_t n)

// z[i] = a x[i] + b y[i]. z may be x or y.
SWAV_KERNEL(void, combine_rows, const float* x, float a, const float* y, float b, float* z, int64_t n)

// -sum of q ln q over a row, 0 ln 0 = 0. q >= 0.
SWAV_KERNEL(double, row_entropy, const float* q, int64_t n)

// -- parameter_update.inl.h --

// Sum of x[i]^2 in double; finite exactly when every x is.
SWAV_KERNEL(double, sum_squares, const float* x, int64_t n)

// g = scale * (gradient + decay * value); momentum = factor * momentum + g; value -= rate * momentum.
SWAV_KERNEL(void, momentum_step, float* value, const float* gradient, float* momentum, float rate, float factor, float scale,
            float decay, int64_t n)

// Moments m = beta1 m + rest1 g, v = beta2 v + rest2 g^2; value = keep * value - rate * m / (sqrt(v) * root + epsilon).
// factors = {keep, rate, beta1, rest1, beta2, rest2, root, epsilon}; rest = 1 - beta, rounded once: 1.0f - 0.999f is 5e-5 off.
SWAV_KERNEL(void, adam_step, float* value, const float* gradient, float* m, float* v, const float* factors, int64_t n)
