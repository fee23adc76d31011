// Places for buffers of a plan's steps.
#include <doctest/doctest.h>

#include "base/random.h"
#include "network/activation_memory.h"

using namespace swav;

TEST_CASE("buffers whose lives meet never overlap, others share memory") {
  Random random(1, Purpose::test);
  for (int repeat = 0; repeat < 50; ++repeat) {
    std::vector<BufferLife> buffers;
    int64_t all = 0, most_alive = 0;
    for (int i = 0; i < 30; ++i) {
      const int first = int(random.below(20)), last = first + int(random.below(6));
      buffers.push_back({int64_t(random.below(5000)), first, last, 0});
      all += buffers.back().bytes;
    }
    const int64_t total = place_buffers(buffers);
    for (int step = 0; step < 26; ++step) {
      int64_t alive = 0;
      for (const BufferLife& b : buffers) alive += b.first <= step && step <= b.last ? b.bytes : 0;
      most_alive = std::max(most_alive, alive);
    }
    for (const BufferLife& a : buffers) {
      CHECK(a.offset % 64 == 0);
      CHECK(a.offset + a.bytes <= total);
      for (const BufferLife& b : buffers) {
        const bool meet = &a != &b && a.first <= b.last && b.first <= a.last;
        if (meet) CHECK((a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset));
      }
    }
    CHECK(total >= most_alive);
    CHECK(total < all);
  }
}
