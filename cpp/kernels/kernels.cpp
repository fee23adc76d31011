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

extern const BfloatKernels baseline_bfloat_kernels, avx2_bfloat_kernels, avx512_bfloat_kernels, avx512_bf16_bfloat_kernels;

const BfloatKernels& bfloat_kernels(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx512) return avx512_bfloat_kernels;
  if (isa == Isa::avx2) return avx2_bfloat_kernels;
#endif
  (void)isa;
  return baseline_bfloat_kernels;
}

namespace {
constexpr Features rounding = {Feature::avx512_bf16};
}

const BfloatKernels* rounding_bfloat_kernels() {
#if defined(__x86_64__)
  if (cpu_features().include(needs(Isa::avx512) | rounding)) return &avx512_bf16_bfloat_kernels;
#endif
  return nullptr;
}

const BfloatKernels& bfloat_kernels() {
  static const bool rounds = current_isa() == Isa::avx512 && used_features().include(rounding);
  static const BfloatKernels& table = rounds ? *rounding_bfloat_kernels() : bfloat_kernels(current_isa());
  return table;
}

}  // namespace swav
