// Functions that take turns on one thread. Each runs on a stack of its own until it gives way or returns; the thread, its team
// and its scratch stay the same, so that work that is written for one after the other can be done side by side.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/function_ref.h"

namespace swav {

class Fibers {
 public:
  // Takes the stacks. Throws SWAV_ERROR_MEMORY.
  explicit Fibers(int count);
  ~Fibers();
  Fibers(const Fibers&) = delete;
  Fibers& operator=(const Fibers&) = delete;

  // Calls body(i) for 0 <= i < count and returns when all have returned. They must not throw. From one thread at a time.
  void run(FunctionRef<void(int index)> body);
  // Within a body, and not while an exception is being handled: the next one in turn goes on.
  void give_way();

 private:
  struct Fiber;
  static void enter(uint32_t high, uint32_t low);
  void change(Fiber& from, Fiber& to);

  std::unique_ptr<Fiber> caller_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  FunctionRef<void(int)> body_;
  size_t current_ = 0, running_ = 0;
};

}  // namespace swav
