// Kernels for x86-64 with AVX-512 F, BW, DQ and VL.
#include "kernels/bfloat_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define SWAV_LANES 16
#define SWAV_ISA_NAME "avx512"
#define SWAV_ISA_TABLE avx512_kernels
#define SWAV_ISA_BFLOAT_TABLE avx512_bfloat_kernels
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
#endif
namespace swav {
#include "kernels/body.inl.h"
}
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
