// Sums over the processes (ranks) that train one network together. A process of its own is a group of one.
//
// Every method is collective: all ranks call the same methods in the same order with the same counts, and all get the same bits
// back. Whatever the transport, contributions are combined in an order that depends on the ranks only. A method that fails
// throws, on that rank at least; the group is of no use then.
#pragma once

#include <cmath>
#include <cstdint>

#include "base/function_ref.h"

namespace swav {

class GradualSum;

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  // Whether no other rank takes part in a call. A group of one rank within a larger one says no: its calls are part of the
  // larger one's, and have to be made.
  virtual bool alone() const { return size() == 1; }
  // Whether sums are the transport's own, in an order that nobody promises.
  virtual bool fast() const { return false; }

  // Replaces values[0..count) by the sum, or the largest, over the ranks. The array is the caller's.
  virtual void sum(float* values, int64_t count) = 0;
  virtual void sum(double* values, int64_t count) = 0;
  virtual void max(float* values, int64_t count) = 0;

  // Where each rank has several arrays array(0), .. of `count` values: the first becomes the sum of all of all ranks, rank by
  // rank and, of a rank, in their order. What the others hold is lost.
  virtual void sum_parts(FunctionRef<float*(int)> array, int parts, int64_t count);
  virtual void sum_parts(FunctionRef<double*(int)> array, int parts, int64_t count);

  // The group's sum of an array that becomes ready little by little, where its transport moves bytes while ranks compute; else
  // NULL.
  virtual GradualSum* gradual() { return nullptr; }

  // all[r * bytes ..] becomes what rank r gave as `mine`; they do not overlap.
  virtual void gather(const void* mine, int64_t bytes, void* all) = 0;
  // `values` of rank `root` go to all others.
  virtual void broadcast(void* values, int64_t bytes, int root) = 0;
  virtual void barrier() = 0;
};

// As std::max, but a NaN stays one, whichever side it is on.
inline float larger(float a, float b) { return std::isnan(a) || a > b ? a : b; }

// The group of one: rank 0 of 1, every sum is what it was. Lives as long as the process.
Communicator& group_of_one();

}  // namespace swav
