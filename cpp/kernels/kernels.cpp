#include "kernels/kernels.h"

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

}  // namespace swav
