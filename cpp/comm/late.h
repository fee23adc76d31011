// Notices when a call to the other ranks does not come back: one of them is stopped, or its host is gone without a word.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

namespace swav {

class LateWatch {
 public:
  using Clock = std::chrono::steady_clock;

  ~LateWatch() { stop(); }

  // `late(context, waited)` is called, on a thread of the watch, once a call has taken `seconds`; again for each later call
  // that does. Takes the place of an earlier watch.
  void start(double seconds, void (*late)(void* context, double waited), void* context);
  void stop();

  // From its making to its end a call is under way; calls come one at a time.
  class Call {
   public:
    explicit Call(LateWatch& watch) : watch_(watch) { watch_.began_.store(Clock::now().time_since_epoch().count()); }
    ~Call() { watch_.began_.store(none); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    LateWatch& watch_;
  };

 private:
  static constexpr int64_t none = -1;

  void run(double seconds, void (*late)(void*, double), void* context);

  std::atomic<int64_t> began_{none};  // ticks of the clock
  std::mutex mutex_;
  std::condition_variable stopping_;
  bool stopped_ = true;
  std::thread thread_;
};

}  // namespace swav
