// Memory of a plan: one block, divided before the first step, so that a step allocates nothing.
//
// Two passes over the same planning code: an arena without memory counts, then allocate() and a second pass hands out pointers.
// lay_out does both. In builds with AddressSanitizer a poisoned gap follows every piece, so that a write past its end is found.
#pragma once

#include <cstddef>
#include <cstdint>

namespace swav {

class Arena {
 public:
  Arena() = default;
  // Hands out memory of somebody else's, without gaps; NULL counts.
  Arena(void* memory, int64_t capacity) : memory_(static_cast<char*>(memory)), capacity_(capacity) {}
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Whether gaps between pieces are poisoned. Memory with gaps cannot be handed out a second time.
  static const bool poisons_gaps;

  // Counts what take() takes, allocates that, and has it taken again. `what` needs it, in a message. Throws SWAV_ERROR_MEMORY.
  template <class Take>
  void lay_out(Take&& take, const char* what = "this plan") {
    take();
    allocate(what);
    take();
  }

  // Bytes of all arenas of this process that were allocated and hold no page of memory yet.
  static int64_t untouched_bytes();
  // Has every fork wait for who counts or lists arenas: a child would wait for ever for one in its parent. Handlers of a fork
  // are called in the opposite order: whoever makes arenas in a job that a fork waits for calls this before it registers its
  // own.
  static void watch_forks();

  // Room for `count` values of T, 64-byte aligned; NULL while counting.
  template <class T>
  T* take(int64_t count) {
    return static_cast<T*>(take_bytes(count * int64_t(sizeof(T))));
  }

  // Bytes taken so far, without the gaps.
  int64_t used() const { return used_; }
  // Where the next piece will lie; NULL while counting.
  void* next() const { return memory_ == nullptr ? nullptr : memory_ + next_; }

 private:
  void* take_bytes(int64_t bytes);
  // Ends the counting pass: allocates (zeroed pages, which the system finds when they are first used) and starts handing out.
  void allocate(const char* what);

  bool owned_ = false;
  char* memory_ = nullptr;
  int64_t capacity_ = 0;
  int64_t used_ = 0, next_ = 0;  // next_: with the gaps
};

}  // namespace swav
