#include "objective/label_loss.h"

#include <algorithm>

#include "base/logarithm.h"
#include "base/parallel.h"
#include "kernels/kernels.h"
#include "objective/pieces.h"

namespace swav {

void LabelObjective::take(Arena& arena) {
  ones_ = arena.take<float>(classes_);
  losses_ = arena.take<double>(rows_);
  rights_ = arena.take<uint8_t>(rows_);
  if (ones_ != nullptr) std::fill(ones_, ones_ + classes_, 1.0f);
}

LabelLoss LabelObjective::evaluate(float* logits, const int32_t* labels, int64_t rows, Communicator& group) {
  double total = double(rows);
  group.sum(&total, 1);
  const Pieces pieces = few_pieces(rows_);
  parallel::for_each(pieces.count, [&](int64_t piece, int) {
    for (int64_t r = pieces.begin(piece); r < pieces.end(piece); ++r) {
      float* row = logits + r * classes_;
      bool right = false;
      if (r < rows) {
        losses_[r] = row_loss(row, labels[r], 1 / total, right);
        rights_[r] = right;
      } else {
        std::fill(row, row + classes_, 0.0f);
      }
    }
  });
  double sums[2] = {0, 0};
  for (int64_t r = 0; r < rows; ++r) {
    sums[0] += losses_[r];
    sums[1] += rights_[r];
  }
  group.sum(sums, 2);
  return {sums[0] / total, int64_t(sums[1])};
}

// The cross-entropy of a row, whose logits become their gradient times `share`.
double LabelObjective::row_loss(float* row, int32_t label, double share, bool& right) const {
  const Kernels& kernel = kernels();
  const float largest = kernel.row_max(row, classes_);
  const double chosen = double(row[label] - largest), smoothing = double(smoothing_), rest = smoothing / classes_;
  right = std::find(row, row + classes_, largest) - row == label;
  double sums[3];  // of exp(logit - largest), of logit - largest, of ones
  kernel.softmax_cross(row, ones_, largest, 1.0f, row, sums, classes_);
  const float scale = float(share / sums[0]), shift = float(-share * rest);
  kernel.combine_rows(row, scale, ones_, shift, row, classes_);
  row[label] -= float(share * (1 - smoothing));
  return logarithm(sums[0]) - (1 - smoothing) * chosen - rest * sums[1];
}

}  // namespace swav
