// Kernels for every CPU: four lanes are SSE2 on x86-64 and NEON on arm64.
#include "kernels/bfloat_kernels.h"

#define SWAV_LANES 4
#define SWAV_ISA_NAME "baseline"
#define SWAV_ISA_TABLE baseline_kernels
#define SWAV_ISA_BFLOAT_TABLE baseline_bfloat_kernels
namespace swav {
#include "kernels/body.inl.h"
}
