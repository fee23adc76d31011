#include <cstdio>

#include "api/api.h"
#include "base/isa.h"

namespace swav::api {
namespace {
thread_local std::string message;
}
void set_message(const char* text) { message = text; }
}  // namespace swav::api

using namespace swav;

extern "C" {

const char* swav_error_message(void) { return api::message.c_str(); }

int32_t swav_version(void) { return SWAV_VERSION; }

swav_status swav_runtime(swav_runtime_info* info) {
  return api::guarded([&] {
    SWAV_REQUIRE(info != nullptr, "swav_runtime: info is NULL");
    *info = {};
    info->version = SWAV_VERSION;
    info->threads = parallel::threads();
    std::snprintf(info->isa, sizeof info->isa, "%s", name(current_isa()));
    std::snprintf(info->cpu, sizeof info->cpu, "%s", cpu_model().c_str());
    std::snprintf(info->features, sizeof info->features, "%s", cpu_features().c_str());
#if defined(__clang__)
    std::snprintf(info->build, sizeof info->build, "clang %d.%d", __clang_major__, __clang_minor__);
#elif defined(__GNUC__)
    std::snprintf(info->build, sizeof info->build, "gcc %d.%d", __GNUC__, __GNUC_MINOR__);
#endif
  });
}

swav_status swav_set_threads(int32_t threads) {
  return api::guarded([&] {
    SWAV_REQUIRE(threads >= 0 && threads <= 4096, "threads is %d; 0 (all cores) to 4096 is allowed", threads);
    parallel::set_threads(threads);
  });
}

}  // extern "C"
