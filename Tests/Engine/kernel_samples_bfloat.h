// The table of bfloat16 that belongs to a table of kernels.
#pragma once

#include "kernel_rows.h"

namespace swav::test {

inline const BfloatKernels& table(const Kernels& k) {
  for (Isa isa : every_isa) {
    if (runs(isa) && &kernels(isa) == &k) return bfloat_kernels(isa);
  }
  return bfloat_kernels(Isa::baseline);
}

}  // namespace swav::test
