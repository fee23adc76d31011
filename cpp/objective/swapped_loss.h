// Swapped prediction: each crop's scores predict the codes of the assignment crops (paper eq. 1, 2 and 6, averaged as
// published).
//
//   loss = scale / (A (V - 1) B) * sum_{i in assign} sum_{v != i} sum_b H(q_i[b], softmax(scores_v[b] / temperature)),
//   H(q, p) = - sum_k q[k] ln p[k],
//
// with A assignment crops, V crops, B images. Codes carry no gradient, so with the target q = sum of the codes that crop v
// predicts and p its softmax,  d loss / d scores_v[b] = scale / (A (V - 1) B temperature) * (|q|_1 p - q).
#pragma once

#include <cstdint>

namespace swav {

struct SwappedLoss {
  int64_t crops;          // V >= 2
  int64_t batch;          // B >= 1, of this rank
  int64_t prototypes;     // K >= 1
  const int32_t* assign;  // [assign_count] distinct crops 0..V-1 whose codes are given; borrowed
  int32_t assign_count;   // A >= 1
  float temperature;      // of the predictions, > 0
  double scale;           // 1; 1 / heads when the losses of several sets of prototypes are averaged
};

// Throws SWAV_ERROR_ARGUMENT unless the comments above hold.
void check(const SwappedLoss& shape);

// Floats of workspace that swapped_loss needs.
int64_t swapped_loss_workspace(const SwappedLoss& shape);

// scores [V * B][K], crop-major (row v * B + b); codes [A][B][K], those of crop assign[0] first. Returns the loss and, unless
// gradient is NULL, writes its derivative by the scores, [V * B][K]. gradient may be scores: each row is read before it is
// written. The loss is finite for finite scores (log-probabilities end at -1e30) and NaN when a score is NaN.
double swapped_loss(const SwappedLoss& shape, const float* scores, const float* codes, float* workspace, float* gradient);

}  // namespace swav
