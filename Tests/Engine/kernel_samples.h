// What the tests of kernels and operations share: instruction sets, edge sizes, exact data, and arrays that notice a write
// outside.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/random.h"
#include "kernels/bfloat_kernels.h"
#include "kernels/kernels.h"
#include "score_samples.h"

namespace swav::test {

// The kernels of every instruction set that this machine has.
inline std::vector<const Kernels*> machine_kernels() {
  std::vector<const Kernels*> tables;
  for (Isa isa : every_isa) {
    if (runs(isa)) tables.push_back(&kernels(isa));
  }
  return tables;
}

// The avx512 version of fused_quads is the only kernel that needs more than its table's instruction set.
inline bool runs_quads(const Kernels& kernel) { return kernel.lanes != 16 || cpu_features().has(Feature::avx512_vnni); }

// 1, N - 1, N, N + 1 for one and two vectors, and one size in between.
inline std::vector<int64_t> sizes_around(int64_t n) {
  std::vector<int64_t> sizes;
  for (const int64_t size : {int64_t{1}, n - 1, n, n + 1, 2 * n - 1, 2 * n, 2 * n + 1, 3 * n + n / 2}) {
    if (size > 0) sizes.push_back(size);
  }
  return sizes;
}

// Each to the nearest bfloat16, and back.
inline std::vector<bfloat16> rounded(const Floats& x) {
  std::vector<bfloat16> y;
  for (float value : x) y.push_back(to_bfloat16(value));
  return y;
}

inline Floats widened(const std::vector<bfloat16>& x) {
  Floats y;
  for (bfloat16 value : x) y.push_back(to_float(value));
  return y;
}

// Integers of [-limit, limit]: sums of their products are exact in float, whatever the order, while they stay below 2^24.
inline Floats integers(uint64_t seed, int64_t count, int limit) {
  Random random(seed, Purpose::test);
  Floats x;
  for (int64_t i = 0; i < count; ++i) x.push_back(float(int(random.below(uint32_t(2 * limit + 1))) - limit));
  return x;
}

inline Floats normals(uint64_t seed, int64_t count, double scale = 1, double offset = 0) {
  Random random(seed, Purpose::test);
  Floats x;
  for (int64_t i = 0; i < count; ++i) x.push_back(float(offset + scale * random.normal()));
  return x;
}

// `count` values between margins of a value that no test computes. The margin's length is odd, so the values are not aligned.
template <class T>
class Guarded {
 public:
  explicit Guarded(int64_t count, T guard = T(77)) : guard_(guard), count_(count), all_(size_t(count + 2 * margin), guard) {}
  Guarded(const std::vector<T>& values) : Guarded(int64_t(values.size())) { std::copy(values.begin(), values.end(), data()); }

  T* data() { return all_.data() + margin; }
  T operator[](int64_t i) const { return all_[size_t(margin + i)]; }
  bool untouched(int64_t i) const { return (*this)[i] == guard_; }
  std::vector<T> values() const { return {all_.begin() + margin, all_.begin() + margin + count_}; }
  bool margins_intact() const {
    const auto is_guard = [this](T x) { return x == guard_; };
    return std::all_of(all_.begin(), all_.begin() + margin, is_guard) && std::all_of(all_.end() - margin, all_.end(), is_guard);
  }

 private:
  static constexpr int64_t margin = 67;
  T guard_;
  int64_t count_;
  std::vector<T> all_;
};

// A workspace of `floats`, aligned for doubles, that notices a write behind it.
class GuardedWorkspace {
 public:
  explicit GuardedWorkspace(int64_t floats) : floats_(floats), all_(size_t(floats + 64), 77.0f) {}
  float* data() { return all_.data(); }
  bool margin_intact() const {
    return std::all_of(all_.begin() + floats_, all_.end(), [](float x) { return x == 77.0f; });
  }

 private:
  int64_t floats_;
  Floats all_;
};

}  // namespace swav::test
