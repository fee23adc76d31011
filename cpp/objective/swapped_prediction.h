// SwAV's objective (paper algorithm 1): prototypes to unit norm, codes of the assignment crops with the queue, the loss of
// predicting each crop's code from the others. To be read beside the paper; the parts are in codes.h, queue.h, swapped_loss.h.
#pragma once

#include <optional>

#include "objective/objective.h"
#include "objective/queue.h"
#include "objective/swapped_loss.h"
#include "objective/usage.h"
#include "ops/convolution.h"

namespace swav {

struct SwappedPredictionSettings {
  std::vector<int32_t> assign;  // crops whose codes are computed
  swav_codes_config codes;
  float temperature;     // of the predictions
  int64_t queue_length;  // embeddings kept for each assignment crop; rounded down to a multiple of the batch
};

class SwappedPrediction final : public Objective {
 public:
  // Throws SWAV_ERROR_ARGUMENT naming the setting that is out of range.
  explicit SwappedPrediction(const SwappedPredictionSettings& settings);

  void check(const ObjectiveShape& shape) const override;
  void take_state(Arena& arena, const ObjectiveShape& shape) override;
  void take(Arena& arena, const ObjectiveShape& shape) override;
  ScratchSize scratch() const override;
  void prepare(const HeadOutput& output) override;
  void evaluate(const HeadOutput& output, const swav_step_input& input, Communicator& group, swav_step_report& report) override;
  void finish(const HeadOutput& output, const swav_step_input& input) override;
  void health(const HeadOutput& output, Communicator& group, swav_health& health) override;
  std::vector<StateArray> state() override;
  std::vector<Setting> settings() const override;

 private:
  SwappedLoss loss_shape(const ObjectiveShape& shape, size_t set, int ranks) const;
  int64_t workspace_floats(const ObjectiveShape& shape, size_t set) const;
  // Codes of assignment crop number `assigned` over one set of prototypes, and their figures.
  void codes_of(const HeadOutput& output, size_t set, int32_t assigned, Communicator& group, swav_step_report& report);

  int32_t assign_count() const { return int32_t(settings_.assign.size()); }

  SwappedPredictionSettings settings_;
  ObjectiveShape shape_;
  EmbeddingQueue queue_;
  PrototypeUsage usage_;                     // of the first set
  std::vector<Convolution> queue_products_;  // embeddings of the queue by prototypes, for each set
  float* codes_ = nullptr;                   // [assign_count][batch][K] of one set
  float* queue_scores_ = nullptr;            // [queue + batch][K] of one set
  float* workspace_ = nullptr;
};

}  // namespace swav
