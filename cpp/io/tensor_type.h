// Number types that tensors are stored in, and their conversion to the types that are computed with.
#pragma once

#include <cstdint>
#include <string>

namespace swav {

enum class DataType { f16, bf16, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64, boolean, other };

// Bytes of one number; 0 for `other`.
int64_t size_of(DataType type);
// "F32", as the safetensors format writes it; "?" for `other`.
const char* name_of(DataType type);
// The type of that name; `other` for a name that is not known.
DataType type_of(const std::string& name);

// Converts `count` numbers of `type` that lie `stride` bytes apart. Out is float, double or int64_t; towards int64_t a number
// with a fraction, or one that is not finite or too large, becomes not_an_integer. The type is not `other`.
template <class Out>
void convert(DataType type, const uint8_t* from, int64_t stride, int64_t count, Out* to);

constexpr int64_t not_an_integer = INT64_MIN;

}  // namespace swav
