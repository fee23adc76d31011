#include "objective/swapped_loss.h"

#include <cmath>

#include "base/parallel.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "objective/pieces.h"

namespace swav {
namespace {

// What one piece needs: rows of K for a target and for the exponentials, and its part of the loss (a double in two floats).
int64_t piece_floats(const SwappedLoss& shape) { return 2 * shape.prototypes + 2; }

// The sum of the codes of image b that crop v predicts: a row of codes itself where there is one, else a sum in `target`; NULL
// where there is none.
const float* target_row(const SwappedLoss& shape, const float* codes, int64_t v, int64_t b, float* target) {
  const float* only = nullptr;
  int count = 0;
  for (int32_t a = 0; a < shape.assign_count; ++a) {
    if (shape.assign[a] == v) continue;
    const float* code = codes + (a * shape.batch + b) * shape.prototypes;
    if (++count == 1) {
      only = code;
    } else {
      kernels().combine_rows(count == 2 ? only : target, 1, code, 1, target, shape.prototypes);
    }
  }
  return count > 1 ? target : only;
}

// Cross-entropy of one row against its target, and `factor` times its derivative by scores / temperature.
double row_loss(const float* scores, const float* target, int64_t count, float inverse_temperature, double factor, float* terms,
                float* gradient) {
  const Kernels& kernel = kernels();
  double sums[3];  // of exp(t), target * t and target, for t = (score - largest) / temperature
  const float largest = kernel.row_max(scores, count);
  kernel.softmax_cross(scores, target, largest, inverse_temperature, terms, sums, count);
  if (gradient) kernel.combine_rows(terms, float(factor * sums[2] / sums[0]), target, float(-factor), gradient, count);
  return sums[2] * std::log(sums[0]) - sums[1];
}

}  // namespace

void check(const SwappedLoss& shape) {
  SWAV_REQUIRE(shape.crops >= 2, "crops are %lld; swapped prediction needs at least 2", (long long)shape.crops);
  SWAV_REQUIRE(shape.batch >= 1, "batch is %lld; at least 1 is needed", (long long)shape.batch);
  SWAV_REQUIRE(shape.prototypes >= 1, "prototypes are %lld; at least 1 is needed", (long long)shape.prototypes);
  SWAV_REQUIRE(shape.temperature >= float(SWAV_MIN_TEMPERATURE) && shape.temperature <= float(SWAV_MAX_TEMPERATURE),
               "temperature is %g; %g to %g is allowed", double(shape.temperature), SWAV_MIN_TEMPERATURE, SWAV_MAX_TEMPERATURE);
  SWAV_REQUIRE(shape.assign_count >= 1, "assignment crops are %d; at least 1 is needed", shape.assign_count);
  for (int32_t a = 0; a < shape.assign_count; ++a) {
    SWAV_REQUIRE(shape.assign[a] >= 0 && shape.assign[a] < shape.crops, "assignment crop %d is %d; 0 to %lld is allowed", a,
                 shape.assign[a], (long long)shape.crops - 1);
    for (int32_t other = 0; other < a; ++other) {
      SWAV_REQUIRE(shape.assign[a] != shape.assign[other], "assignment crop %d is given twice", shape.assign[a]);
    }
  }
}

int64_t swapped_loss_workspace(const SwappedLoss& shape) { return few_pieces(shape.batch).count * piece_floats(shape); }

double swapped_loss(const SwappedLoss& shape, const float* scores, const float* codes, float* workspace, float* gradient) {
  const int64_t k_count = shape.prototypes;
  const double average = shape.scale / (double(shape.assign_count) * double(shape.crops - 1) * double(shape.batch));
  const double factor = average / double(shape.temperature);
  const float inverse_temperature = float(1 / double(shape.temperature));
  // Pieces are images, with all their crops, so that a code comes from memory once.
  const Pieces pieces = few_pieces(shape.batch);
  double* losses = reinterpret_cast<double*>(workspace);
  float* rows = workspace + 2 * pieces.count;
  parallel::for_each(pieces.count, [&](int64_t piece, int) {
    float *target = rows + piece * 2 * k_count, *terms = target + k_count;
    double loss = 0;
    for (int64_t b = pieces.begin(piece); b < pieces.end(piece); ++b) {
      for (int64_t v = 0; v < shape.crops; ++v) {
        const int64_t offset = (v * shape.batch + b) * k_count;
        const float* q = target_row(shape, codes, v, b, target);
        float* row_gradient = gradient ? gradient + offset : nullptr;
        if (q) {
          loss += row_loss(scores + offset, q, k_count, inverse_temperature, factor, terms, row_gradient);
        } else if (row_gradient) {
          std::fill(row_gradient, row_gradient + k_count, 0.0f);
        }
      }
    }
    losses[piece] = loss;
  });
  double loss = 0;
  for (int64_t piece = 0; piece < pieces.count; ++piece) loss += losses[piece];
  return loss * average;
}

}  // namespace swav
