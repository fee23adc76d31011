// Functions that take turns on one thread.
#include <doctest/doctest.h>

#include <thread>

#include "base/fibers.h"
#include "base/status.h"
#include "base/stopwatch.h"

using namespace swav;

TEST_CASE("fibers take turns in order, and those that have returned are passed over") {
  Fibers fibers(3);
  for (int again = 0; again < 2; ++again) {
    std::vector<int> order;
    fibers.run([&](int index) {
      for (int turn = 0; turn <= index; ++turn) {
        order.push_back(10 * index + turn);
        fibers.give_way();
      }
    });
    CHECK(order == std::vector<int>{0, 10, 20, 11, 21, 22});
  }
}

TEST_CASE("each fiber has its own exceptions and a stack as deep as a thread's") {
  Fibers fibers(2);
  int caught = 0;
  fibers.run([&](int index) {
    volatile char deep[4 << 20];
    deep[0] = char(index);
    try {
      fibers.give_way();
      fail(SWAV_ERROR_IO, "%d", index + deep[0]);
    } catch (const Error& error) {
      caught += std::stoi(error.what()) == 2 * index;
    }
    fibers.give_way();
  });
  CHECK(caught == 2);
}

TEST_CASE("a stopwatch leaves out what others did while its fiber had given way") {
  Fibers fibers(2);
  double seconds[2] = {0, 0}, all = 0;
  {
    const Stopwatch watch(all);
    fibers.run([&](int index) {
      const Stopwatch watch(seconds[index]);
      fibers.give_way();
      if (index == 1) std::this_thread::sleep_for(std::chrono::milliseconds(60));
      fibers.give_way();
    });
  }
  CHECK(seconds[1] >= 0.06);
  CHECK(seconds[0] + seconds[1] <= all);
}
