#include "kernels/bfloat_kernels.h"

namespace swav {

extern const Kernels baseline_kernels, avx2_kernels, avx512_kernels;

const Kernels& kernels(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx512) return avx512_kernels;
  if (isa == Isa::avx2) return avx2_kernels;
#endif
  (void)isa;
  return baseline_kernels;
}

const Kernels& kernels() {
  static const Kernels& table = kernels(current_isa());
  return table;
}

extern const BfloatKernels baseline_bfloat_kernels, avx2_bfloat_kernels, avx512_bfloat_kernels;

const BfloatKernels& bfloat_kernels(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx512) return avx512_bfloat_kernels;
  if (isa == Isa::avx2) return avx2_bfloat_kernels;
#endif
  (void)isa;
  return baseline_bfloat_kernels;
}

const BfloatKernels& bfloat_kernels() {
  static const BfloatKernels& table = bfloat_kernels(current_isa());
  return table;
}

}  // namespace swav
