#include "optim/optimizer.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "base/status.h"
#include "kernels/kernels.h"

namespace swav {
namespace {

// Value, gradient and two states of a piece fill a quarter of the second-level cache.
constexpr int64_t piece_floats = cache::second / 4 / 4 / 4;

}  // namespace

void check(const OptimizerConfig& config) {
  const auto fraction = [](const char* name, float value) {
    SWAV_REQUIRE(value >= 0 && value < 1, "%s is %g; 0 or more and less than 1 is allowed", name, double(value));
  };
  const auto positive = [](const char* name, float value) {
    SWAV_REQUIRE(value > 0 && std::isfinite(value), "%s is %g; a number above 0 is needed", name, double(value));
  };
  SWAV_REQUIRE(config.weight_decay >= 0 && std::isfinite(config.weight_decay), "weight decay is %g; 0 or more is allowed",
               double(config.weight_decay));
  switch (config.rule) {
    case SWAV_OPTIMIZER_LARC: positive("trust", config.trust); [[fallthrough]];
    case SWAV_OPTIMIZER_SGD: return fraction("momentum", config.momentum);
    case SWAV_OPTIMIZER_ADAMW:
      fraction("beta1", config.beta1);
      fraction("beta2", config.beta2);
      return positive("adam_epsilon", config.epsilon);
  }
  fail(SWAV_ERROR_ARGUMENT, "optimizer is %d; larc (0), sgd (1) or adamw (2) is allowed", int(config.rule));
}

Optimizer::Optimizer(const OptimizerConfig& config, std::vector<ParameterView> parameters)
    : config_(config), parameters_(std::move(parameters)) {
  check(config);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    for (int64_t begin = 0; begin < parameters_[i].count; begin += piece_floats) {
      pieces_.push_back({int64_t(i), begin, std::min(parameters_[i].count, begin + piece_floats)});
    }
  }
  gradient_squares_.resize(pieces_.size());
  value_squares_.resize(pieces_.size());
  gradient_norms_.resize(parameters_.size());
  value_norms_.resize(parameters_.size());
}

// The update is what is left of it in the states: lr v, or for AdamW lr (wd p + m' / (sqrt(v') + epsilon)), of p before it.
Optimizer::Norms Optimizer::norms(size_t parameter) const {
  const ParameterView& p = parameters_[parameter];
  Norms norms{std::sqrt(kernels().sum_squares(p.value, p.count)), gradient_norms_[parameter], 0};
  if (p.frozen || last_rate_ == 0) return norms;
  if (config_.rule != SWAV_OPTIMIZER_ADAMW) {
    norms.update = last_rate_ * std::sqrt(kernels().sum_squares(p.state1, p.count));
    return norms;
  }
  const double shrink = 1 - last_rate_ * double(config_.weight_decay), t = double(p.steps);
  const double first = last_rate_ / (1 - std::pow(double(config_.beta1), t)), second = 1 - std::pow(double(config_.beta2), t);
  double squares = 0;
  for (int64_t i = 0; i < p.count; ++i) {
    const double step = first * double(p.state1[i]) / (std::sqrt(double(p.state2[i]) / second) + double(config_.epsilon));
    // Where decay leaves next to nothing of a value, what it was cannot be told: the step alone.
    const double change = std::abs(shrink) < 1e-3 ? step : (double(p.value[i]) + step) / shrink - double(p.value[i]);
    squares += change * change;
  }
  norms.update = std::sqrt(squares);
  return norms;
}

Optimizer::Measure Optimizer::measure() {
  last_rate_ = 0;
  const Kernels& kernel = kernels();
  const bool values = config_.rule == SWAV_OPTIMIZER_LARC;
  parallel::for_each(int64_t(pieces_.size()), [&](int64_t i, int) {
    const Piece& piece = pieces_[size_t(i)];
    const ParameterView& p = parameters_[size_t(piece.parameter)];
    const int64_t count = p.frozen ? 0 : piece.end - piece.begin;
    gradient_squares_[size_t(i)] = kernel.sum_squares(p.gradient + piece.begin, count);
    value_squares_[size_t(i)] = values ? kernel.sum_squares(p.value + piece.begin, count) : 0;
  });
  std::fill(gradient_norms_.begin(), gradient_norms_.end(), 0.0);
  std::fill(value_norms_.begin(), value_norms_.end(), 0.0);
  for (size_t i = 0; i < pieces_.size(); ++i) {
    gradient_norms_[size_t(pieces_[i].parameter)] += gradient_squares_[i];
    value_norms_[size_t(pieces_[i].parameter)] += value_squares_[i];
  }
  Measure result{0, -1};
  for (size_t i = 0; i < parameters_.size(); ++i) {
    result.gradient_norm += gradient_norms_[i];
    if (!std::isfinite(gradient_norms_[i]) && result.not_finite < 0) result.not_finite = int64_t(i);
    gradient_norms_[i] = std::sqrt(gradient_norms_[i]);
    value_norms_[i] = std::sqrt(value_norms_[i]);
  }
  result.gradient_norm = std::sqrt(result.gradient_norm);
  return result;
}

void Optimizer::update_piece(const Piece& piece, double learning_rate) {
  const ParameterView& p = parameters_[size_t(piece.parameter)];
  if (p.frozen) return;
  const Kernels& kernel = kernels();
  const int64_t begin = piece.begin, count = piece.end - piece.begin;
  const double decay = double(config_.weight_decay);
  if (config_.rule == SWAV_OPTIMIZER_ADAMW) {
    const double beta1 = double(config_.beta1), beta2 = double(config_.beta2), t = double(p.steps);
    const float factors[8] = {float(1 - learning_rate * decay),
                              float(learning_rate / (1 - std::pow(beta1, t))),
                              config_.beta1,
                              float(1 - beta1),
                              config_.beta2,
                              float(1 - beta2),
                              float(1 / std::sqrt(1 - std::pow(beta2, t))),
                              config_.epsilon};
    return kernel.adam_step(p.value + begin, p.gradient + begin, p.state1 + begin, p.state2 + begin, factors, count);
  }
  double scale = 1, used_decay = decay;
  if (config_.rule == SWAV_OPTIMIZER_LARC) {
    const double value_norm = value_norms_[size_t(piece.parameter)], gradient_norm = gradient_norms_[size_t(piece.parameter)];
    const bool adapt = value_norm != 0 && gradient_norm != 0;
    scale = adapt ? double(config_.trust) * value_norm / (gradient_norm + decay * value_norm + 1e-8) : 1;
    used_decay = adapt ? decay : 0;
  }
  kernel.momentum_step(p.value + begin, p.gradient + begin, p.state1 + begin, float(learning_rate), config_.momentum,
                       float(scale), float(used_decay), count);
}

void Optimizer::update(double learning_rate) {
  last_rate_ = learning_rate;
  for (ParameterView& p : parameters_) p.steps += p.frozen ? 0 : 1;
  parallel::for_each(int64_t(pieces_.size()), [&](int64_t i, int) { update_piece(pieces_[size_t(i)], learning_rate); });
}

}  // namespace swav
