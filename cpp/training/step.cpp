#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/parallel.h"
#include "base/scratch.h"
#include "base/status.h"
#include "base/stopwatch.h"
#include "training/trainer.h"

namespace swav {

Trainer::Trainer(Network& network, const TrainerSettings& settings, std::unique_ptr<Objective> objective, Communicator& group)
    : Trainer(network, settings, std::move(objective), group, group) {}

Trainer::Trainer(Network& network, const TrainerSettings& settings, std::unique_ptr<Objective> objective, Communicator& group,
                 Communicator& norm_group)
    : network_(network), settings_(settings), single_(std::make_unique<Parts>(group, 1)), parts_(single_.get()) {
  settings_.norm_parts = norm_group.size();
  own_.push_back({std::move(objective), &norm_group});
  make_plans();
}

Trainer::Trainer(Network& network, const TrainerSettings& settings, std::vector<TrainerPart> own, Parts& parts)
    : network_(network), settings_(settings), parts_(&parts), own_(std::move(own)) {
  settings_.parts = parts.count();
  make_plans();
}

void Trainer::make_plans() {
  settings_.all_parts = parts_->total();
  Parameters& parameters = network_.parameters();
  for (TrainerPart& part : own_) {
    const auto update = &part == &own_[0] ? TrainingPlan::Update::here : TrainingPlan::Update::elsewhere;
    part.plan = std::make_unique<TrainingPlan>(network_.description(), parameters, settings_, *part.objective, update);
    for (const TrainingPass& pass : part.plan->passes) {
      SWAV_REQUIRE(pass.backbone.images() * pass.backbone.last_pixels() * settings_.norm_parts >= 2,
                   "crops of %d pixels are one pixel of one image in the last stage, which has no batch statistics",
                   settings_.groups[pass.groups[0]].size);
    }
  }
  require_memory_for(plan(), network_.description(), parameters, settings_, *own_[0].objective);
  for (TrainerPart& part : own_) part.plan->allocate(parameters, *part.objective);
  head_offset_ = parameters.size();
  for (const TensorEntry& entry : parameters.entries()) {
    if (entry.kind == SWAV_TENSOR_PARAMETER && entry.part == Part::head) head_offset_ = std::min(head_offset_, entry.offset);
  }
  bind_optimizer();
}

Trainer::~Trainer() = default;

void Trainer::bind_optimizer() {
  std::vector<ParameterView> views;
  for (const TensorEntry& entry : network_.parameters().entries()) {
    if (entry.kind != SWAV_TENSOR_PARAMETER) continue;
    views.push_back({network_.parameters().values() + entry.offset, plan().gradients + entry.offset,
                     plan().state1 + entry.offset, plan().state2 ? plan().state2 + entry.offset : nullptr, entry.count, 0,
                     false});
  }
  optimizer_ = std::make_unique<Optimizer>(settings_.optimizer, std::move(views));
}

// The objective may change prototypes before the forward; a step that fails puts them back.
void Trainer::copy_prototypes(bool back) {
  const TrainingPlan& plan = this->plan();
  float* copy = plan.prototypes_before;
  for (size_t set = 0; set < plan.output.sets.size(); ++set) {
    float* prototypes = plan.output.sets[set].prototypes;
    const int64_t count = plan.shape().prototypes[set] * plan.shape().dim;
    std::memcpy(back ? prototypes : copy, back ? copy : prototypes, size_t(count) * sizeof(float));
    copy += count;
  }
}

void Trainer::require_finite(Communicator& group, bool finite, const char* what, Pass pass, std::string where) {
  float broken = finite ? 0.0f : 1.0f;
  group.max(&broken, 1);
  if (broken == 0) return;
  for (const TrainerPart& part : own_) {
    if (where.empty()) where = part.broken;
  }
  if (where.empty()) where = first_not_finite(pass);
  fail(SWAV_ERROR_NUMERIC,
       "%s is not finite; the first value that is not is in %s. A lower learning rate or a longer warm-up may help", what,
       where.c_str());
}

void Trainer::compute_part(int part, const swav_step_input& input) {
  TrainerPart& own = own_[size_t(part)];
  Communicator& group = parts_->member(part);
  forward_all(part, input);
  const float* embeddings = own.plan->output.embeddings;
  const int64_t count = own.plan->rows() * own.plan->shape().dim;
  require_finite(group, std::all_of(embeddings, embeddings + count, [](float x) { return std::isfinite(x); }), "an embedding",
                 Pass::forward);
  {
    const Stopwatch watch(own.report.objective_seconds);
    own.objective->evaluate(own.plan->output, input, group, own.report);
  }
  require_finite(group, std::isfinite(own.report.loss), "the loss", Pass::forward);
  backward_all(part, input);
}

// The parts' figures are those of the whole batch, but for the time that each took.
void Trainer::collect_reports(swav_step_report& report) const {
  const swav_step_report before = report;
  report = own_[0].report;
  report.forward_seconds += before.forward_seconds;
  report.backward_seconds += before.backward_seconds;
  for (size_t part = 1; part < own_.size(); ++part) {
    report.forward_seconds += own_[part].report.forward_seconds;
    report.objective_seconds += own_[part].report.objective_seconds;
    report.backward_seconds += own_[part].report.backward_seconds;
  }
}

void Trainer::add_gradients() {
  if (GradualSum* const sum = gradual()) {
    const parallel::Uninterrupted whole;
    return processes().sum(plan().gradients, sum->finish());
  }
  const auto gradients = [&](int part) { return own_[size_t(part)].plan->gradients; };
  processes().sum_parts(FunctionRef<float*(int)>(gradients), parts_->count(), network_.parameters().size());
}

void Trainer::compute_gradients(const swav_step_input& input, swav_step_report& report) {
  for (TrainerPart& part : own_) part.report = {}, part.broken.clear();
  {
    const Stopwatch watch(report.forward_seconds);
    own_[0].objective->prepare(plan().output);
  }
  // There since the plan was made; a child process has a thread of its own for it. Parts take turns in it: it must not grow
  // under one that waits.
  const TeamScratch reserved(plan().scratch());
  try {
    parts_->run([&](int part) { compute_part(part, input); });
  } catch (...) {
    collect_reports(report);
    throw;
  }
  {
    const Stopwatch watch(report.backward_seconds);
    add_gradients();
  }
  collect_reports(report);
  size_t index = 0;
  for (const TensorEntry& entry : network_.parameters().entries()) {
    if (entry.kind != SWAV_TENSOR_PARAMETER) continue;
    optimizer_->parameters()[index++].frozen = input.freeze_prototypes && entry.role == Role::prototypes;
  }
  const Optimizer::Measure measure = optimizer_->measure();
  report.gradient_norm = measure.gradient_norm;
  if (measure.not_finite >= 0 || !std::isfinite(measure.gradient_norm))
    return require_finite(processes(), false, "a gradient", Pass::backward);
  // Pixels of 1e20 have a variance that no float says; what is divided by it is finite.
  const std::string norm = norm_not_finite();
  const std::string where = norm.empty() ? "another process" : "the mean or variance of the batch before " + norm;
  require_finite(processes(), norm.empty(), norm.empty() ? "a gradient or a statistic" : "a statistic", Pass::backward, where);
}

// Weights are the parts' in common, and so are running statistics: those of this process' first part. A checkpoint has rank
// 0's.
void Trainer::update(const swav_step_input& input) {
  optimizer_->update(input.learning_rate);
  for (TrainingPass& pass : plan().passes) pass.backbone.update_buffers();
  plan().head->update_buffers();
  for (TrainerPart& part : own_) part.objective->finish(part.plan->output, input);
}

void Trainer::check_input(const swav_step_input& input) const {
  SWAV_REQUIRE(input.crops != nullptr, "step: crops is NULL");
  for (size_t g = 0; g < settings_.groups.size(); ++g) SWAV_REQUIRE(input.crops[g] != nullptr, "step: crops[%zu] is NULL", g);
  SWAV_REQUIRE(input.learning_rate >= 0 && input.learning_rate <= most_learning_rate,
               "learning_rate is %g; a number from 0 to %g is allowed", input.learning_rate, most_learning_rate);
}

void Trainer::step(const swav_step_input& input, swav_step_report& report) {
  check_input(input);
  report = {};
  reset_times();
  has_gradients_ = true;
  stepped_ = false;
  const uint64_t version = network_.parameters().version();
  network_.parameters().touch();
  copy_prototypes(false);
  const Stopwatch watch(times_.step);
  try {
    compute_gradients(input, report);
  } catch (...) {
    copy_prototypes(true);
    network_.parameters().restore_version(version);
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
