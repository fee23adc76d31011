// Kernels of bfloat16 that are written once over `vec`, as those of kernels.h; products that need instructions of their own are
// in tiles.h.
#pragma once

#include "base/bfloat16.h"
#include "kernels/kernels.h"

namespace swav {

struct BfloatKernels {
#define SWAV_KERNEL(result, name, ...) result (*name)(__VA_ARGS__);
#include "kernels/bfloat_table.inl.h"
#undef SWAV_KERNEL
};

// The table of an instruction set; of the one in use without an argument. See kernels().
const BfloatKernels& bfloat_kernels(Isa isa);
const BfloatKernels& bfloat_kernels();

}  // namespace swav
