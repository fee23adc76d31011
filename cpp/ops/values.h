// Arrays of activations and of their gradients, which are floats or bfloat16: what a pass through a network keeps between its
// products. Numbers are computed with as floats wherever they are not multiplied by tiles.h, and rounded where they are stored.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/arena.h"
#include "kernels/bfloat_kernels.h"

namespace swav {

// What a number of an activation is stored as.
enum class Storage { float32, bfloat16 };

constexpr int64_t size_of(Storage storage) { return storage == Storage::float32 ? 4 : 2; }

// Borrowed, not to be written to.
class ConstValues {
 public:
  ConstValues() = default;
  ConstValues(std::nullptr_t) {}
  ConstValues(const float* data) : data_(reinterpret_cast<const char*>(data)) {}
  ConstValues(const bfloat16* data) : data_(reinterpret_cast<const char*>(data)), storage_(Storage::bfloat16) {}

  Storage storage() const { return storage_; }
  bool half() const { return storage_ == Storage::bfloat16; }
  explicit operator bool() const { return data_ != nullptr; }
  // Where number `index` lies, for requests to the cache.
  const char* at(int64_t index) const { return data_ + index * size_of(storage_); }
  const float* floats() const { return reinterpret_cast<const float*>(data_); }
  const bfloat16* halves() const { return reinterpret_cast<const bfloat16*>(data_); }
  ConstValues operator+(int64_t count) const { return half() ? ConstValues(halves() + count) : ConstValues(floats() + count); }

 private:
  const char* data_ = nullptr;
  Storage storage_ = Storage::float32;
};

// Borrowed.
class Values {
 public:
  Values() = default;
  Values(std::nullptr_t) {}
  Values(float* data) : data_(reinterpret_cast<char*>(data)) {}
  Values(bfloat16* data) : data_(reinterpret_cast<char*>(data)), storage_(Storage::bfloat16) {}
  operator ConstValues() const { return half() ? ConstValues(halves()) : ConstValues(floats()); }

  Storage storage() const { return storage_; }
  bool half() const { return storage_ == Storage::bfloat16; }
  explicit operator bool() const { return data_ != nullptr; }
  float* floats() const { return reinterpret_cast<float*>(data_); }
  bfloat16* halves() const { return reinterpret_cast<bfloat16*>(data_); }
  Values operator+(int64_t count) const { return half() ? Values(halves() + count) : Values(floats() + count); }

 private:
  char* data_ = nullptr;
  Storage storage_ = Storage::float32;
};

inline Values take_values(Arena& arena, Storage storage, int64_t count) {
  return storage == Storage::bfloat16 ? Values(arena.take<bfloat16>(count)) : Values(arena.take<float>(count));
}

}  // namespace swav
