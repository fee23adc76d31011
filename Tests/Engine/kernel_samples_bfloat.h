// The table of bfloat16 that belongs to a table of kernels.
#pragma once

#include "kernel_rows.h"

namespace swav::test {

// Stands for the table of bfloat16 that rounds by instructions: a copy of AVX-512's. NULL where the CPU cannot run that.
inline const Kernels* rounding_stand_in() {
  static const Kernels copy = [] {
    Kernels k = kernels(Isa::avx512);
    k.isa = "avx512_bf16";
    return k;
  }();
  return rounding_bfloat_kernels() == nullptr ? nullptr : &copy;
}

inline const BfloatKernels& table(const Kernels& k) {
  if (&k == rounding_stand_in()) return *rounding_bfloat_kernels();
  for (Isa isa : every_isa) {
    if (runs(isa) && &kernels(isa) == &k) return bfloat_kernels(isa);
  }
  return bfloat_kernels(Isa::baseline);
}

}  // namespace swav::test
