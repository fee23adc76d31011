// All kernels and their table, for the instruction set of the including file, which defines SWAV_LANES, SWAV_ISA_NAME,
// SWAV_ISA_TABLE and SWAV_ISA_BFLOAT_TABLE and opens namespace swav.
namespace {
#include "kernels/vector.inl.h"

#include "kernels/image_filter.inl.h"
#include "kernels/image_color.inl.h"
#include "kernels/register_tile.inl.h"
#include "kernels/fused_tile.inl.h"
#include "kernels/plain_tile.inl.h"
#include "kernels/bfloat_rows.inl.h"
#include "kernels/pack_rows.inl.h"
#include "kernels/transpose.inl.h"
#include "kernels/winograd_transforms.inl.h"
#include "kernels/channel_sums.inl.h"
#include "kernels/maximum.inl.h"
#include "kernels/score_rows.inl.h"
#include "kernels/parameter_update.inl.h"
}  // namespace

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

extern const BfloatKernels SWAV_ISA_BFLOAT_TABLE;
const BfloatKernels SWAV_ISA_BFLOAT_TABLE = {
#define SWAV_KERNEL(result, name, ...) name,
#include "kernels/bfloat_table.inl.h"
#undef SWAV_KERNEL
};
