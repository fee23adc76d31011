#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/parallel.h"
#include "base/status.h"
#include "base/stopwatch.h"
#include "training/trainer.h"

namespace swav {

Trainer::Trainer(Network& network, const TrainerSettings& settings, std::unique_ptr<Objective> objective, Communicator& group)
    : Trainer(network, settings, std::move(objective), group, group) {}

Trainer::Trainer(Network& network, const TrainerSettings& settings, std::unique_ptr<Objective> objective, Communicator& group,
                 Communicator& norm_group)
    : network_(network),
      settings_(settings),
      group_(group),
      norm_group_(norm_group),
      objective_(std::move(objective)),
      plan_(network.description(), network.parameters(), settings, *objective_) {
  require_memory_for(plan_, network.description(), network.parameters(), settings_, *objective_);
  plan_.allocate(network.parameters(), *objective_);
  bind_optimizer();
}

Trainer::~Trainer() = default;

void Trainer::bind_optimizer() {
  std::vector<ParameterView> views;
  for (const TensorEntry& entry : network_.parameters().entries()) {
    if (entry.kind != SWAV_TENSOR_PARAMETER) continue;
    views.push_back({network_.parameters().values() + entry.offset, plan_.gradients + entry.offset, plan_.state1 + entry.offset,
                     plan_.state2 ? plan_.state2 + entry.offset : nullptr, entry.count, 0, false});
  }
  optimizer_ = std::make_unique<Optimizer>(settings_.optimizer, std::move(views));
}

// The objective may change prototypes before the forward; a step that fails puts them back.
void Trainer::copy_prototypes(bool back) {
  float* copy = plan_.prototypes_before;
  for (size_t set = 0; set < plan_.output.sets.size(); ++set) {
    float* prototypes = plan_.output.sets[set].prototypes;
    const int64_t count = plan_.shape().prototypes[set] * plan_.shape().dim;
    std::memcpy(back ? prototypes : copy, back ? copy : prototypes, size_t(count) * sizeof(float));
    copy += count;
  }
}

void Trainer::require_finite(bool finite, const char* what, Pass pass) {
  float broken = finite ? 0.0f : 1.0f;
  group_.max(&broken, 1);
  if (broken == 0) return;
  fail(SWAV_ERROR_NUMERIC,
       "%s is not finite; the first value that is not is in %s. A lower learning rate or a longer warm-up may help", what,
       first_not_finite(pass).c_str());
}

void Trainer::compute_gradients(const swav_step_input& input, swav_step_report& report) {
  forward_all(input, report);
  const float* embeddings = plan_.output.embeddings;
  require_finite(
      std::all_of(embeddings, embeddings + plan_.rows() * plan_.shape().dim, [](float x) { return std::isfinite(x); }),
      "an embedding", Pass::forward);
  {
    const Stopwatch watch(report.objective_seconds);
    objective_->evaluate(plan_.output, input, group_, report);
  }
  require_finite(std::isfinite(report.loss), "the loss", Pass::forward);
  backward_all(input, report);
  size_t index = 0;
  for (const TensorEntry& entry : network_.parameters().entries()) {
    if (entry.kind != SWAV_TENSOR_PARAMETER) continue;
    optimizer_->parameters()[index++].frozen = input.freeze_prototypes && entry.role == Role::prototypes;
  }
  const Optimizer::Measure measure = optimizer_->measure();
  report.gradient_norm = measure.gradient_norm;
  require_finite(measure.not_finite < 0 && std::isfinite(measure.gradient_norm), "a gradient", Pass::backward);
}

void Trainer::update(const swav_step_input& input) {
  optimizer_->update(input.learning_rate);
  for (TrainingPass& pass : plan_.passes) pass.backbone.update_buffers();
  plan_.head->update_buffers();
  objective_->finish(plan_.output, input);
}

void Trainer::check_input(const swav_step_input& input) const {
  SWAV_REQUIRE(input.crops != nullptr, "step: crops is NULL");
  for (size_t g = 0; g < settings_.groups.size(); ++g) SWAV_REQUIRE(input.crops[g] != nullptr, "step: crops[%zu] is NULL", g);
  SWAV_REQUIRE(std::isfinite(input.learning_rate) && input.learning_rate >= 0,
               "learning_rate is %g; a number from 0 up is allowed", input.learning_rate);
}

void Trainer::step(const swav_step_input& input, swav_step_report& report) {
  check_input(input);
  report = {};
  reset_times();
  has_gradients_ = true;
  network_.parameters().touch();
  copy_prototypes(false);
  const Stopwatch watch(times_.step);
  try {
    compute_gradients(input, report);
  } catch (...) {
    copy_prototypes(true);
    throw;
  }
  times_.objective = report.objective_seconds;
  {
    const Stopwatch update_watch(report.update_seconds);
    const parallel::Uninterrupted whole;
    if (input.update) update(input);
  }
  times_.update = report.update_seconds;
  last_ = report;
  stepped_ = true;
}

}  // namespace swav
