// Kernels of bfloat16 for x86-64 with AVX-512 and AVX512-BF16, whose instructions round 16 or 32 numbers at once where integers
// take seven steps. Kernels of float32 are those of isa_avx512.cpp.
#include "kernels/bfloat_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define SWAV_LANES 16
#define SWAV_ROUNDS_BFLOAT
#define SWAV_ISA_BFLOAT_TABLE avx512_bf16_bfloat_kernels
// Bodies that only tables of float32 have.
#pragma GCC diagnostic ignored "-Wunused-function"
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma"))), \
                             apply_to = function)
#endif
namespace swav {
#include "kernels/body.inl.h"
}
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
