// One training step (paper algorithm 1), and all state that it carries from step to step.
//
// The step in order: prototypes to unit norm, forward by resolution, head over all crops, codes of the assignment crops (with
// the queue), swapped loss, backward in reverse, update, running statistics, queue.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "network/network.h"
#include "objective/queue.h"
#include "optim/optimizer.h"

namespace swav {

class Trainer {
 public:
  // Throws SWAV_ERROR_ARGUMENT naming the setting that is out of range, SWAV_ERROR_MEMORY when the plan does not fit.
  Trainer(Network& network, const swav_trainer_config& config);
  ~Trainer();

  // The report is filled as far as the step comes. A step that throws leaves all state as it was.
  void step(const swav_step_input& input, swav_step_report& report);
  const swav_memory_plan& memory() const { return plan_; }

  // Where the time of the last step went: -- profile.cpp --
  swav_step_times step_times() const;
  swav_layer_times layer_times(int32_t index) const;

  // -- checkpoint.cpp --
  void save(const std::string& path, const std::string& note) const;
  void load(const std::string& path);

 private:
  // Crops of one size, on their way through the backbone together.
  struct Pass {
    Backbone backbone;
    int64_t first_row;            // of features
    std::vector<int32_t> groups;  // of the configuration that it joins
    float* joined = nullptr;      // their crops, where it joins more than one
    PassBuffers buffers = {};
  };

  void plan();
  void take_buffers();
  void bind_optimizer();
  const float* input_of(const Pass& pass, const swav_step_input& input) const;
  void forward(const swav_step_input& input, swav_step_report& report);
  void objective(const swav_step_input& input, swav_step_report& report);
  void codes_of(int32_t head, int32_t assigned, bool with_queue, swav_step_report& report);
  void backward();
  void compute_gradients(const swav_step_input& input, swav_step_report& report);
  void update(const swav_step_input& input);
  [[noreturn]] void fail_not_finite(const char* what) const;
  std::string settings_text() const;
  void reset_times();

  Network& network_;
  swav_trainer_config config_;
  Communicator& group_;
  int64_t crops_ = 0;
  std::vector<Pass> passes_;
  std::optional<Head> head_;
  std::optional<EmbeddingQueue> queue_;
  std::optional<Optimizer> optimizer_;

  Arena arena_;
  Workspace workspace_;
  float *gradients_ = nullptr, *state1_ = nullptr, *state2_ = nullptr;
  float *features_ = nullptr, *d_features_ = nullptr;
  float *codes_ = nullptr, *queue_scores_ = nullptr, *objective_workspace_ = nullptr;
  float* prototypes_before_ = nullptr;  // a copy from the start of the step
  int64_t prototypes_offset_ = 0;       // of all prototypes in the parameters' array
  swav_memory_plan plan_{};
  swav_step_times times_{};  // of the last step, beside those of the backbone
};

}  // namespace swav
