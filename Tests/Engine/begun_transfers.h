// Transfers between ranks that are threads of this process, which go on while the ranks compute: the test double of begin and
// advance of a communicator.
#pragma once

#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include "comm/communicator.h"
#include "swav.h"

namespace swav::test {

// What is under way between all ranks.
class Letters {
 public:
  using Bytes = std::vector<char>;

  void send(int32_t tag, int from, int to, const char* bytes, int64_t count) {
    {
      const std::lock_guard lock(mutex_);
      letters_[{tag, from, to}].emplace_back(bytes, bytes + count);
    }
    arrived_.notify_all();
  }

  // Whether one of each rank is there for `to`; takes them then. With `wait`, once they are.
  bool take(int32_t tag, int ranks, int to, bool wait, int64_t bytes, char* received) {
    std::unique_lock lock(mutex_);
    const auto complete = [&] {
      for (int from = 0; from < ranks; ++from) {
        if (letters_[{tag, from, to}].empty()) return false;
      }
      return true;
    };
    if (wait) arrived_.wait(lock, complete);
    if (!complete()) return false;
    for (int from = 0; from < ranks; ++from) {
      std::vector<Bytes>& waiting = letters_[{tag, from, to}];
      std::memcpy(received + from * bytes, waiting.front().data(), size_t(bytes));
      waiting.erase(waiting.begin());
    }
    return true;
  }

 private:
  struct Address {
    int32_t tag;
    int from, to;
    auto operator<=>(const Address&) const = default;
  };

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::map<Address, std::vector<Bytes>> letters_;
};

// A member of a group, with transfers. What has arrived is noticed late and by each rank at its own time, as from a network.
class Correspondent final : public Communicator {
 public:
  Correspondent(Communicator& member, Letters& letters)
      : member_(member), letters_(letters), state_(uint32_t(member.rank()) + 1) {}

  int rank() const override { return member_.rank(); }
  int size() const override { return member_.size(); }
  void sum(float* values, int64_t count) override { member_.sum(values, count); }
  void sum(double* values, int64_t count) override { member_.sum(values, count); }
  void max(float* values, int64_t count) override { member_.max(values, count); }
  void gather(const void* mine, int64_t bytes, void* all) override { member_.gather(mine, bytes, all); }
  void broadcast(void* values, int64_t bytes, int root) override { member_.broadcast(values, bytes, root); }
  void barrier() override { member_.barrier(); }

  int64_t begun() const { return begun_; }

  // Adds begin and advance to functions whose context is this one, as a Communicator.
  static void add_transfers(swav_communicator& c) {
    c.begin = [](void* context, int32_t tag, const void* sent, int64_t stride, int64_t bytes, void* received) {
      Correspondent& own = of(context);
      ++own.begun_;
      own.under_way_[tag] = {bytes, static_cast<char*>(received)};
      for (int to = 0; to < own.size(); ++to)
        own.letters_.send(tag, own.rank(), to, static_cast<const char*>(sent) + to * stride, bytes);
      return SWAV_OK;
    };
    c.advance = [](void* context, int32_t tag, bool wait, bool* done) {
      Correspondent& own = of(context);
      own.state_ = own.state_ * 1664525u + 1013904223u;
      const auto [bytes, received] = own.under_way_.at(tag);
      *done = (wait || own.state_ >> 30 == 0) && own.letters_.take(tag, own.size(), own.rank(), wait, bytes, received);
      return SWAV_OK;
    };
  }

 private:
  static Correspondent& of(void* context) { return static_cast<Correspondent&>(*static_cast<Communicator*>(context)); }

  Communicator& member_;
  Letters& letters_;
  uint32_t state_;
  int64_t begun_ = 0;
  std::map<int32_t, std::pair<int64_t, char*>> under_way_;
};

}  // namespace swav::test
