// A group of ranks that are threads of this process: the test double of a Communicator.
#pragma once

#include <algorithm>
#include <barrier>
#include <functional>
#include <thread>
#include <vector>

#include "comm/communicator.h"

namespace swav::test {

class ThreadGroup {
 public:
  explicit ThreadGroup(int size) : size_(size), barrier_(size), pointers_(size_t(size)) {}

  // Runs body(rank's communicator) on `size` threads and waits for all.
  void run(const std::function<void(Communicator&)>& body) {
    std::vector<std::thread> threads;
    for (int rank = 0; rank < size_; ++rank) {
      threads.emplace_back([this, rank, &body] {
        Member member(*this, rank);
        body(member);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  // Collective calls made so far.
  int reductions() const { return reductions_; }

 private:
  class Member final : public Communicator {
   public:
    Member(ThreadGroup& group, int rank) : group_(group), rank_(rank) {}
    int rank() const override { return rank_; }
    int size() const override { return group_.size_; }
    void sum(float* values, int64_t count) override { group_.reduce(rank_, values, count, std::plus<float>()); }
    void sum(double* values, int64_t count) override { group_.reduce(rank_, values, count, std::plus<double>()); }
    void max(float* values, int64_t count) override {
      group_.reduce(rank_, values, count, [](float a, float b) { return std::max(a, b); });
    }
    void gather(const void* mine, int64_t bytes, void* all) override { group_.gather(rank_, mine, bytes, all); }
    void broadcast(void* values, int64_t bytes, int root) override {
      std::vector<char> all(size_t(bytes) * size_t(size()));
      group_.gather(rank_, values, bytes, all.data());
      std::copy_n(all.data() + root * bytes, bytes, static_cast<char*>(values));
    }
    void barrier() override { group_.barrier_.arrive_and_wait(); }

   private:
    ThreadGroup& group_;
    int rank_;
  };

  template <class T, class F>
  void reduce(int rank, T* values, int64_t count, F combine) {
    pointers_[size_t(rank)] = values;
    barrier_.arrive_and_wait();
    std::vector<T> result(static_cast<T*>(pointers_[0]), static_cast<T*>(pointers_[0]) + count);
    for (int other = 1; other < size_; ++other) {
      const T* theirs = static_cast<T*>(pointers_[size_t(other)]);
      for (int64_t i = 0; i < count; ++i) result[size_t(i)] = combine(result[size_t(i)], theirs[i]);
    }
    if (rank == 0) ++reductions_;
    barrier_.arrive_and_wait();  // everybody has read before anybody writes
    std::copy(result.begin(), result.end(), values);
  }

  void gather(int rank, const void* mine, int64_t bytes, void* all) {
    pointers_[size_t(rank)] = const_cast<void*>(mine);
    barrier_.arrive_and_wait();
    for (int r = 0; r < size_; ++r)
      std::copy_n(static_cast<char*>(pointers_[size_t(r)]), bytes, static_cast<char*>(all) + r * bytes);
    barrier_.arrive_and_wait();
  }

  int size_;
  std::barrier<> barrier_;
  std::vector<void*> pointers_;
  int reductions_ = 0;
};

}  // namespace swav::test
