// What a training step works with on one part of the batch, planned before the first one: the crops' passes through the
// backbone, the head, gradients, optimiser state, the objective's arrays and everything between them, in one arena.
#pragma once

#include <optional>
#include <vector>

#include "network/backbone.h"
#include "network/head.h"
#include "objective/objective.h"
#include "optim/optimizer.h"

namespace swav {

struct CropGroup {
  int32_t count = 0, size = 0;  // crops of an image; pixels a side
};

struct TrainerSettings {
  std::vector<CropGroup> groups;  // adjacent ones of equal size are one pass
  int32_t batch = 0;              // images of a part
  int32_t parts = 1;              // of the batch, one after the other in the arrays of crops, that this process computes
  int32_t all_parts = 1;          // of all processes
  int32_t norm_parts = 1;         // that share batch-norm statistics, of the smallest group of those that do
  OptimizerConfig optimizer{};
  bool direct = false;                 // no Winograd
  int32_t micro_batch = 0;             // images that pass the network at a time; 0: all
  Storage storage = Storage::float32;  // of activations and their gradients in the backbone

  int64_t crops() const;
  // Of this process.
  int64_t images() const { return int64_t(batch) * parts; }
  // Micro-batches of a step, and images of one.
  int64_t micro_batches() const { return micro_batch > 0 ? batch / micro_batch : 1; }
  int64_t images_at_once() const { return batch / micro_batches(); }
};

// Throws SWAV_ERROR_ARGUMENT naming the setting that is out of range.
void check(const TrainerSettings& settings);

// Crops of one size of a micro-batch, on their way through the backbone together.
struct TrainingPass {
  Backbone backbone;
  int64_t first_row;           // of features
  std::vector<size_t> groups;  // of the settings, that it joins
  float* joined = nullptr;     // their crops, where it joins more than one or does not take all images
  PassBuffers buffers = {};
};

class TrainingPlan {
 public:
  // One part has the optimiser's state for all.
  enum class Update { here, elsewhere };

  // Counts; the objective's arrays as well. Throws SWAV_ERROR_ARGUMENT naming the setting that does not suit the network.
  TrainingPlan(const Description& description, const Parameters& parameters, const TrainerSettings& settings,
               Objective& objective, Update update = Update::here);

  // Takes the memory and binds passes and head to the parameters, which stay where they are. Throws SWAV_ERROR_MEMORY.
  void allocate(Parameters& parameters, Objective& objective);

  const swav_memory_plan& bytes() const { return bytes_; }
  int64_t rows() const { return shape_.rows(); }
  // Of a micro-batch.
  int64_t rows_at_once() const { return head->rows(); }
  const ObjectiveShape& shape() const { return shape_; }
  const ScratchSize& scratch() const { return workspace_size_.scratch; }

  std::vector<TrainingPass> passes;
  std::optional<Head> head;
  Workspace workspace;
  HeadOutput output;            // of the head for the whole batch, for the objective
  float* embeddings = nullptr;  // output's, to be filled, where there are several micro-batches; else the head fills its own
  // Laid out as the parameters. state2 is NULL where the update rule keeps one number of each, both are NULL where others make
  // the update.
  float *gradients = nullptr, *state1 = nullptr, *state2 = nullptr;
  float *features = nullptr, *d_features = nullptr;  // [rows_at_once][feature_dim]
  float* prototypes_before = nullptr;                // a copy from the start of the step, all sets

 private:
  void take(Arena& arena, Objective& objective);
  void take_buffers(Arena& arena);
  void take_output(Arena& arena);

  ObjectiveShape shape_;
  int64_t micro_batches_;
  bool takes_all_;  // images of the process, at once
  // Where there are several micro-batches: the rest of output's arrays.
  float* d_embeddings_ = nullptr;
  std::vector<float*> scores_;
  int64_t feature_dim_, parameter_floats_, prototype_floats_ = 0;
  int states_;
  WorkspaceSize workspace_size_;  // with the scratch of the workers
  swav_memory_plan bytes_{};
  Arena arena_;
};

// Bytes of all parts, of which the first has `plan`.
swav_memory_plan bytes_of_parts(const TrainingPlan& plan, int parts);

// Throws SWAV_ERROR_MEMORY where the parts, of which `plan` is the first one's and was not allocated yet, do not fit into the
// memory that this process may take, and names the largest batch that does. The objective is planned anew afterwards.
void require_memory_for(const TrainingPlan& plan, const Description& description, const Parameters& parameters,
                        const TrainerSettings& settings, Objective& objective);

}  // namespace swav
