#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>

#include "api/api.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/stopwatch.h"
#include "kernels/tiles.h"

namespace swav::api {
namespace {
thread_local std::string message;
}
void set_message(const char* text) { message = text; }
}  // namespace swav::api

using namespace swav;

static void check_threads(int32_t threads) {
  SWAV_REQUIRE(threads >= 0 && threads <= most_threads, "threads is %d; 0 (no choice) to %d is allowed", threads, most_threads);
}

extern "C" {

const char* swav_error_message(void) { return api::message.c_str(); }

int32_t swav_version(void) { return SWAV_VERSION; }

swav_status swav_runtime(swav_runtime_info* info) {
  return api::guarded([&] {
    api::check_pointers("swav_runtime", {{"info", info}});
    *info = {};
    info->version = SWAV_VERSION;
    const ThreadCount team = parallel::thread_count();
    info->threads = team.count;
    std::snprintf(info->threads_from, sizeof info->threads_from, "%s", team.from.c_str());
    info->cores = usable_cores(ProcessLimits::of_this_process());
    std::snprintf(info->isa, sizeof info->isa, "%s", name(current_isa()));
    std::snprintf(info->cpu, sizeof info->cpu, "%s", cpu_model().c_str());
    std::snprintf(info->features, sizeof info->features, "%s", cpu_features().text().c_str());
    std::snprintf(info->used, sizeof info->used, "%s", used_features().text().c_str());
    std::snprintf(info->bfloat16, sizeof info->bfloat16, "%s", tiles().name);
    info->fast_bfloat16 = fast_bfloat16();
#if defined(__clang__)
    std::snprintf(info->build, sizeof info->build, "clang %d.%d", __clang_major__, __clang_minor__);
#elif defined(__GNUC__)
    std::snprintf(info->build, sizeof info->build, "gcc %d.%d", __GNUC__, __GNUC_MINOR__);
#endif
  });
}

swav_status swav_memory_room(int64_t* bytes) {
  return api::guarded([&] {
    api::check_pointers("swav_memory_room", {{"bytes", bytes}});
    *bytes = memory_room().smallest();
  });
}

swav_status swav_measure_peak(double* gflops) {
  return api::computed([&] {
    api::check_pointers("swav_measure_peak", {{"gflops", gflops}});
    constexpr int64_t rounds = 1 << 18;
    const Kernels& kernel = kernels();
    std::atomic<bool> finite{true};  // that the results are used keeps the compiler from dropping the work
    *gflops = 0;
    for (int attempt = 0; attempt < 8; ++attempt) {
      double seconds = 0;
      {
        const Stopwatch watch(seconds);
        parallel::for_each(parallel::threads(), [&](int64_t, int) {
          if (!std::isfinite(kernel.multiply_adds(rounds))) finite = false;
        });
      }
      const double operations = 2.0 * 2 * kernel.tile_rows * kernel.lanes * rounds * parallel::threads();
      if (finite) *gflops = std::max(*gflops, operations / seconds * 1e-9);
    }
  });
}

swav_status swav_set_threads(int32_t threads) {
  return api::guarded([&] {
    check_threads(threads);
    parallel::set_threads(threads);
  });
}

const volatile int32_t* swav_watch_cancellation(const volatile int32_t* flag) { return parallel::watch_cancellation(flag); }

bool swav_is_cancelled(void) { return parallel::is_cancelled(); }

swav_status swav_set_caller_threads(int32_t threads, int32_t* previous) {
  return api::guarded([&] {
    check_threads(threads);
    SWAV_REQUIRE(!parallel::on_engine(), "swav_set_caller_threads: not within a callback, whose call has its threads already");
    const int before = parallel::set_caller_threads(threads);
    if (previous) *previous = before;
  });
}

}  // extern "C"
