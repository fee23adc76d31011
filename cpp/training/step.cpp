#include "training/trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/parallel.h"
#include "base/status.h"
#include "base/stopwatch.h"
#include "objective/codes.h"
#include "objective/health.h"
#include "objective/swapped_loss.h"

namespace swav {
namespace {

int64_t crop_count(const swav_trainer_config& c) {
  int64_t crops = 0;
  for (int32_t g = 0; g < c.group_count; ++g) crops += c.crop_counts[g];
  return crops;
}

void check(const swav_trainer_config& c, const swav_network_config& network) {
  SWAV_REQUIRE(network.head_count >= 1, "the network has no prototypes; training needs at least one set");
  SWAV_REQUIRE(c.group_count >= 1 && c.group_count <= SWAV_MAX_GROUPS, "group_count is %d; 1 to %d is allowed", c.group_count,
               SWAV_MAX_GROUPS);
  for (int32_t g = 0; g < c.group_count; ++g) {
    SWAV_REQUIRE(c.crop_counts[g] >= 1 && c.crop_counts[g] <= 64, "crop_counts[%d] is %d; 1 to 64 is allowed", g,
                 c.crop_counts[g]);
  }
  const int64_t crops = crop_count(c);
  SWAV_REQUIRE(crops >= 2, "there is 1 crop; swapped prediction needs at least 2");
  SWAV_REQUIRE(c.batch >= 1 && c.batch <= 1 << 16, "batch is %d; 1 to 65536 is allowed", c.batch);
  SWAV_REQUIRE(crops * c.batch >= 2, "one row has no batch statistics");
  SWAV_REQUIRE(c.queue_length >= 0 && c.queue_length <= 1 << 24, "queue_length is %d; 0 to 16777216 is allowed",
               c.queue_length);
}

SwappedLoss loss_shape(const swav_trainer_config& c, int64_t prototypes, int32_t heads) {
  return {crop_count(c), c.batch, prototypes, c.assign, c.assign_count, c.temperature, 1.0 / heads};
}

}  // namespace

Trainer::Trainer(Network& network, const swav_trainer_config& config)
    : network_(network), config_(config), group_(group_of_one()) {
  check(config, network.config());
  const OptimizerConfig rule{config.optimizer, config.momentum,     config.trust,       config.beta1,
                             config.beta2,     config.adam_epsilon, config.weight_decay};
  swav::check(rule);
  swav::check(config.codes);
  const int32_t heads = network.config().head_count;
  for (int32_t h = 0; h < heads; ++h) swav::check(loss_shape(config_, network.config().prototypes[h], heads));
  crops_ = crop_count(config);

  int64_t row = 0;
  for (int32_t g = 0; g < config.group_count;) {
    std::vector<int32_t> groups;
    int64_t images = 0;
    const int32_t size = config.crop_sizes[g];
    for (; g < config.group_count && config.crop_sizes[g] == size; ++g) {
      groups.push_back(g);
      images += int64_t(config.crop_counts[g]) * config.batch;
    }
    passes_.push_back({Backbone(network.description(), images, size, size, Backbone::Purpose::training, config.direct), row,
                       std::move(groups)});
    row += images;
  }
  queue_.emplace(config.assign_count, config.queue_length, config.batch, network.config().dim);
  head_.emplace(network.description(), row, Head::Purpose::training, queue_->length());
  plan();
  bind_optimizer();
}

Trainer::~Trainer() {
  if (network_.gradients == gradients_) network_.gradients = nullptr;
}

void Trainer::plan() {
  const swav_network_config& c = network_.config();
  WorkspaceSize size;
  for (const Pass& pass : passes_) pass.backbone.include(size);
  head_->include(size);
  const int64_t batch = config_.batch, rows = head_->rows(), queue = queue_->length(),
                parameters = network_.parameters().size();
  const int64_t most = *std::max_element(c.prototypes, c.prototypes + c.head_count);
  prototypes_offset_ = network_.parameters().with_role(Role::prototypes)[0]->offset;  // they are the last tensors
  int64_t objective = std::max(codes_workspace(queue + batch, most), health_workspace(batch, most));
  objective = std::max(objective, swapped_loss_workspace(loss_shape(config_, most, c.head_count)));

  arena_.lay_out([&] {
    int64_t before = arena_.used();
    auto taken = [&](int64_t& bytes) {
      bytes = arena_.used() - before;
      before = arena_.used();
    };
    gradients_ = arena_.take<float>(parameters);
    taken(plan_.gradients);
    state1_ = arena_.take<float>(parameters);
    state2_ = Optimizer::states(config_.optimizer) == 2 ? arena_.take<float>(parameters) : nullptr;
    taken(plan_.optimizer);
    for (Pass& pass : passes_) {
      if (pass.groups.size() > 1) pass.joined = arena_.take<float>(pass.backbone.input_count());
      pass.backbone.take(arena_);
    }
    features_ = arena_.take<float>(rows * network_.description().feature_dim);
    d_features_ = arena_.take<float>(rows * network_.description().feature_dim);
    head_->take(arena_);
    taken(plan_.activations);
    workspace_ = size.take(arena_);
    take_buffers();
    codes_ = arena_.take<float>(config_.assign_count * batch * most);
    queue_scores_ = queue > 0 ? arena_.take<float>((queue + batch) * most) : nullptr;
    objective_workspace_ = arena_.take<float>(objective);
    prototypes_before_ = arena_.take<float>(parameters - prototypes_offset_);
    taken(plan_.workspace);
  });
  plan_.parameters = parameters * int64_t(sizeof(float));
  plan_.queue = queue_->bytes();
  plan_.total = plan_.parameters + plan_.gradients + plan_.optimizer + plan_.activations + plan_.workspace + plan_.queue;
  for (Pass& pass : passes_) pass.backbone.bind(network_.parameters(), gradients_);
  head_->bind(network_.parameters(), gradients_);
}

// Passes run forward in order and backward in reverse order, so the first one runs while the activations of the second are not
// there yet, or no longer: its buffers, as a rule the largest, lie there where they fit. The other passes share theirs.
void Trainer::take_buffers() {
  PassBufferSize shared;
  bool guest = false;
  if (passes_.size() > 1 && !Arena::poisons_gaps) {
    const Backbone& host = passes_[1].backbone;
    Arena count, place(host.activations(), host.activation_bytes());
    passes_[0].backbone.buffer_size().take(count);
    guest = count.used() <= host.activation_bytes();
    if (guest) passes_[0].buffers = passes_[0].backbone.buffer_size().take(place);
  }
  for (size_t i = guest ? 1 : 0; i < passes_.size(); ++i) shared.include(passes_[i].backbone.buffer_size());
  const PassBuffers buffers = shared.take(arena_);
  for (size_t i = guest ? 1 : 0; i < passes_.size(); ++i) passes_[i].buffers = buffers;
}

void Trainer::bind_optimizer() {
  std::vector<ParameterView> views;
  for (const TensorEntry& entry : network_.parameters().entries()) {
    if (entry.kind != SWAV_TENSOR_PARAMETER) continue;
    views.push_back({network_.parameters().values() + entry.offset, gradients_ + entry.offset, state1_ + entry.offset,
                     state2_ ? state2_ + entry.offset : nullptr, entry.count, 0, false});
  }
  optimizer_.emplace(OptimizerConfig{config_.optimizer, config_.momentum, config_.trust, config_.beta1, config_.beta2,
                                     config_.adam_epsilon, config_.weight_decay},
                     std::move(views));
}

const float* Trainer::input_of(const Pass& pass, const swav_step_input& input) const {
  if (pass.groups.size() == 1) return input.crops[pass.groups[0]];
  float* to = pass.joined;
  const int64_t crop = pass.backbone.input_count() / pass.backbone.images();
  for (int32_t g : pass.groups) {
    const int64_t count = int64_t(config_.crop_counts[g]) * config_.batch * crop;
    std::memcpy(to, input.crops[g], size_t(count) * sizeof(float));
    to += count;
  }
  return pass.joined;
}

void Trainer::fail_not_finite(const char* what) const {
  std::string where;
  auto visit = [&](const std::string& name, const float* values, int64_t count) {
    if (!where.empty()) return;
    for (int64_t i = 0; i < count; ++i) {
      if (!std::isfinite(values[i])) {
        where = name;
        return;
      }
    }
  };
  for (const TensorEntry& entry : network_.parameters().entries()) {
    if (entry.kind == SWAV_TENSOR_PARAMETER) visit(entry.name, network_.parameters().values() + entry.offset, entry.count);
  }
  for (const Pass& pass : passes_) pass.backbone.for_each_activation(visit);
  head_->for_each_activation(visit);
  fail(SWAV_ERROR_NUMERIC,
       "%s is not finite; the first value that is not is in %s. A lower learning rate or a longer warm-up may help", what,
       where.empty() ? "the gradients" : where.c_str());
}

void Trainer::forward(const swav_step_input& input, swav_step_report& report) {
  const Stopwatch watch(report.forward_seconds);
  head_->renormalize_prototypes();
  for (Pass& pass : passes_) {
    const float* crops;
    {
      const Stopwatch data(times_.data);
      crops = input_of(pass, input);
    }
    pass.backbone.forward(crops, Statistics::batch, group_, workspace_, pass.buffers,
                          features_ + pass.first_row * network_.description().feature_dim);
  }
  const Stopwatch head(times_.head);
  head_->forward(features_, Statistics::batch, group_, workspace_);
  head_->forward_scores(workspace_);
}

void Trainer::codes_of(int32_t head, int32_t assigned, bool with_queue, swav_step_report& report) {
  const int64_t batch = config_.batch, k = head_->prototypes(head), queue = with_queue ? queue_->length() : 0;
  const float* scores = head_->scores(head) + config_.assign[assigned] * batch * k;
  const double spread = score_spread(scores, batch, k, group_, objective_workspace_);
  const double epsilon = codes_epsilon(config_.codes, spread);
  float* codes = codes_ + assigned * batch * k;
  if (with_queue) {
    head_->score_queue(head, queue_->embeddings(assigned), workspace_, queue_scores_);
    std::memcpy(queue_scores_ + queue * k, scores, size_t(batch * k) * sizeof(float));
    scores = queue_scores_;
  }
  compute_codes(scores, queue + batch, k, batch, epsilon, config_.codes.iterations, group_, objective_workspace_, codes);
  const double share = 1.0 / (double(config_.assign_count) * network_.config().head_count);
  report.score_spread += share * spread;
  report.epsilon += share * epsilon;
  report.code_entropy += share * code_entropy(codes, batch, k, objective_workspace_);
}

void Trainer::objective(const swav_step_input& input, swav_step_report& report) {
  const Stopwatch watch(report.objective_seconds);
  const int32_t heads = network_.config().head_count;
  report.queue_used = input.use_queue && queue_->full();
  report.similarity = mean_similarity(head_->embeddings(), config_.batch, head_->dim());
  for (int32_t h = 0; h < heads; ++h) {
    const int64_t k = head_->prototypes(h);
    for (int32_t a = 0; a < config_.assign_count; ++a) codes_of(h, a, report.queue_used, report);
    if (h == 0) report.prototypes_used = prototypes_used(codes_, config_.assign_count * config_.batch, k, objective_workspace_);
    float* scores = head_->scores(h);  // become their own gradient
    report.loss += swapped_loss(loss_shape(config_, k, heads), scores, codes_, objective_workspace_, scores);
  }
}

void Trainer::backward() {
  const int64_t parameters = network_.parameters().size();
  constexpr int64_t piece = int64_t{1} << 18;
  parallel::for_each((parameters + piece - 1) / piece, [&](int64_t task, int) {
    const int64_t begin = task * piece;
    std::memset(gradients_ + begin, 0, size_t(std::min(parameters, begin + piece) - begin) * sizeof(float));
  });
  {
    const Stopwatch watch(times_.head);
    head_->backward(features_, group_, workspace_, d_features_);
  }
  for (size_t i = passes_.size(); i-- > 0;) {
    const Pass& pass = passes_[i];
    passes_[i].backbone.backward(d_features_ + pass.first_row * network_.description().feature_dim, group_, workspace_,
                                 pass.buffers);
  }
}

void Trainer::compute_gradients(const swav_step_input& input, swav_step_report& report) {
  forward(input, report);
  for (int64_t i = 0; i < head_->rows() * head_->dim(); ++i) {
    if (!std::isfinite(head_->embeddings()[i])) fail_not_finite("an embedding");
  }
  objective(input, report);
  if (!std::isfinite(report.loss)) fail_not_finite("the loss");

  {
    const Stopwatch watch(report.backward_seconds);
    backward();
  }
  size_t index = 0;
  for (const TensorEntry& entry : network_.parameters().entries()) {
    if (entry.kind != SWAV_TENSOR_PARAMETER) continue;
    optimizer_->parameters()[index++].frozen = input.freeze_prototypes && entry.role == Role::prototypes;
  }
  const Optimizer::Measure measure = optimizer_->measure();
  report.gradient_norm = measure.gradient_norm;
  if (measure.not_finite >= 0 || !std::isfinite(measure.gradient_norm)) fail_not_finite("a gradient");
}

void Trainer::update(const swav_step_input& input) {
  optimizer_->update(input.learning_rate);
  for (Pass& pass : passes_) pass.backbone.update_buffers();
  head_->update_buffers();
  if (!input.use_queue || queue_->length() == 0) return;
  const float* newest[SWAV_MAX_GROUPS];
  for (int32_t a = 0; a < config_.assign_count; ++a) {
    newest[a] = head_->embeddings() + config_.assign[a] * int64_t(config_.batch) * head_->dim();
  }
  queue_->insert(newest);
}

void Trainer::step(const swav_step_input& input, swav_step_report& report) {
  SWAV_REQUIRE(input.crops != nullptr, "step: crops is NULL");
  for (int32_t g = 0; g < config_.group_count; ++g) SWAV_REQUIRE(input.crops[g] != nullptr, "step: crops[%d] is NULL", g);
  SWAV_REQUIRE(std::isfinite(input.learning_rate) && input.learning_rate >= 0,
               "learning_rate is %g; a number from 0 up is allowed", input.learning_rate);
  report = {};
  reset_times();
  network_.gradients = gradients_;
  network_.parameters().touch();
  // The forward renormalises the prototypes in place; a step that fails puts them back.
  float* prototypes = network_.parameters().values() + prototypes_offset_;
  const int64_t count = network_.parameters().size() - prototypes_offset_;
  std::memcpy(prototypes_before_, prototypes, size_t(count) * sizeof(float));
  const Stopwatch watch(times_.step);
  try {
    compute_gradients(input, report);
  } catch (...) {
    std::memcpy(prototypes, prototypes_before_, size_t(count) * sizeof(float));
    throw;
  }
  times_.objective = report.objective_seconds;
  {
    const Stopwatch update_watch(report.update_seconds);
    if (input.update) update(input);
  }
  times_.update = report.update_seconds;
}

}  // namespace swav
