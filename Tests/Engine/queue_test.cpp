// Facts 24 and 25 of the queue.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "objective/codes.h"
#include "objective/queue.h"
#include "score_samples.h"

using namespace swav;
using namespace swav::test;

namespace {

constexpr int64_t batch = 3, dim = 4;

// Embeddings of step t and assignment crop a: every number names both, and none is zero.
Floats embeddings(int64_t t, int64_t a) {
  Floats z;
  for (int64_t i = 0; i < batch * dim; ++i) z.push_back(float(1000 * (t + 1) + 100 * a + i));
  return z;
}

// A queue with memory of its own.
struct OwnedQueue {
  Arena arena;
  EmbeddingQueue queue;

  OwnedQueue(int64_t crops, int64_t requested) : queue(crops, requested, batch, dim) {
    arena.lay_out([&] { queue.take(arena); });
  }
  void insert(int64_t t, int64_t crops) {
    for (int64_t a = 0; a < crops; ++a) queue.replace_oldest(a, embeddings(t, a).data());
    queue.advance();
  }
  Floats values(int64_t crops) { return {queue.values(), queue.values() + crops * queue.length() * dim}; }
};

// The published queue: rows shifted towards the end, newest first, used when its last row is not all zero.
struct ShiftingQueue {
  Floats rows;
  explicit ShiftingQueue(int64_t length) : rows(size_t(length * dim), 0.0f) {}
  bool full() const { return !rows.empty() && rows.back() != 0; }
  void insert(const Floats& z) {
    rows.insert(rows.begin(), z.begin(), z.end());
    rows.resize(rows.size() - z.size());
  }
};

}  // namespace

TEST_CASE("the requested length is rounded down to a multiple of the batch; less than a batch is no queue") {
  CHECK(EmbeddingQueue::rounded_length(3840, 256) == 3840);
  CHECK(EmbeddingQueue::rounded_length(1000, 256) == 768);
  CHECK(EmbeddingQueue::rounded_length(255, 256) == 0);
  CHECK(EmbeddingQueue(2, 11, batch, dim).length() == 9);
  OwnedQueue none(2, 2);
  CHECK(none.queue.length() == 0);
  none.insert(0, 2);
  CHECK_FALSE(none.queue.full());
}

TEST_CASE("the queue is not used until length / batch steps after its start") {
  OwnedQueue owned(1, 9);
  for (int64_t t = 0; t < 3; ++t) {
    CHECK_FALSE(owned.queue.full());
    owned.insert(t, 1);
  }
  CHECK(owned.queue.full());
}

TEST_CASE("the queue holds the rows of the published one, oldest dropped, each crop its own, and is full in the same steps") {
  OwnedQueue owned(2, 9);
  const EmbeddingQueue& queue = owned.queue;
  ShiftingQueue published[2] = {ShiftingQueue(9), ShiftingQueue(9)};
  for (int64_t t = 0; t < 11; ++t) {
    for (int64_t a = 0; a < 2; ++a) {
      CHECK(queue.full() == published[a].full());
      // Published row block j is j + 1 steps old; in the ring it lies at (inserted - 1 - j) modulo 3.
      for (int64_t j = 0; j < std::min<int64_t>(3, t); ++j) {
        const float* ours = queue.embeddings(a) + ((t - 1 - j) % 3) * batch * dim;
        CHECK(std::equal(ours, ours + batch * dim, published[a].rows.begin() + j * batch * dim));
      }
    }
    owned.insert(t, 2);
    for (int64_t a = 0; a < 2; ++a) published[a].insert(embeddings(t, a));
  }
}

TEST_CASE("the order of the rows does not change the codes") {
  const int64_t length = 60, images = 12, prototypes = 30;
  const Floats newest_first = random_scores(1, length + images, prototypes);
  Floats ring = newest_first;
  std::rotate(ring.begin(), ring.begin() + 24 * prototypes, ring.begin() + length * prototypes);
  CHECK(ring != newest_first);
  Floats workspace(size_t(codes_workspace(length + images, prototypes))), a(size_t(images * prototypes)), b = a;
  compute_codes(newest_first.data(), length + images, prototypes, images, 0.05, 3, group_of_one(), workspace.data(), a.data());
  compute_codes(ring.data(), length + images, prototypes, images, 0.05, 3, group_of_one(), workspace.data(), b.data());
  for (size_t i = 0; i < a.size(); ++i) CHECK(std::abs(a[i] - b[i]) < 8e-6f);  // sums over 72 rows in another order: 64 eps
}

TEST_CASE("a queue that takes over another one's values and counter continues identically") {
  OwnedQueue first(2, 9), restored(2, 9);
  for (int64_t t = 0; t < 5; ++t) first.insert(t, 2);
  std::copy_n(first.queue.values(), first.values(2).size(), restored.queue.values());
  restored.queue.inserted() = first.queue.inserted();
  for (int64_t t = 5; t < 9; ++t) {
    CHECK(restored.queue.full() == first.queue.full());
    CHECK(restored.values(2) == first.values(2));
    first.insert(t, 2);
    restored.insert(t, 2);
  }
  CHECK(restored.values(2) == first.values(2));
}

TEST_CASE("deriving again at each epoch whether the queue is used gives the same as never resetting it") {
  OwnedQueue owned(1, 9);
  bool sticky = false;
  for (int64_t t = 0; t < 20; ++t) {
    sticky = sticky || owned.queue.full();
    CHECK(owned.queue.full() == sticky);  // full never turns false again
    owned.insert(t, 1);
  }
}

TEST_CASE("the age of the queue is that of its oldest embedding, in steps") {
  OwnedQueue owned(1, 9);
  owned.queue.wait();
  CHECK(owned.queue.age() == 0);
  for (int64_t t = 0; t < 5; ++t) {
    owned.insert(t, 1);
    CHECK(owned.queue.age() == std::min<int64_t>(3, t + 1));
  }
  owned.queue.wait();
  owned.queue.wait();
  CHECK(owned.queue.age() == 5);
  owned.insert(5, 1);
  CHECK(owned.queue.age() == 3);
}
