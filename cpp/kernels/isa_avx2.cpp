// Kernels for x86-64 with AVX2 and FMA.
#include "kernels/bfloat_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define SWAV_LANES 8
#define SWAV_ISA_NAME "avx2"
#define SWAV_ISA_TABLE avx2_kernels
#define SWAV_ISA_BFLOAT_TABLE avx2_bfloat_kernels
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#endif
namespace swav {
#include "kernels/body.inl.h"
}
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
