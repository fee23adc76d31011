// The parts of a batch that this process computes. Each is what a rank of a process of its own would be: it has a communicator
// whose sums are over the parts of all processes, in their order, and the same bits come out whichever process computes which.
//
// Parts run side by side, as fibers of one thread: one computes until it has to know what the others have, then the next one
// does.
#pragma once

#include <exception>
#include <memory>
#include <vector>

#include "base/fibers.h"
#include "comm/communicator.h"

namespace swav {

class Parts {
 public:
  // `count` of each process of the group, which outlives them. Throws SWAV_ERROR_MEMORY.
  Parts(Communicator& processes, int count);
  ~Parts();

  int count() const { return count_; }
  // Of all processes.
  int total() const { return count_ * processes_.size(); }
  Communicator& processes() { return processes_; }
  // The group of all parts, as this process' part number `part` sees it; used within run. A single part is the process.
  Communicator& member(int part);

  // Calls body(part) for every part of this process, side by side. Throws what the first to fail threw; the others are
  // ended at their next call of the group. Collective over the processes.
  void run(FunctionRef<void(int part)> body);

 private:
  class Member;
  // Waits until every part has come to the same call, and has the last one do combine().
  void meet(FunctionRef<void()> combine);
  // The array that a part gave to the call under way.
  template <class T>
  T* held(int part);

  Communicator& processes_;
  int count_;
  std::vector<std::unique_ptr<Member>> members_;
  std::unique_ptr<Fibers> fibers_;
  std::vector<char> together_;
  int arrived_ = 0;
  int64_t meetings_ = 0;
  std::exception_ptr failure_;
};

}  // namespace swav
