#include "base/isa.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace swav {

const char* name(Isa isa) {
  switch (isa) {
    case Isa::avx512: return "avx512";
    case Isa::avx2: return "avx2";
    case Isa::baseline: break;
  }
  return "baseline";
}

Isa supported_isa() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx2 && avx512) return Isa::avx512;
  if (avx2) return Isa::avx2;
#endif
  return Isa::baseline;
}

Isa current_isa() {
  static const Isa isa = [] {
    Isa cap = Isa::avx512;
    if (const char* text = std::getenv("SWAV_MAX_ISA")) {
      if (std::strcmp(text, "avx2") == 0) cap = Isa::avx2;
      if (std::strcmp(text, "baseline") == 0) cap = Isa::baseline;
    }
    return std::min(cap, supported_isa());
  }();
  return isa;
}

bool supports_dot_products() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512vnni");
#else
  return false;
#endif
}

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) == 0) {
      const size_t colon = line.find(": ");
      if (colon != std::string::npos) return line.substr(colon + 2);
    }
  }
  return "unknown";
}

std::string cpu_features() {
  std::string text;
#if defined(__x86_64__)
  __builtin_cpu_init();
#define SWAV_FEATURE(feature) \
  if (__builtin_cpu_supports(feature)) text += text.empty() ? feature : " " feature
  SWAV_FEATURE("avx2");
  SWAV_FEATURE("fma");
  SWAV_FEATURE("avx512f");
  SWAV_FEATURE("avx512bw");
  SWAV_FEATURE("avx512vl");
  SWAV_FEATURE("avx512vnni");
#undef SWAV_FEATURE
#endif
  return text;
}

}  // namespace swav
