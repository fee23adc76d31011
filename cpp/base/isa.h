// Which instruction set the kernels use: the best that this CPU has, capped by SWAV_MAX_ISA.
#pragma once

#include <string>

namespace swav {

enum class Isa : int { baseline = 0, avx2 = 1, avx512 = 2 };

const char* name(Isa isa);

// The best instruction set of this CPU, whatever the cap.
Isa supported_isa();

// The one in use: min(supported, SWAV_MAX_ISA), decided once.
Isa current_isa();

// Whether the CPU has AVX-512 VNNI, which the avx512 kernel fused_quads needs. Whatever the cap.
bool supports_dot_products();

std::string cpu_model();
std::string cpu_features();

}  // namespace swav
