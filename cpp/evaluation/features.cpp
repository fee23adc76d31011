#include "evaluation/features.h"

#include <atomic>

#include "base/parallel.h"
#include "base/status.h"
#include "kernels/kernels.h"

namespace swav {

void check_features(const char* what, const float* features, const int32_t* labels, int64_t count, int64_t dim,
                    int32_t classes) {
  SWAV_REQUIRE(count >= 1 && dim >= 1 && count <= (int64_t{1} << 60) / dim, "%s are %lld x %lld; at least 1 x 1 is needed",
               what, (long long)count, (long long)dim);
  SWAV_REQUIRE(classes >= 1, "classes are %d; at least 1 is needed", classes);
  for (int64_t n = 0; labels && n < count; ++n) {
    SWAV_REQUIRE(labels[n] >= 0 && labels[n] < classes, "label %lld is %d; 0 to %d is allowed", (long long)n, labels[n],
                 classes - 1);
  }
  std::atomic<int64_t> first{count};  // smallest row that is not finite, whichever thread finds it
  parallel::for_each(feature_blocks(count), [&](int64_t block, int) {
    for (int64_t n = block * feature_block; n < std::min(count, (block + 1) * feature_block); ++n) {
      const double squares = kernels().sum_squares(features + n * dim, dim);
      if (squares - squares == 0) continue;
      for (int64_t seen = first; n < seen && !first.compare_exchange_weak(seen, n);) {
      }
      return;
    }
  });
  if (first < count)
    fail(SWAV_ERROR_NUMERIC, "row %lld of the %s is not finite; finite features are needed", (long long)first.load(), what);
}

}  // namespace swav
