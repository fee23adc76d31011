#include "training/classifier.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/random.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "network/finite.h"
#include "ops/linear.h"

namespace swav {
namespace {

constexpr int64_t most_dim = int64_t{1} << 20;  // of a feature

OptimizerConfig optimizer_of(const ClassifierSettings& s) {
  OptimizerConfig config{};
  config.rule = SWAV_OPTIMIZER_SGD;
  config.momentum = s.momentum;
  config.weight_decay = s.weight_decay;
  return config;
}

ConvolutionShape shape_of(const ClassifierSettings& s) {
  ConvolutionShape shape;
  shape.images = s.batch;
  shape.channels = int32_t(s.dim);
  shape.filters = s.classes;
  return shape;
}

ClassifierSettings completed(ClassifierSettings settings, const Network* network) {
  if (network != nullptr) settings.dim = network->description().feature_dim;
  if (network == nullptr) settings.size = 0;
  check(settings);
  return settings;
}

bool is_learned(const TensorEntry& entry) { return entry.kind == SWAV_TENSOR_PARAMETER && entry.part == Part::backbone; }

}  // namespace

void check(const ClassifierSettings& s) {
  SWAV_REQUIRE(s.classes >= 1, "classes are %d; at least 1 is needed", s.classes);
  SWAV_REQUIRE(s.dim >= 1 && s.dim <= most_dim, "dim is %lld; 1 to %lld is allowed", (long long)s.dim, (long long)most_dim);
  SWAV_REQUIRE(s.classes <= (int64_t{1} << 40) / s.dim, "%d classes of %lld numbers are too many", s.classes, (long long)s.dim);
  SWAV_REQUIRE(s.batch >= 1 && s.batch <= SWAV_MAX_BATCH, "batch is %d; 1 to %d is allowed", s.batch, SWAV_MAX_BATCH);
  SWAV_REQUIRE(s.smoothing >= 0 && s.smoothing < 1, "label_smoothing is %g; 0 to less than 1 is allowed", double(s.smoothing));
  SWAV_REQUIRE(s.deviation >= 0 && std::isfinite(s.deviation), "deviation is %g; 0 or more is allowed", double(s.deviation));
  check(optimizer_of(s));
}

Classifier::Classifier(Network* network, const ClassifierSettings& settings, Communicator& group)
    : network_(network),
      settings_(completed(settings, network)),
      group_(group),
      linear_(shape_of(settings_)),
      objective_(settings_.batch, settings_.classes, settings_.smoothing) {
  if (network_ != nullptr) {
    SWAV_REQUIRE(settings_.batch * group_.size() >= 2 || settings_.frozen_norms,
                 "batch is 1; one image has no batch statistics");
    backbone_.emplace(network_->description(), settings_.batch, settings_.size, settings_.size, Backbone::Purpose::training);
    backbone_->include(workspace_size_);
  }
  workspace_size_.include(linear_);
  Arena count;
  take(count);
  require_memory(bytes_.total - bytes_.parameters, "a training step on a batch of " + std::to_string(settings_.batch),
                 "a smaller batch or smaller images need less");
  arena_.lay_out([&] { take(arena_); }, "a training step");
  const TeamScratch reserved(workspace_size_.scratch);  // stays in the store of this thread
  bind();
  initialize();
}

void Classifier::take(Arena& arena) {
  int64_t before = arena.used();
  auto taken = [&](int64_t& bytes) {
    bytes = arena.used() - before;
    before = arena.used();
  };
  const int64_t network = network_ != nullptr ? network_->parameters().size() : 0;
  layer_ = arena.take<float>(layer_count());
  taken(bytes_.parameters);
  d_layer_ = arena.take<float>(layer_count());
  gradients_ = network > 0 ? arena.take<float>(network) : nullptr;
  taken(bytes_.gradients);
  layer_state_ = arena.take<float>(layer_count());
  state_ = network > 0 ? arena.take<float>(network) : nullptr;
  taken(bytes_.optimizer);
  if (backbone_) backbone_->take(arena);
  features_ = arena.take<float>(settings_.batch * settings_.dim);
  d_features_ = backbone_ ? arena.take<float>(settings_.batch * settings_.dim) : nullptr;
  logits_ = arena.take<float>(int64_t(settings_.batch) * settings_.classes);
  taken(bytes_.activations);
  workspace_ = workspace_size_.take(arena);
  if (backbone_) buffers_ = backbone_->buffer_size().take(arena, backbone_->storage());
  objective_.take(arena);
  taken(bytes_.workspace);
  bytes_.scratch = workspace_size_.scratch.bytes() * parallel::threads();
  bytes_.parameters += network * int64_t(sizeof(float));
  bytes_.total =
      bytes_.parameters + bytes_.gradients + bytes_.optimizer + bytes_.activations + bytes_.workspace + bytes_.scratch;
}

void Classifier::bind() {
  layer_optimizer_.emplace(optimizer_of(settings_),
                           std::vector<ParameterView>{{layer_, d_layer_, layer_state_, nullptr, weight_count(), 0, false},
                                                      {layer_ + weight_count(), d_layer_ + weight_count(),
                                                       layer_state_ + weight_count(), nullptr, settings_.classes, 0, false}});
  if (!backbone_) return;
  Parameters& parameters = network_->parameters();
  backbone_->bind(parameters, gradients_);
  std::vector<ParameterView> views;
  for (const TensorEntry& entry : parameters.entries()) {
    if (!is_learned(entry)) continue;
    views.push_back(
        {parameters.values() + entry.offset, gradients_ + entry.offset, state_ + entry.offset, nullptr, entry.count, 0, false});
  }
  backbone_optimizer_.emplace(optimizer_of(settings_), std::move(views));
}

void Classifier::initialize() {
  Random random(settings_.seed, Purpose::classifier);
  for (int64_t i = 0; i < weight_count(); ++i) layer_[i] = float(double(settings_.deviation) * random.normal());
}

void Classifier::read(float* weights) const {
  const int64_t dim = settings_.dim;
  for (int64_t c = 0; c < settings_.classes; ++c) {
    std::copy(layer_ + c * dim, layer_ + (c + 1) * dim, weights + c * (dim + 1));
    weights[c * (dim + 1) + dim] = layer_[weight_count() + c];
  }
}

void Classifier::check(const swav_classifier_input& in) const {
  SWAV_REQUIRE(in.values != nullptr, "step: values is NULL");
  SWAV_REQUIRE(in.labels != nullptr, "step: labels is NULL");
  const int32_t least = backbone_ ? settings_.batch : 1;
  SWAV_REQUIRE(in.count >= least && in.count <= settings_.batch, "step: count is %lld; %d to %d is allowed",
               (long long)in.count, least, settings_.batch);
  for (int64_t n = 0; n < in.count; ++n) {
    SWAV_REQUIRE(in.labels[n] >= 0 && in.labels[n] < settings_.classes, "label %lld is %d; 0 to %d is allowed", (long long)n,
                 in.labels[n], settings_.classes - 1);
  }
  const auto rate = [](const char* name, double value) {
    SWAV_REQUIRE(value >= 0 && value <= most_learning_rate, "%s is %g; a number from 0 to %g is allowed", name, value,
                 most_learning_rate);
  };
  rate("classifier_rate", in.classifier_rate);
  if (!backbone_) return;
  rate("backbone_rate", in.backbone_rate);
  require_finite_images("values", in.values, in.count, settings_.size, settings_.size, network_->config().channels);
}

const float* Classifier::features_of(const swav_classifier_input& in) {
  if (backbone_) {
    const Statistics statistics = settings_.frozen_norms ? Statistics::running : Statistics::batch;
    backbone_->forward(in.values, statistics, group_, workspace_, buffers_, features_);
    return features_;
  }
  if (in.count == settings_.batch) return in.values;
  const int64_t given = in.count * settings_.dim;
  std::memcpy(features_, in.values, size_t(given) * sizeof(float));
  std::fill(features_ + given, features_ + settings_.batch * settings_.dim, 0.0f);
  return features_;
}

void Classifier::require_finite(bool finite, const char* what) {
  float broken = finite ? 0.0f : 1.0f;
  group_.max(&broken, 1);
  if (broken == 0) return;
  fail(SWAV_ERROR_NUMERIC, "%s is not finite; a lower learning rate may help", what);
}

void Classifier::backward(const float* features) {
  const Operand d{logits_};
  parallel::zero(d_layer_, layer_count());
  linear_.backward_weights({features}, d, workspace_.products, d_layer_);
  bias_backward(logits_, settings_.batch, settings_.classes, d_layer_ + weight_count());
  group_.sum(d_layer_, layer_count());
  if (!backbone_) return;
  const int64_t parameters = network_->parameters().size();
  parallel::zero(gradients_, parameters);
  linear_.backward_data(d, layer_, workspace_.products, d_features_, false, Epilogue());
  backbone_->backward(d_features_, group_, workspace_, buffers_);
  group_.sum(gradients_, parameters);
}

void Classifier::compute_gradients(const swav_classifier_input& in, swav_classifier_report& report) {
  const float* features = features_of(in);
  const int64_t classes = settings_.classes;
  const float* bias = layer_ + weight_count();
  linear_.forward({features}, layer_, workspace_.products, logits_,
                  [&](int64_t, int64_t row0, int64_t row1, int64_t c0, int64_t c1) {
                    kernels().add_row(logits_ + row0 * classes + c0, classes, row1 - row0, c1 - c0, bias + c0);
                  });
  require_finite(first_not_finite(logits_, in.count * classes) < 0, "a logit");
  const LabelLoss loss = objective_.evaluate(logits_, in.labels, in.count, group_);
  report.loss = loss.loss;
  report.right = loss.right;
  require_finite(std::isfinite(loss.loss), "the loss");
  backward(features);
  double squares = 0;
  for (std::optional<Optimizer>* optimizer : {&layer_optimizer_, &backbone_optimizer_}) {
    if (!*optimizer) continue;
    const Optimizer::Measure measure = (*optimizer)->measure();
    require_finite(measure.not_finite < 0 && std::isfinite(measure.gradient_norm), "a gradient");
    squares += measure.gradient_norm * measure.gradient_norm;
  }
  report.gradient_norm = std::sqrt(squares);
  if (!backbone_ || settings_.frozen_norms) return;
  bool finite = true;
  backbone_->for_each_norm([&](const Norm& norm) { finite = finite && norm.is_finite(); });
  require_finite(finite, "a mean or variance of the batch");
}

void Classifier::update(const swav_classifier_input& in) {
  layer_optimizer_->update(in.classifier_rate);
  if (!backbone_) return;
  network_->parameters().touch();
  backbone_optimizer_->update(in.backbone_rate);
  if (!settings_.frozen_norms) backbone_->update_buffers();
}

void Classifier::step(const swav_classifier_input& input, swav_classifier_report& report) {
  check(input);
  swav_classifier_report found{};
  compute_gradients(input, found);
  const parallel::Uninterrupted whole;
  update(input);
  report = found;
}

}  // namespace swav
