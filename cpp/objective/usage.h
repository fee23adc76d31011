// How much the prototypes of one set are used, over a window of steps: one batch is too small a sample of them all.
#pragma once

#include <cstdint>

#include "base/arena.h"

namespace swav {

class PrototypeUsage {
 public:
  PrototypeUsage() = default;
  // codes_a_step: rows of codes that a step has, over all ranks.
  PrototypeUsage(int64_t prototypes, int64_t codes_a_step);
  void take(Arena& arena);

  // In steps: as many as give each prototype eight codes where all are used alike, at least 16.
  int64_t window() const { return window_; }
  int64_t steps() const { return steps_; }

  // This step's figures, filled in before add(): the mean of its codes, and 1 for each prototype that is the largest entry of
  // some code, else 0. Both [prototypes].
  double* step_mean() { return step_mean_; }
  float* step_used() { return step_used_; }
  void add();

  // exp of the entropy of the mean code, an average that forgets exponentially within the window: 1 (one prototype takes
  // everything) to the number of prototypes (all alike). 0 before the first step.
  double perplexity() const;
  // Prototypes that were the largest entry of no code of the last window() steps; of fewer while there were fewer.
  int64_t dead() const;

 private:
  int64_t prototypes_ = 0, window_ = 0, steps_ = 0;
  double *mean_ = nullptr, *step_mean_ = nullptr;
  float* step_used_ = nullptr;
  int64_t* last_used_ = nullptr;  // number of the step, from 1 on; 0: never
};

}  // namespace swav
