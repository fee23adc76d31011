// One training step (paper algorithm 1), and all state that it carries from step to step.
//
// The step in order: forward by resolution, head over all crops, objective (codes and loss), backward in reverse, sum over the
// ranks, update, running statistics. With micro-batches: forward of each, which leaves embeddings and scores; the objective
// over all of them; of each its backward, after its forward again where its activations were not kept. plan.h has the memory,
// objective.h what is learned.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/safetensors.h"
#include "network/network.h"
#include "network/weights_metadata.h"
#include "training/plan.h"

namespace swav {

class TensorFile;

class Trainer {
 public:
  // Throws SWAV_ERROR_ARGUMENT naming the setting that is out of range, SWAV_ERROR_MEMORY when the plan does not fit. The
  // groups outlive the trainer; every rank has an equal network, equal settings and as many images. Batch-norm statistics are
  // those of `norm_group`: the group, a part of it that this rank is in, or group_of_one().
  Trainer(Network& network, const TrainerSettings& settings, std::unique_ptr<Objective> objective,
          Communicator& group = group_of_one());
  Trainer(Network& network, const TrainerSettings& settings, std::unique_ptr<Objective> objective, Communicator& group,
          Communicator& norm_group);
  ~Trainer();

  // The report is filled as far as the step comes. A step that throws leaves all state as it was. Collective.
  void step(const swav_step_input& input, swav_step_report& report);
  const swav_memory_plan& memory() const { return plan_.bytes(); }
  // Of the last step, with the parameters' offsets; NULL before the first one.
  const float* gradients() const { return has_gradients_ ? plan_.gradients : nullptr; }
  // Backbone features of the first crop in the last step, [images_at_once][feature_dim]: with micro-batches those of the first
  // one. NULL before the first step.
  const float* features() const { return stepped_ ? plan_.features : nullptr; }
  int64_t feature_count() const { return settings_.images_at_once() * network_.description().feature_dim; }

  // -- report.cpp: figures of the last step, and where its time went --
  // Throws SWAV_ERROR_ARGUMENT before the first step. Collective.
  swav_health health();
  // Of parameter number `index`, in the order of the tensors.
  swav_tensor_health tensor_health(int32_t index) const;
  swav_step_times step_times() const;
  swav_layer_times layer_times(int32_t index) const;

  // -- checkpoint.cpp: files are read and written by rank 0, for all. Collective --
  void save(const std::string& path, const std::string& note) const;
  swav_checkpoint_info load(const std::string& path);

  // -- step_file.cpp: one step as a file --
  // A checkpoint with a step's input beside it, whatever the values are.
  void save_step(const std::string& path, const std::string& note, const swav_step_input& input) const;
  // Restores the state of such a file and makes the step.
  void replay(const std::string& path, swav_step_report& report);

 private:
  void bind_optimizer();
  void copy_prototypes(bool back);
  // micro_batch.cpp: parts of the batch on their way through the network.
  const float* input_of(const TrainingPass& pass, const swav_step_input& input, int64_t micro_batch) const;
  void forward(const swav_step_input& input, int64_t micro_batch);
  void collect_output(int64_t micro_batch);
  void hand_out_gradients(int64_t micro_batch);
  void backward();
  void forward_all(const swav_step_input& input, swav_step_report& report);
  void backward_all(const swav_step_input& input, swav_step_report& report);
  void compute_gradients(const swav_step_input& input, swav_step_report& report);
  void update(const swav_step_input& input);
  // Throws on every rank where `finite` is false on one.
  enum class Pass { forward, backward };
  void require_finite(bool finite, const char* what, Pass pass);
  std::string first_not_finite(Pass pass) const;
  void check_input(const swav_step_input& input) const;
  struct State;
  // What values a file may hold; with `any` tensors of a step may be there too.
  enum class Values { finite, any };
  void write(const std::string& path, const std::string& note, const std::vector<StateArray>& objective,
             const std::vector<std::vector<float>>& gathered, const std::vector<TensorSource>& more_tensors,
             const Metadata& more_metadata) const;
  State sized_state() const;
  void read_state(const TensorFile& file, State& state, Values values) const;
  void broadcast(State& state) const;
  swav_checkpoint_info restore(const std::string& path, Values values);
  std::map<std::string, std::string> checkpoint_settings() const;
  void reset_times();

  Network& network_;
  TrainerSettings settings_;
  Communicator &group_, &norm_group_;
  std::unique_ptr<Objective> objective_;
  TrainingPlan plan_;
  std::unique_ptr<Optimizer> optimizer_;
  bool has_gradients_ = false;
  swav_step_times times_{};  // of the last step, beside those of the backbone
  swav_step_report last_{};  // of the last step that came to its end
  bool stepped_ = false;
};

}  // namespace swav
