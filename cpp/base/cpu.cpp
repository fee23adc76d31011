#include "base/cpu.h"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "base/cpu_cap.h"
#include "base/status.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace swav {
namespace {

constexpr char cap_variable[] = "SWAV_MAX_ISA";

constexpr const char* feature_names[] = {"avx2",        "fma",         "avx512f",  "avx512bw", "avx512dq", "avx512vl",
                                         "avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16"};
static_assert(std::size(feature_names) == feature_count);

constexpr Features avx2_set = {Feature::avx2, Feature::fma};
constexpr Features avx512_set = {Feature::avx2,     Feature::fma,      Feature::avx512f,
                                 Feature::avx512bw, Feature::avx512dq, Feature::avx512vl};
constexpr Features amx_set = {Feature::amx_tile, Feature::amx_int8, Feature::amx_bf16};

#if defined(__x86_64__)

constexpr int tile_data = 18;  // its place among the states of registers (XCR0)

// Which register state the operating system saves (XCR0): without it an instruction that CPUID names is not allowed.
uint64_t saved_state() {
  uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
}

// Whether the operating system knows the tiles' state. Linux gives it to processes that ask, see grant_tiles.
bool tiles_are_known() {
#if defined(__linux__)
  constexpr long supported_state = 0x1021;  // ARCH_GET_XCOMP_SUPP
  uint64_t state = 0;
  return syscall(SYS_arch_prctl, supported_state, &state) == 0 && (state >> tile_data & 1);
#else
  return false;
#endif
}

Features detect() {
  constexpr uint64_t vectors = 0x6, masks = 0xe0, tiles = 0x60000;
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1)) return {};  // no OSXSAVE: nothing beyond SSE is saved
  const bool fma = c >> 12 & 1;
  const uint64_t saved = saved_state();
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return {};
  const uint32_t leaves = a, b7 = b, c7 = c, d7 = d;
  uint32_t a71 = 0;
  if (leaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) a71 = a;

  Features found;
  const auto add = [&](Feature feature, bool has) {
    if (has) found = found | Features{feature};
  };
  const bool wide = (saved & vectors) == vectors;
  add(Feature::avx2, wide && b7 >> 5 & 1);
  add(Feature::fma, wide && fma);
  const bool widest = wide && (saved & masks) == masks;
  add(Feature::avx512f, widest && b7 >> 16 & 1);
  add(Feature::avx512bw, widest && b7 >> 30 & 1);
  add(Feature::avx512dq, widest && b7 >> 17 & 1);
  add(Feature::avx512vl, widest && b7 >> 31 & 1);
  add(Feature::avx512_vnni, widest && c7 >> 11 & 1);
  add(Feature::avx512_bf16, widest && a71 >> 5 & 1);
  if ((d7 >> 24 & 1) && (saved & tiles) == tiles && tiles_are_known()) {
    add(Feature::amx_tile, true);
    add(Feature::amx_int8, d7 >> 25 & 1);
    add(Feature::amx_bf16, d7 >> 22 & 1);
  }
  return found;
}

#else

Features detect() { return {}; }

#endif

}  // namespace

std::string Features::text() const {
  std::string text;
  for (int i = 0; i < feature_count; ++i) {
    if (has(Feature(i))) text += text.empty() ? feature_names[i] : std::string(" ") + feature_names[i];
  }
  return text;
}

Features cpu_features() {
  static const Features found = detect();
  return found;
}

Features allowed_by(const char* cap) {
  constexpr Features steps[] = {{}, avx2_set, avx512_set | Features{Feature::avx512_vnni}, {Feature::avx512_bf16}, amx_set};
  static_assert(std::size(steps) == std::size(cap_names));
  Features allowed;
  for (size_t i = 0; i < std::size(steps); ++i) {
    allowed = allowed | steps[i];
    if (std::strcmp(cap, cap_names[i]) == 0) break;
  }
  return allowed;
}

Features used_features() {
  static const Features used = [] {
    const char* cap = std::getenv(cap_variable);
    return cap == nullptr || *cap == 0 ? cpu_features() : cpu_features() & allowed_by(cap);
  }();
  return used;
}

void check_cap(const char* cap) {
  if (cap == nullptr || *cap == 0) return;
  for (const char* name : cap_names) {
    if (std::strcmp(cap, name) == 0) return;
  }
  fail(SWAV_ERROR_ARGUMENT, "%s is \"%.40s\"; amx, avx512_bf16, avx512, avx2 or baseline is allowed", cap_variable, cap);
}

void check_cap() {
  static const bool is_cap = [] {  // thrown out of, it is tried again by the next call
    check_cap(std::getenv(cap_variable));
    return true;
  }();
  (void)is_cap;
}

bool grant_tiles() {
#if defined(__x86_64__) && defined(__linux__)
  constexpr long ask_for_state = 0x1023;  // ARCH_REQ_XCOMP_PERM
  static const bool granted =
      used_features().has(Feature::amx_tile) && syscall(SYS_arch_prctl, ask_for_state, long(tile_data)) == 0;
  return granted;
#else
  return false;
#endif
}

const char* name(Isa isa) {
  switch (isa) {
    case Isa::avx512: return "avx512";
    case Isa::avx2: return "avx2";
    case Isa::baseline: break;
  }
  return "baseline";
}

Features needs(Isa isa) {
  switch (isa) {
    case Isa::avx512: return avx512_set;
    case Isa::avx2: return avx2_set;
    case Isa::baseline: break;
  }
  return {};
}

Isa current_isa() {
  Isa best = Isa::baseline;
  for (Isa isa : every_isa) {
    if (used_features().include(needs(isa))) best = isa;
  }
  return best;
}

std::string cpu_vendor() {
#if defined(__x86_64__)
  uint32_t a, text[3];
  if (!__get_cpuid(0, &a, &text[0], &text[2], &text[1])) return "";
  return std::string(reinterpret_cast<const char*>(text), sizeof text);
#else
  return "";
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

}  // namespace swav
