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

// The table of an instruction set, which rounds by integers.
const BfloatKernels& bfloat_kernels(Isa isa);

// The table of AVX-512 that rounds by the instructions of AVX512-BF16; NULL where the CPU has not both. The bits are the same,
// but for floats below 2^-126, which become zeros.
const BfloatKernels* rounding_bfloat_kernels();

// The one in use. See kernels().
const BfloatKernels& bfloat_kernels();

}  // namespace swav
