#include "api/arguments.h"

#include <string>

#include "base/number.h"
#include "base/status.h"

namespace swav::api {

void check_pointers(const char* function, std::initializer_list<Pointer> pointers) {
  for (const Pointer& pointer : pointers) SWAV_REQUIRE(pointer.value != nullptr, "%s: %s is NULL", function, pointer.name);
}

void check_count(const char* function, const char* name, int64_t count, int64_t least) {
  SWAV_REQUIRE(count >= least && count <= INT32_MAX, "%s: %s is %lld; %lld to %d is allowed", function, name,
               static_cast<long long>(count), static_cast<long long>(least), INT32_MAX);
}

void check_array(const char* function, const char* name, std::initializer_list<int64_t> extents) {
  int64_t rest = (int64_t{1} << 45) - 1;
  bool fits = true;
  std::string shape;
  for (const int64_t extent : extents) {
    shape += (shape.empty() ? "" : " x ") + text_of(extent);
    fits = fits && extent >= 0 && extent <= rest;
    if (fits && extent > 0) rest /= extent;
  }
  SWAV_REQUIRE(fits, "%s: %s is %s; that is more numbers than memory has room for", function, name, shape.c_str());
}

void check_images(const char* function, int64_t count, int32_t height, int32_t width, int32_t channels, int64_t least) {
  check_count(function, "count", count, least);
  SWAV_REQUIRE(height >= SWAV_MIN_SIDE && height <= SWAV_MAX_SIDE && width >= SWAV_MIN_SIDE && width <= SWAV_MAX_SIDE,
               "%s: images are %d x %d pixels; %d to %d is allowed", function, width, height, SWAV_MIN_SIDE, SWAV_MAX_SIDE);
  check_array(function, "images", {count, height, width, channels});
}

}  // namespace swav::api
