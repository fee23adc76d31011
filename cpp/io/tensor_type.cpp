#include "io/tensor_type.h"

#include <cmath>
#include <cstring>
#include <type_traits>

namespace swav {
namespace {

struct Row {
  DataType type;
  const char* name;
  int64_t size;
};
constexpr Row rows[] = {{DataType::f16, "F16", 2},     {DataType::bf16, "BF16", 2}, {DataType::f32, "F32", 4},
                        {DataType::f64, "F64", 8},     {DataType::i8, "I8", 1},     {DataType::i16, "I16", 2},
                        {DataType::i32, "I32", 4},     {DataType::i64, "I64", 8},   {DataType::u8, "U8", 1},
                        {DataType::u16, "U16", 2},     {DataType::u32, "U32", 4},   {DataType::u64, "U64", 8},
                        {DataType::boolean, "BOOL", 1}};

struct Half {
  uint16_t bits;
  operator float() const {
    const uint32_t magnitude = bits & 0x7fff;
    // Zero and subnormals, or the exponent moved from a bias of 15 to one of 127, or infinity and NaN kept.
    const float small = float(magnitude) * 0x1p-24f;
    uint32_t small_bits;
    std::memcpy(&small_bits, &small, sizeof small);
    const uint32_t large_bits = (magnitude << 13) + (magnitude >= 0x7c00 ? 0x70000000u : 0x38000000u);
    const uint32_t result = (magnitude < 0x0400 ? small_bits : large_bits) | uint32_t(bits & 0x8000) << 16;
    float value;
    std::memcpy(&value, &result, sizeof value);
    return value;
  }
};

struct BrainFloat {
  uint16_t bits;
  operator float() const {
    const uint32_t wide = uint32_t(bits) << 16;
    float value;
    std::memcpy(&value, &wide, sizeof value);
    return value;
  }
};

template <class Out, class In>
Out one(In value) {
  if constexpr (!std::is_same_v<Out, int64_t>) {
    return Out(value);
  } else if constexpr (std::is_same_v<In, uint64_t>) {
    return value <= uint64_t(INT64_MAX) ? int64_t(value) : not_an_integer;
  } else if constexpr (std::is_integral_v<In>) {
    return int64_t(value);
  } else {
    const double wide = double(value);
    return wide == std::floor(wide) && std::fabs(wide) < 0x1p63 ? int64_t(wide) : not_an_integer;
  }
}

template <class In, class Out>
void convert_as(const uint8_t* from, int64_t stride, int64_t count, Out* to) {
  // A stride that is known lets the compiler use vectors.
  const auto run = [&](auto step) {
    for (int64_t i = 0; i < count; ++i) {
      In value;
      std::memcpy(&value, from + i * step, sizeof value);
      if constexpr (std::is_same_v<In, Half> || std::is_same_v<In, BrainFloat>) {
        to[i] = one<Out>(float(value));
      } else {
        to[i] = one<Out>(value);
      }
    }
  };
  if (stride == int64_t(sizeof(In))) {
    run(std::integral_constant<int64_t, sizeof(In)>());
  } else {
    run(stride);
  }
}

}  // namespace

int64_t size_of(DataType type) {
  for (const Row& row : rows) {
    if (row.type == type) return row.size;
  }
  return 0;
}

const char* name_of(DataType type) {
  for (const Row& row : rows) {
    if (row.type == type) return row.name;
  }
  return "?";
}

DataType type_of(const std::string& name) {
  for (const Row& row : rows) {
    if (name == row.name) return row.type;
  }
  return DataType::other;
}

template <class Out>
void convert(DataType type, const uint8_t* from, int64_t stride, int64_t count, Out* to) {
  switch (type) {
    case DataType::f16: return convert_as<Half>(from, stride, count, to);
    case DataType::bf16: return convert_as<BrainFloat>(from, stride, count, to);
    case DataType::f32: return convert_as<float>(from, stride, count, to);
    case DataType::f64: return convert_as<double>(from, stride, count, to);
    case DataType::i8: return convert_as<int8_t>(from, stride, count, to);
    case DataType::i16: return convert_as<int16_t>(from, stride, count, to);
    case DataType::i32: return convert_as<int32_t>(from, stride, count, to);
    case DataType::i64: return convert_as<int64_t>(from, stride, count, to);
    case DataType::u8:
    case DataType::boolean: return convert_as<uint8_t>(from, stride, count, to);
    case DataType::u16: return convert_as<uint16_t>(from, stride, count, to);
    case DataType::u32: return convert_as<uint32_t>(from, stride, count, to);
    case DataType::u64: return convert_as<uint64_t>(from, stride, count, to);
    case DataType::other: return;
  }
}

template void convert(DataType, const uint8_t*, int64_t, int64_t, float*);
template void convert(DataType, const uint8_t*, int64_t, int64_t, double*);
template void convert(DataType, const uint8_t*, int64_t, int64_t, int64_t*);

}  // namespace swav
