// All kernels and their tables, for the instruction set of the including file, which defines SWAV_LANES, SWAV_ISA_NAME,
// SWAV_ISA_TABLE and SWAV_ISA_BFLOAT_TABLE and opens namespace swav. Without SWAV_ISA_TABLE there is the table of bfloat16
// alone; with SWAV_ROUNDS_BFLOAT it rounds by the instructions of AVX512-BF16.
namespace {
#include "kernels/vector.inl.h"

#include "kernels/image_filter.inl.h"
#include "kernels/image_color.inl.h"
#include "kernels/register_tile.inl.h"
#include "kernels/fused_tile.inl.h"
#include "kernels/plain_tile.inl.h"
#include "kernels/bfloat_rows.inl.h"
#include "kernels/pixel_values.inl.h"
#include "kernels/pack_rows.inl.h"
#include "kernels/transpose.inl.h"
#include "kernels/bfloat_pack.inl.h"
#include "kernels/winograd_transforms.inl.h"
#include "kernels/channel_sums.inl.h"
#include "kernels/maximum.inl.h"
#include "kernels/score_rows.inl.h"
#include "kernels/parameter_update.inl.h"

// Bodies that are written over the numbers of a map, for bfloat16.
#define SWAV_OF_BFLOAT(name) constexpr auto name##_bfloat = name<bfloat16>;
SWAV_OF_BFLOAT(block_moments)
SWAV_OF_BFLOAT(column_sums)
SWAV_OF_BFLOAT(relu_backward)
SWAV_OF_BFLOAT(gradient_sums)
SWAV_OF_BFLOAT(masked_gradient_sums)
SWAV_OF_BFLOAT(residual_plain)
SWAV_OF_BFLOAT(residual_projected)
SWAV_OF_BFLOAT(max_pool)
SWAV_OF_BFLOAT(max_pool_backward)
SWAV_OF_BFLOAT(winograd_input_plain)
SWAV_OF_BFLOAT(winograd_input_norm_relu)
SWAV_OF_BFLOAT(winograd_input_gradient)
SWAV_OF_BFLOAT(winograd_output)
SWAV_OF_BFLOAT(winograd_gradient_plain)
SWAV_OF_BFLOAT(winograd_gradient)
#undef SWAV_OF_BFLOAT
}  // namespace

#ifdef SWAV_ISA_TABLE
extern const Kernels SWAV_ISA_TABLE;
const Kernels SWAV_ISA_TABLE = {
    SWAV_ISA_NAME,
    lanes,
    tile_rows,
    tile_columns,
#define SWAV_KERNEL(result, name, ...) name,
#include "kernels/kernel_table.inl.h"
#undef SWAV_KERNEL
};
#endif

extern const BfloatKernels SWAV_ISA_BFLOAT_TABLE;
const BfloatKernels SWAV_ISA_BFLOAT_TABLE = {
#define SWAV_KERNEL(result, name, ...) name,
#include "kernels/bfloat_table.inl.h"
#undef SWAV_KERNEL
};
