// The supervised objective: cross-entropy of labels under softmax(logits), with label smoothing (Szegedy et al., "Rethinking
// the Inception architecture", CVPR 2016, section 7).
//
//   loss = 1/N sum over rows of H(t, p),  H(t, p) = - sum_k t[k] ln p[k],  t = (1 - s) one-hot(label) + s / K,
//   p = softmax(logits),  d loss / d logits = (p - t) / N,
//
// with N rows over all ranks, K classes and smoothing s.
#pragma once

#include <cstdint>
#include <vector>

#include "base/arena.h"
#include "comm/communicator.h"

namespace swav {

struct LabelLoss {
  double loss = 0;    // mean over the rows of all ranks
  int64_t right = 0;  // rows of all ranks whose label has the largest logit, of equal ones the first
};

// What the loss of a batch works with; sizes and memory are the plan's.
class LabelObjective {
 public:
  // rows: of this rank at most; smoothing in [0, 1).
  LabelObjective(int64_t rows, int32_t classes, float smoothing) : rows_(rows), classes_(classes), smoothing_(smoothing) {}

  void take(Arena& arena);

  // logits [most rows][classes] become the gradient; labels [rows] in 0..classes-1. Logits behind the first `rows` rows do not
  // count: their gradient is 0. The loss is NaN when a logit is NaN. Collective.
  LabelLoss evaluate(float* logits, const int32_t* labels, int64_t rows, Communicator& group);

 private:
  double row_loss(float* row, int32_t label, double share, bool& right) const;

  int64_t rows_;
  int32_t classes_;
  float smoothing_;
  float* ones_ = nullptr;      // [classes]
  double* losses_ = nullptr;   // [rows]
  uint8_t* rights_ = nullptr;  // [rows]
};

}  // namespace swav
