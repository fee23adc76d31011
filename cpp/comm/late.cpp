#include "comm/late.h"

#include <algorithm>

namespace swav {

void LateWatch::start(double seconds, void (*late)(void* context, double waited), void* context) {
  stop();
  stopped_ = false;
  thread_ = std::thread([=, this] { run(seconds, late, context); });
}

void LateWatch::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  stopping_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void LateWatch::run(double seconds, void (*late)(void*, double), void* context) {
  // A look costs nothing; one that is a tenth too late is early enough.
  const auto between = std::chrono::duration<double>(std::clamp(seconds / 10, 0.001, 1.0));
  int64_t told = none;
  std::unique_lock lock(mutex_);
  while (!stopping_.wait_for(lock, between, [&] { return stopped_; })) {
    const int64_t began = began_.load();
    if (began == none || began == told) continue;
    const std::chrono::duration<double> waited = Clock::now().time_since_epoch() - Clock::duration(began);
    if (waited.count() < seconds) continue;
    told = began;
    late(context, waited.count());
  }
}

}  // namespace swav
