// One training step (paper algorithm 1), and all state that it carries from step to step.
//
// The step in order: forward by resolution, head over all crops, objective (codes and loss), backward in reverse, sum over the
// parts and ranks, update, running statistics. Parts of the batch go through it side by side, as ranks do (comm/parts.h). With
// micro-batches: forward of each, which leaves embeddings and scores; the objective over all of them; of each its backward,
// after its forward again where its activations were not kept. plan.h has the memory, objective.h what is learned.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "comm/gradual_sum.h"
#include "comm/parts.h"
#include "io/safetensors.h"
#include "network/network.h"
#include "network/weights_metadata.h"
#include "training/plan.h"

namespace swav {

class TensorFile;

// What a part of the batch has of its own.
struct TrainerPart {
  std::unique_ptr<Objective> objective;
  Communicator* norm_group;  // whose batch-norm statistics are the part's
  std::unique_ptr<TrainingPlan> plan = nullptr;
  swav_step_report report = {};
  // In the present step: where values stopped being finite in a micro-batch, whose activations are not kept. Empty: nowhere.
  std::string broken = {};
};

class Trainer {
 public:
  // Throws SWAV_ERROR_ARGUMENT naming the setting that is out of range, SWAV_ERROR_MEMORY when the plan does not fit. The
  // groups outlive the trainer; every rank has an equal network, equal settings and as many images. Batch-norm statistics are
  // those of `norm_group`: the group, a part of it that this rank is in, or group_of_one().
  Trainer(Network& network, const TrainerSettings& settings, std::unique_ptr<Objective> objective,
          Communicator& group = group_of_one());
  Trainer(Network& network, const TrainerSettings& settings, std::unique_ptr<Objective> objective, Communicator& group,
          Communicator& norm_group);
  // The same for several parts: an objective and a group of statistics for each of `parts`, which outlive the trainer.
  Trainer(Network& network, const TrainerSettings& settings, std::vector<TrainerPart> own, Parts& parts);
  ~Trainer();

  // The report is filled as far as the step comes. A step that throws leaves all state as it was. Collective.
  void step(const swav_step_input& input, swav_step_report& report);
  swav_memory_plan memory() const { return bytes_of_parts(plan(), parts_->count()); }
  // Of the last step, with the parameters' offsets; NULL before the first one.
  const float* gradients() const { return has_gradients_ ? plan().gradients : nullptr; }
  // Backbone features of the first crop of this process' images in the last step, [feature_count()]: with micro-batches those
  // of the first one. Throws SWAV_ERROR_ARGUMENT before the first step.
  void read_features(float* values) const;
  int64_t feature_count() const {
    const int64_t images = settings_.micro_batches() > 1 ? settings_.images_at_once() : settings_.images();
    return images * network_.description().feature_dim;
  }

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
  void make_plans();
  void bind_optimizer();
  void copy_prototypes(bool back);
  // The first part's, with what there is once: state of the optimiser, and the sum of the gradients.
  TrainingPlan& plan() { return *own_[0].plan; }
  const TrainingPlan& plan() const { return *own_[0].plan; }
  Communicator& processes() const { return parts_->processes(); }
  // The gradients' sum during the backward pass. Several parts are summed when all have come through it.
  GradualSum* gradual() const { return parts_->count() == 1 ? processes().gradual() : nullptr; }
  // micro_batch.cpp: a part of the batch on its way through the network, whole or in micro-batches.
  const float* input_of(int part, const TrainingPass& pass, const swav_step_input& input, int64_t micro_batch) const;
  void forward(int part, const swav_step_input& input, int64_t micro_batch);
  void collect_output(TrainingPlan& plan, int64_t micro_batch);
  void hand_out_gradients(const TrainerPart& own, int64_t micro_batch);
  // `sum`: of the gradients, where they are whole after this, and travel as they become so; else NULL.
  void backward(const TrainerPart& own, GradualSum* sum);
  void backward_and_send(const TrainerPart& own, GradualSum& sum);
  void forward_all(int part, const swav_step_input& input);
  void backward_all(int part, const swav_step_input& input);
  void compute_part(int part, const swav_step_input& input);
  void add_gradients();
  void compute_gradients(const swav_step_input& input, swav_step_report& report);
  void collect_reports(swav_step_report& report) const;
  void update(const swav_step_input& input);
  // Throws on every rank of the group where `finite` is false on one. `where` it is not; empty: that is looked for.
  enum class Pass { forward, backward };
  void require_finite(Communicator& group, bool finite, const char* what, Pass pass, std::string where = {});
  std::string first_not_finite(Pass pass) const;
  // The first batch-norm that had statistics of this step's batch that are not finite; empty where none had.
  std::string norm_not_finite() const;
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
  // An array of the objective's state, of each part.
  std::vector<StateArray> state_of_parts(size_t array) const;
  std::vector<std::vector<float>> gather_state() const;
  void reset_times();

  Network& network_;
  TrainerSettings settings_;
  std::unique_ptr<Parts> single_;  // of a trainer that was given none
  Parts* parts_;
  std::vector<TrainerPart> own_;
  std::unique_ptr<Optimizer> optimizer_;
  bool has_gradients_ = false;
  int64_t head_offset_ = 0;  // of its first parameter; all behind it are the head's
  swav_step_times times_{};  // of the last step, beside those of the backbone
  swav_step_report last_{};  // of the last step that came to its end
  bool stepped_ = false;
};

}  // namespace swav
