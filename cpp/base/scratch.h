// Scratch of the workers of a team: small arrays that live for one task. They are taken before a parallel region begins, where
// a lack of memory can be an error, as inside one nothing may throw.
#pragma once

#include <algorithm>
#include <cstdint>

namespace swav {

enum class Scratch { operand, gradient, result };

// Floats of each slot that a worker needs, at most.
struct ScratchSize {
  static constexpr int slots = 3;
  int64_t floats[slots] = {};

  void include(Scratch slot, int64_t count) { floats[int(slot)] = std::max(floats[int(slot)], count); }
  void include(const ScratchSize& other) {
    for (int slot = 0; slot < slots; ++slot) floats[slot] = std::max(floats[slot], other.floats[slot]);
  }
  int64_t bytes() const;  // of a worker
};

// The store belongs to the thread that opens the regions, grows and stays, so that a step allocates nothing once its plan has
// asked for what it needs.
class TeamScratch {
 public:
  // For each worker of the teams of this thread, or for `workers` of them. Throws SWAV_ERROR_MEMORY.
  explicit TeamScratch(const ScratchSize& size);
  TeamScratch(const ScratchSize& size, int workers);

  // `count` floats, no more than was asked for, 64-byte aligned. They are this worker's until the thread that owns the store
  // makes the next TeamScratch.
  float* get(int worker, Scratch slot, int64_t count) const;

  // To be called where parts of a batch take turns on this thread: they have its scratch in common, and in builds with
  // AddressSanitizer get() poisons what lies behind its array. Unpoisons all of it.
  static void open_again();

 private:
  struct Store;
  static Store& store();
  Store* store_;
};

}  // namespace swav
