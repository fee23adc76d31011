#include "comm/parts.h"

#include <cstring>

#include "base/scratch.h"
#include "base/status.h"

namespace swav {

// What a part gives is copied when it comes, as it may lie in scratch that the parts have in common, and so is what it gets.
class Parts::Member final : public Communicator {
 public:
  Member(Parts& parts, int index) : parts_(parts), index_(index) {}

  int rank() const override { return parts_.processes_.rank() * parts_.count_ + index_; }
  int size() const override { return parts_.total(); }

  void sum(float* values, int64_t count) override { sum_all(values, count); }
  void sum(double* values, int64_t count) override { sum_all(values, count); }

  void max(float* values, int64_t count) override {
    exchange(values, count * int64_t(sizeof(float)), [&] {
      float* const largest = parts_.held<float>(0);
      for (int part = 1; part < parts_.count_; ++part) {
        const float* others = parts_.held<float>(part);
        for (int64_t i = 0; i < count; ++i) largest[i] = larger(largest[i], others[i]);
      }
      parts_.processes_.max(largest, count);
      return 0;
    });
  }

  void gather(const void* mine, int64_t bytes, void* all) override {
    hold(mine, bytes);
    all_ = all;
    parts_.meet([&] {
      std::vector<char>& together = parts_.together_;
      together.resize(size_t(bytes * parts_.count_));
      for (int part = 0; part < parts_.count_; ++part)
        std::memcpy(together.data() + part * bytes, parts_.held<char>(part), size_t(bytes));
      parts_.processes_.gather(together.data(), bytes * parts_.count_, all);
      for (const auto& member : parts_.members_)
        if (member->all_ != all) std::memcpy(member->all_, all, size_t(bytes * parts_.total()));
    });
  }

  void broadcast(void* values, int64_t bytes, int root) override {
    exchange(values, bytes, [&] {
      const int part = root % parts_.count_;
      parts_.processes_.broadcast(parts_.held<char>(part), bytes, root / parts_.count_);
      return part;
    });
  }

  void barrier() override {
    parts_.meet([&] { parts_.processes_.barrier(); });
  }

 private:
  friend Parts;

  void hold(const void* values, int64_t bytes) {
    if (int64_t(held_.size()) < bytes) held_.resize(size_t(bytes));
    std::memcpy(held_.data(), values, size_t(bytes));
  }

  // combine() returns the part that holds the result for all.
  template <class F>
  void exchange(void* values, int64_t bytes, F&& combine) {
    hold(values, bytes);
    parts_.meet([&] {
      const char* result = parts_.held<char>(combine());
      for (const auto& member : parts_.members_)
        if (member->held_.data() != result) std::memcpy(member->held_.data(), result, size_t(bytes));
    });
    std::memcpy(values, held_.data(), size_t(bytes));
  }

  template <class T>
  void sum_all(T* values, int64_t count) {
    exchange(values, count * int64_t(sizeof(T)), [&] {
      const auto array = [&](int part) { return parts_.held<T>(part); };
      parts_.processes_.sum_parts(FunctionRef<T*(int)>(array), parts_.count_, count);
      return 0;
    });
  }

  Parts& parts_;
  int index_;
  std::vector<char> held_;  // grows, and stays: a step allocates nothing
  void* all_ = nullptr;
};

template <class T>
T* Parts::held(int part) {
  return reinterpret_cast<T*>(members_[size_t(part)]->held_.data());
}

Parts::Parts(Communicator& processes, int count) : processes_(processes), count_(count) {
  if (count == 1) return;
  for (int part = 0; part < count; ++part) members_.push_back(std::make_unique<Member>(*this, part));
  fibers_ = std::make_unique<Fibers>(count);
}

Parts::~Parts() = default;

Communicator& Parts::member(int part) {
  if (count_ == 1) return processes_;
  return *members_[size_t(part)];
}

void Parts::run(FunctionRef<void(int)> body) {
  if (count_ == 1) return body(0);
  arrived_ = 0;
  failure_ = nullptr;
  fibers_->run([&](int part) {
    try {
      body(part);
    } catch (...) {
      if (!failure_) failure_ = std::current_exception();
    }
  });
  if (failure_) std::rethrow_exception(failure_);
}

void Parts::meet(FunctionRef<void()> combine) {
  const auto require_all = [&] {
    if (failure_) fail(SWAV_ERROR_INTERNAL, "another part of the batch failed");
  };
  require_all();
  if (++arrived_ == count_) {
    arrived_ = 0;
    ++meetings_;
    return combine();
  }
  for (const int64_t own = meetings_; meetings_ == own;) {
    fibers_->give_way();
    TeamScratch::open_again();
    require_all();
  }
}

}  // namespace swav
