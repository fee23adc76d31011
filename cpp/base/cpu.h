// The one place that knows a CPU's numbers: what it can do, as a set of features; the caches that work is cut for; the shape of
// the register tiles that products are made of.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

namespace swav {

// Extensions that kernels are written for. Their order means nothing: a CPU may have any of them.
enum class Feature : int {
  avx2,
  fma,
  avx512f,
  avx512bw,
  avx512dq,
  avx512vl,
  avx512_vnni,
  avx512_bf16,
  amx_tile,
  amx_int8,
  amx_bf16,
};
constexpr int feature_count = int(Feature::amx_bf16) + 1;

class Features {
 public:
  constexpr Features() = default;
  constexpr Features(std::initializer_list<Feature> list) {
    for (Feature feature : list) bits_ |= 1u << int(feature);
  }

  constexpr bool has(Feature feature) const { return bits_ >> int(feature) & 1; }
  constexpr bool include(Features others) const { return (others.bits_ & ~bits_) == 0; }
  constexpr Features operator&(Features other) const { return Features(bits_ & other.bits_); }
  constexpr Features operator|(Features other) const { return Features(bits_ | other.bits_); }
  constexpr bool operator==(const Features& other) const = default;

  // Names as the operating system writes them, in the order above, separated by spaces.
  std::string text() const;

 private:
  constexpr explicit Features(uint32_t bits) : bits_(bits) {}
  uint32_t bits_ = 0;
};

// What the CPU has and the operating system knows, whatever the cap.
Features cpu_features();

// Those in use: what the cap SWAV_MAX_ISA leaves, decided once.
Features used_features();

// Asks the operating system, once, for the 8 KiB of state that AMX's tiles need, where AMX is in use: only products that use
// them ask. False where it is refused, which is no error.
bool grant_tiles();

// What a cap allows: each of them what the ones before it do, and more. Unknown names allow everything.
//   baseline      nothing beyond the architecture
//   avx2          AVX2, FMA
//   avx512        AVX-512 F, BW, DQ, VL, VNNI
//   avx512_bf16   products of bfloat16 in vectors
//   amx           tiles of bfloat16 and of 8-bit integers
Features allowed_by(const char* cap);
constexpr const char* cap_names[] = {"baseline", "avx2", "avx512", "avx512_bf16", "amx"};

// The instruction sets that kernels are compiled for (kernels/isa_*.cpp), and what each needs.
enum class Isa : int { baseline, avx2, avx512 };
constexpr Isa every_isa[] = {Isa::baseline, Isa::avx2, Isa::avx512};

const char* name(Isa isa);
Features needs(Isa isa);

// Whether this CPU can run kernels of an instruction set, whatever the cap.
inline bool runs(Isa isa) { return cpu_features().include(needs(isa)); }

// The last of them that the features in use allow.
Isa current_isa();

// Caches that work is cut for, in bytes. They are constants, and not those of the CPU at hand, as where sums are cut decides
// about their bits: results depend on the instruction set alone. A second-level cache of 1 MiB and 32 MiB shared by the cores
// are what the smaller servers have that are worth training on.
namespace cache {
constexpr int64_t line = 64;
constexpr int64_t second = int64_t{1} << 20;
constexpr int64_t last = int64_t{32} << 20;
// Rows this far apart meet in one set of a first-level cache of 32 KiB and 8 ways, after every second row.
constexpr int64_t set_stride = 2048;
}  // namespace cache
constexpr int64_t line_floats = cache::line / 4;

// A product's register tile: rows x columns of sums in registers. Columns are two vectors of 32-bit sums, whatever the element:
// a word of four bytes is one float, two 16-bit or four 8-bit numbers.
struct TileGeometry {
  int rows, columns;
  int words = 1;  // of the depth, that a step takes
};

// By the floats of a vector. With the 32 registers of AVX-512: 14 x 2 sums, 2 for the row of B, the rest for broadcasts: per
// step of the depth 28 multiply-adds against 2 + 14 loads, so the loads hide on two load ports. With 16 registers (AVX2, SSE):
// 6 x 2 sums, 2 of B, 2 broadcasts.
constexpr TileGeometry tile_geometry(int lanes) { return {lanes == 16 ? 14 : 6, 2 * lanes}; }
// Of bfloat16: in the vectors of AVX512-BF16, and in two by two registers of AMX.
constexpr TileGeometry bfloat_vector_tile = {14, 32, 1}, bfloat_amx_tile = {32, 32, 16};

std::string cpu_model();
std::string cpu_vendor();  // "GenuineIntel", "AuthenticAMD", ...

}  // namespace swav
