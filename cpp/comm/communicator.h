// Sums over the processes (ranks) that train one network together. A process of its own is a group of one.
//
// Every method is collective: all ranks call the same methods in the same order with the same counts, and all get the same bits
// back. Whatever the transport, contributions are combined in an order that depends on the ranks only.
#pragma once

#include <cstdint>

namespace swav {

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Replaces values[0..count) by the sum, or the largest, over the ranks. The array is the caller's.
  virtual void sum(float* values, int64_t count) = 0;
  virtual void sum(double* values, int64_t count) = 0;
  virtual void max(float* values, int64_t count) = 0;
};

// The group of one: rank 0 of 1, every sum is what it was. Lives as long as the process.
Communicator& group_of_one();

}  // namespace swav
