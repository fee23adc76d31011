// Kernels for every CPU: four lanes are SSE2 on x86-64 and NEON on arm64.
#include "kernels/kernels.h"

#define SWAV_LANES 4
#define SWAV_ISA_NAME "baseline"
#define SWAV_ISA_TABLE baseline_kernels
namespace swav {
#include "kernels/body.inl.h"
}
