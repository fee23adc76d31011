// One sample of every row of the kernel tables: arrays of a size and a call on them. The generated tests and the benchmark are
// made of samples; a row without one does not link.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/bfloat_kernels.h"

namespace swav::test {

enum class Row {
#define SWAV_KERNEL(result, name, ...) name,
#include "kernels/kernel_table.inl.h"
#include "kernels/bfloat_table.inl.h"
#undef SWAV_KERNEL
};

constexpr const char* row_names[] = {
#define SWAV_KERNEL(result, name, ...) #name,
#include "kernels/kernel_table.inl.h"
#include "kernels/bfloat_table.inl.h"
#undef SWAV_KERNEL
};

// The arrays of a sample: a pure function of the order in which they are asked for. Values are small integers, so that sums of
// their products are exact on every instruction set.
class SampleMemory {
 public:
  // comparable: results that depend on the size of a register tile are cut to what all instruction sets have.
  explicit SampleMemory(bool comparable) : comparable_(comparable) {}

  bool comparable() const { return comparable_; }
  int tile_rows(const Kernels& k) const { return comparable_ ? 6 : k.tile_rows; }

  const float* floats(int64_t n, int limit = 4);  // integers of -limit..limit
  const float* fractions(int64_t n);              // 1/8 to 1
  template <class T>
  const T* numbers(int64_t n, int least, int most);
  // `count` pointers to rows that lie `stride` apart; every seventh is NULL where there may be padding.
  template <class T>
  T* const* rows(T* first, int64_t count, int64_t stride, bool padding = false);

  // Written by the kernel; begins with integers of -4..4. Nothing outside may be written, but up to `slack` elements behind.
  template <class T>
  T* out(int64_t n, int64_t slack = 0);
  // The same for what is written and not compared.
  template <class T>
  T* unseen(int64_t n);

  // How far results may be apart, relative to the larger or to 1. 0, the default: equal.
  double tolerance = 0;

  // Gives outputs the values that they began with.
  void restore();
  int64_t bytes() const { return bytes_; }
  std::vector<double> results() const;
  bool margins_intact() const;

 private:
  struct Array {
    std::vector<char> all, first;
    std::function<std::vector<double>(const char*)> read;  // empty: not compared
    int64_t begin = 0, end = 0;                            // in bytes; the slack lies inside
  };
  template <class T>
  T* add(int64_t n, int64_t slack, bool compared, int least, int most);

  bool comparable_;
  int64_t bytes_ = 0;
  uint64_t seed_ = 0;
  std::vector<std::unique_ptr<Array>> arrays_;
};

// Takes its arrays, about `n` numbers a row of them, and returns the call.
template <Row row>
std::function<void()> sample(const Kernels& k, SampleMemory& m, int64_t n);

#define SWAV_KERNEL(result, name, ...) \
  template <>                          \
  std::function<void()> sample<Row::name>(const Kernels&, SampleMemory&, int64_t);
#include "kernels/kernel_table.inl.h"
#include "kernels/bfloat_table.inl.h"
#undef SWAV_KERNEL

#define SWAV_SAMPLE(name) \
  template <>             \
  std::function<void()> sample<Row::name>([[maybe_unused]] const Kernels& k, SampleMemory& m, [[maybe_unused]] int64_t n)

}  // namespace swav::test
