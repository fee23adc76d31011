#include "comm/late.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <thread>

using swav::LateWatch;

namespace {

struct Told {
  std::atomic<int> times{0};
  std::atomic<double> waited{0};

  static void late(void* context, double waited) {
    Told& told = *static_cast<Told*>(context);
    told.waited = waited;
    ++told.times;
  }

  // Whether it is told so often, within a time that only a fault would need.
  bool comes_to(int count) const {
    for (int i = 0; i < 6000 && times < count; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return times == count;
  }
};

constexpr double patience = 0.02;
constexpr double for_ever = 3600;

}  // namespace

TEST_CASE("a call that does not come back is told once, and so is the next one") {
  LateWatch watch;
  Told told;
  watch.start(patience, Told::late, &told);
  for (int calls = 1; calls <= 2; ++calls) {
    const LateWatch::Call call(watch);
    CHECK(told.comes_to(calls));
    CHECK(told.waited >= patience);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CHECK(told.times == calls);
  }
}

TEST_CASE("calls that come back, waiting between them and a watch that has ended tell nothing") {
  LateWatch watch;
  Told told;
  watch.start(for_ever, Told::late, &told);
  for (int i = 0; i < 100; ++i) const LateWatch::Call call(watch);
  watch.start(patience, Told::late, &told);
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  CHECK(told.times == 0);
  watch.stop();
  const LateWatch::Call call(watch);
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  CHECK(told.times == 0);
}
