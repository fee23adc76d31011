// What a trainer tells about its last step: where the time went, and where a value stopped being finite.
#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "network/finite.h"
#include "objective/health.h"
#include "training/trainer.h"

namespace swav {

// In the order in which the pass computes: what comes later is not finite because of what came before. The backward pass goes
// from the prototypes to the first convolution, and the gradient of a layer's weights is the first that it leaves behind there.
std::string Trainer::first_not_finite(Pass pass) const {
  std::string where;
  auto visit = [&](const std::string& name, ConstValues values, int64_t count) {
    if (where.empty() && !all_finite(values, count)) where = name;
  };
  for (const TensorEntry& entry : network_.parameters().entries()) {
    if (entry.kind == SWAV_TENSOR_PARAMETER) visit(entry.name, network_.parameters().values() + entry.offset, entry.count);
  }
  if (pass == Pass::forward) {
    for (const TrainerPart& part : own_) {
      for (const TrainingPass& pass : part.plan->passes) pass.backbone.for_each_activation(visit);
      part.plan->head->for_each_activation(visit);
    }
    if (!where.empty()) return where;
    return processes().size() > 1 ? "the loss, or in another process" : "the loss";
  }
  // Activations were finite after the forward, and their memory has been used for others since.
  const std::vector<TensorEntry>& entries = network_.parameters().entries();
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    if (entry->kind != SWAV_TENSOR_PARAMETER) continue;
    visit("the gradient of " + entry->name, plan().gradients + entry->offset, entry->count);
  }
  if (!where.empty()) return where;
  return processes().size() > 1 ? "the gradients, or in another process" : "the gradients";
}

std::string Trainer::norm_not_finite() const {
  std::string where;
  const auto visit = [&](const Norm& norm) {
    if (where.empty() && !norm.is_finite()) where = norm.name;
  };
  for (const TrainerPart& part : own_) {
    for (TrainingPass& pass : part.plan->passes) pass.backbone.for_each_norm(visit);
    part.plan->head->for_each_norm(visit);
  }
  return where;
}

swav_health Trainer::health() {
  SWAV_REQUIRE(stepped_, "health is that of the last step, which was not made or failed");
  swav_health health{};
  EmbeddingSpread spread{};
  parts_->run([&](int part) {
    const TrainerPart& own = own_[size_t(part)];
    const TrainingPlan& plan = *own.plan;
    swav_health figures{};
    own.objective->health(plan.output, parts_->member(part), figures);
    const auto found = embedding_spread(plan.output.embeddings, plan.rows(), plan.shape().dim, parts_->member(part));
    if (part == 0) health = figures, spread = found;  // as on all
  });
  health.code_entropy = last_.code_entropy;
  health.prediction_entropy = last_.prediction_entropy;
  health.sinkhorn_error = last_.sinkhorn_error;
  health.queue_age = last_.queue_age;
  health.similarity = last_.similarity;
  health.embedding_rank = spread.rank;
  health.embedding_deviation = spread.deviation;
  health.least_deviation = spread.least_deviation;
  return health;
}

swav_tensor_health Trainer::tensor_health(int32_t index) const {
  const size_t count = optimizer_->parameters().size();
  SWAV_REQUIRE(index >= 0 && size_t(index) < count, "parameter index is %d; 0 to %zu is allowed", index, count - 1);
  int32_t at = 0;
  for (const TensorEntry& entry : network_.parameters().entries()) {
    if (entry.kind != SWAV_TENSOR_PARAMETER || at++ != index) continue;
    const Optimizer::Norms norms = optimizer_->norms(size_t(index));
    return {entry.name.c_str(), norms.value, norms.gradient, norms.update};
  }
  fail(SWAV_ERROR_INTERNAL, "parameters and optimiser do not match");
}

void Trainer::read_features(float* values) const {
  SWAV_REQUIRE(stepped_, "swav_trainer_read_features: there are no features before a step, or after one that failed");
  const int64_t count = settings_.images_at_once() * network_.description().feature_dim;
  for (const TrainerPart& part : own_) {
    values = std::copy(part.plan->features, part.plan->features + count, values);
    if (settings_.micro_batches() > 1) return;
  }
}

void Trainer::reset_times() {
  times_ = {};
  for (TrainerPart& part : own_)
    for (TrainingPass& pass : part.plan->passes) pass.backbone.reset_times();
}

swav_step_times Trainer::step_times() const {
  swav_step_times times = times_;
  for (const TrainerPart& part : own_) {
    for (const TrainingPass& pass : part.plan->passes) {
      times.data += pass.backbone.data_seconds();
      times.normalization += pass.backbone.normalization_seconds();
      pass.backbone.for_each_layer([&](const Layer& layer) {
        times.convolution_forward += layer.seconds.forward;
        times.convolution_backward += layer.seconds.backward_data;
        times.convolution_gradients += layer.seconds.backward_weights;
      });
    }
  }
  return times;
}

// The parts have the same layers: a layer's images and times are those of all.
swav_layer_times Trainer::layer_times(int32_t index) const {
  swav_layer_times times{};
  int32_t count = 0;
  for (const TrainerPart& part : own_) {
    int32_t at = 0;
    for (const TrainingPass& pass : part.plan->passes) {
      pass.backbone.for_each_layer([&](const Layer& layer) {
        if (at++ != index) return;
        const ConvolutionShape& s = layer.convolution().shape();
        times.name = layer.name().c_str();
        times.algorithm = layer.convolution().algorithm();
        times.images += s.images;
        times.height = s.height, times.width = s.width;
        times.channels = s.channels, times.filters = s.filters;
        times.kernel = s.kernel, times.stride = s.stride;
        times.multiplications += s.multiplications();
        times.forward += layer.seconds.forward;
        times.backward_data += layer.seconds.backward_data;
        times.backward_weights += layer.seconds.backward_weights;
      });
    }
    count = at;
  }
  SWAV_REQUIRE(times.name != nullptr, "layer %d of %d", index, count);
  return times;
}

}  // namespace swav
