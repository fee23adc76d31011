// The serial leaves of the engine: their contracts, and the table that holds one version of each for an instruction set.
//
// Every kernel is written once, in a header of this folder over `vec` (vector.h), and compiled three times, by isa_baseline.cpp,
// isa_avx2.cpp and isa_avx512.cpp. Kernels know nothing of threads, shapes of networks or allocation. Letters: M rows
// (pixels or samples), N columns (output channels or prototypes), K depth of a product.
#pragma once

#include <cstdint>

#include "base/isa.h"

namespace swav {

struct Kernels {
  const char* isa;
  int lanes;         // floats in a vector
#define SWAV_KERNEL(result, name, ...) result (*name)(__VA_ARGS__);
#include "kernels/kernel_table.h"
#undef SWAV_KERNEL
};

// The table of an instruction set; of the one in use without an argument. Asking for one that the CPU lacks returns
// a table that must not be called: tests skip it by supported_isa().
const Kernels& kernels(Isa isa);
const Kernels& kernels();

}  // namespace swav
