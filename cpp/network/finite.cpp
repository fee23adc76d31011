#include "network/finite.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "base/parallel.h"
#include "base/status.h"
#include "kernels/kernels.h"

namespace swav {
namespace {

constexpr int64_t piece = int64_t{1} << 16;

int64_t first_in_piece(const float* values, int64_t count) {
  if (std::isfinite(kernels().sum_squares(values, count))) return -1;
  return std::find_if(values, values + count, [](float x) { return !std::isfinite(x); }) - values;
}

}  // namespace

int64_t first_not_finite(const float* values, int64_t count) {
  std::atomic<int64_t> first{count};
  parallel::for_each((count + piece - 1) / piece, [&](int64_t task, int) {
    const int64_t begin = task * piece, found = first_in_piece(values + begin, std::min(piece, count - begin));
    if (found < 0) return;
    int64_t known = first.load();
    while (begin + found < known && !first.compare_exchange_weak(known, begin + found)) {
    }
  });
  return first.load() == count ? -1 : first.load();
}

bool all_finite(ConstValues values, int64_t count) {
  if (!values.half()) return first_not_finite(values.floats(), count) < 0;
  constexpr uint16_t exponent = 0x7f80;
  return std::none_of(values.halves(), values.halves() + count, [](bfloat16 x) { return (x.bits & exponent) == exponent; });
}

void require_finite_images(const std::string& what, const float* images, int64_t count, int32_t height, int32_t width,
                           int32_t channels) {
  const int64_t image = int64_t(height) * width * channels, at = first_not_finite(images, count * image);
  if (at < 0) return;
  const long long pixel = at % image / channels, row = pixel / width, column = pixel % width;
  fail(SWAV_ERROR_NUMERIC, "%s: image %lld of %lld holds %g at row %lld, column %lld, channel %lld; finite values are needed",
       what.c_str(), static_cast<long long>(at / image), static_cast<long long>(count), double(images[at]), row, column,
       static_cast<long long>(at % channels));
}

void require_finite(const Parameters& parameters) {
  for (const TensorEntry& entry : parameters.entries()) {
    if (entry.kind == SWAV_TENSOR_COUNTER) continue;
    const float* values = static_cast<const float*>(parameters.data(entry));
    int64_t at = first_not_finite(values, entry.count);
    const char* needed = "finite values are needed";
    if (at < 0 && entry.role == Role::norm_variance) {
      const float* negative = std::find_if(values, values + entry.count, [](float x) { return x < 0; });
      if (negative != values + entry.count) at = negative - values;
      needed = "a variance is 0 or more";
    }
    if (at < 0) continue;
    fail(SWAV_ERROR_NUMERIC, "%s holds %g at index %lld of %lld; %s", entry.name.c_str(), double(values[at]),
         static_cast<long long>(at), static_cast<long long>(entry.count), needed);
  }
}

}  // namespace swav
