// All kernels and their table, for the instruction set of the including file, which defines SWAV_LANES, SWAV_ISA_NAME and
// SWAV_ISA_TABLE and opens namespace swav.
namespace {
#include "kernels/vector.h"

#include "kernels/image_filter.h"
#include "kernels/image_color.h"
#include "kernels/product.h"
#include "kernels/product_fused.h"
#include "kernels/pack.h"
#include "kernels/transpose.h"
#include "kernels/winograd.h"
#include "kernels/norm.h"
#include "kernels/pool.h"
#include "kernels/objective.h"
#include "kernels/update.h"
}  // namespace

extern const Kernels SWAV_ISA_TABLE;
const Kernels SWAV_ISA_TABLE = {
    SWAV_ISA_NAME,
    lanes,
    tile_rows,
    tile_columns,
#define SWAV_KERNEL(result, name, ...) name,
#include "kernels/kernel_table.h"
#undef SWAV_KERNEL
};
