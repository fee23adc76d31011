// bfloat16: the upper half of a float32. Eight bits of exponent as a float has, seven of fraction: half a unit in the last
// place is 2^-9 of a number.
#pragma once

#include <cstdint>
#include <cstring>

namespace swav {

struct bfloat16 {
  uint16_t bits;
};

inline float to_float(bfloat16 x) {
  const uint32_t bits = uint32_t(x.bits) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// To the nearest, ties to even; beyond the largest to infinity. What is not a number stays so, quiet, with its sign.
inline bfloat16 to_bfloat16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7fffffff) > 0x7f800000) return {uint16_t(bits >> 16 | 0x40)};
  return {uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

}  // namespace swav
