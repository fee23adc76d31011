#include "network/head.h"

#include <algorithm>
#include <cmath>

#include "kernels/kernels.h"
#include "ops/linear.h"
#include "ops/row_walker.h"

namespace swav {

Head::Linear Head::make(const LinearLayer& layer, int64_t rows) {
  ConvolutionShape shape;
  shape.images = rows;
  shape.channels = layer.in;
  shape.filters = layer.out;
  return {Convolution(shape), layer.name};
}

void Head::Linear::bind(Parameters& parameters, float* gradients, bool has_bias) {
  weight = parameters.value(name + ".weight");
  if (has_bias) bias = parameters.value(name + ".bias");
  if (gradients == nullptr) return;
  d_weight = gradients + parameters.entry(name + ".weight").offset;
  if (has_bias) d_bias = gradients + parameters.entry(name + ".bias").offset;
}

Head::Head(const Description& d, int64_t rows, Purpose purpose) : rows_(rows), dim_(d.config.dim), purpose_(purpose) {
  if (d.projection.size() > 1) hidden_ = std::make_unique<Linear>(make(d.projection[0], rows));
  norm_name_ = d.projection_norm;
  output_ = std::make_unique<Linear>(make(d.projection.back(), rows));
  for (const LinearLayer& set : d.prototypes) scores_.push_back(make(set, rows));
}

void Head::include(WorkspaceSize& workspace) const {
  if (hidden_) workspace.include(hidden_->convolution);
  workspace.include(output_->convolution);
  for (const Linear& linear : scores_) workspace.include(linear.convolution);
}

void Head::take(Arena& arena) {
  const int64_t hidden = hidden_ ? hidden_->convolution.shape().filters : 0;
  if (hidden_) {
    hidden_->values = arena.take<float>(rows_ * hidden);
    norm_.values.take(arena, hidden);
  }
  output_->values = arena.take<float>(rows_ * dim_);
  unit_ = arena.take<float>(rows_ * dim_);
  norms_ = arena.take<float>(rows_);
  for (Linear& linear : scores_) linear.values = arena.take<float>(rows_ * linear.convolution.shape().filters);
  if (purpose_ == Purpose::inference) {
    int64_t most = 0;
    for (const Linear& linear : scores_) most = std::max<int64_t>(most, linear.convolution.shape().filters);
    inverse_norms_ = arena.take<float>(most);
    return;
  }
  d_unit_ = arena.take<float>(rows_ * dim_);
  d_raw_ = arena.take<float>(rows_ * dim_);
  d_hidden_ = arena.take<float>(rows_ * hidden);
}

void Head::bind(Parameters& parameters, float* gradients) {
  if (hidden_) {
    hidden_->bind(parameters, gradients, true);
    if (has_norm()) norm_.bind(parameters, norm_name_, gradients);
  }
  output_->bind(parameters, gradients, true);
  for (Linear& linear : scores_) linear.bind(parameters, gradients, false);
}

void Head::forward(const float* features, Statistics statistics, Communicator& communicator, const Workspace& workspace) {
  const Kernels& kernel = kernels();
  Operand x{features};
  if (hidden_) {
    Linear& l = *hidden_;
    const int64_t n = l.convolution.shape().filters;
    const BlockSums& sums = workspace.sums;
    l.convolution.forward(x, l.weight, workspace.products, l.values,
                          [&](int64_t block, int64_t row0, int64_t row1, int64_t c0, int64_t c1) {
                            float* y = l.values + row0 * n + c0;
                            kernel.add_row(y, n, row1 - row0, c1 - c0, l.bias + c0);
                            if (!has_norm()) return;
                            const int64_t at = block * n + c0;
                            kernel.block_moments(y, n, row1 - row0, c1 - c0, sums.first + at, sums.second + at);
                          });
    if (!has_norm()) {
      BatchNormValues& v = norm_.values;  // ReLU alone: scale 1, shift 0
      std::fill(v.scale, v.scale + n, 1.0f);
      std::fill(v.shift, v.shift + n, 0.0f);
      std::fill(v.mean, v.mean + n, 0.0f);
    } else if (statistics == Statistics::batch) {
      combine_moments(sums, l.convolution.forward_blocks(), communicator, norm_.values);
      forward_coefficients(norm_.gamma, norm_.beta, norm_.values.mean, norm_.values.variance, norm_.values);
    } else {
      norm_.use_running();
    }
    x = norm_.activated(l.values);
  }
  Linear& l = *output_;
  l.convolution.forward(x, l.weight, workspace.products, l.values,
                        [&](int64_t, int64_t row0, int64_t row1, int64_t c0, int64_t c1) {
                          kernel.add_row(l.values + row0 * dim_ + c0, dim_, row1 - row0, c1 - c0, l.bias + c0);
                        });
  normalize_rows(l.values, rows_, dim_, unit_, norms_);
}

void Head::forward_scores(const Workspace& workspace) {
  if (purpose_ == Purpose::training) {
    for (Linear& l : scores_) l.convolution.forward({unit_}, l.weight, workspace.products, l.values, Epilogue());
    return;
  }
  // Training renormalises prototypes in place before the forward, so stored ones are an update past unit norm; inference
  // leaves the parameters alone and divides the products instead.
  Linear& l = scores_.front();
  const int64_t count = l.convolution.shape().filters;
  for (int64_t k = 0; k < count; ++k) {
    double square = 0;
    for (int64_t i = 0; i < dim_; ++i) square += double(l.weight[k * dim_ + i]) * double(l.weight[k * dim_ + i]);
    inverse_norms_[k] = float(1.0 / std::max(std::sqrt(square), 1e-12));
  }
  l.convolution.forward({unit_}, l.weight, workspace.products, l.values,
                        [&](int64_t, int64_t row0, int64_t row1, int64_t c0, int64_t c1) {
                          for (int64_t r = row0; r < row1; ++r) {
                            for (int64_t c = c0; c < c1; ++c) l.values[r * count + c] *= inverse_norms_[c];
                          }
                        });
}

void Head::backward(const float* features, bool embeddings, Communicator& communicator, const Workspace& workspace,
                    float* d_features) {
  const Kernels& kernel = kernels();
  for (size_t h = 0; h < scores_.size(); ++h) {
    Linear& l = scores_[h];
    const Operand d{l.values};
    l.convolution.backward_weights({unit_}, d, workspace.products, l.d_weight);
    l.convolution.backward_data(d, l.weight, workspace.products, d_unit_, embeddings || h > 0, Epilogue());
  }
  normalize_rows_backward(d_unit_, unit_, norms_, rows_, dim_, d_raw_);
  bias_backward(d_raw_, rows_, dim_, output_->d_bias);
  const Operand d_raw{d_raw_};
  const Operand x = hidden_ ? norm_.activated(hidden_->values) : Operand{features};
  output_->convolution.backward_weights(x, d_raw, workspace.products, output_->d_weight);
  if (!hidden_) {
    output_->convolution.backward_data(d_raw, output_->weight, workspace.products, d_features, false, Epilogue());
    return;
  }
  const BatchNormValues& v = norm_.values;
  const BlockSums& sums = workspace.sums;
  output_->convolution.backward_data(d_raw, output_->weight, workspace.products, d_hidden_, false,
                                     [&](int64_t block, int64_t row0, int64_t row1, int64_t c0, int64_t c1) {
                                       const int64_t n = v.channels, at = row0 * n + c0, sum = block * n + c0;
                                       kernel.relu_backward(d_hidden_ + at, hidden_->values + at, n, row1 - row0, c1 - c0,
                                                            v.scale + c0, v.shift + c0, v.mean + c0, sums.first + sum,
                                                            sums.second + sum);
                                     });
  Operand dy{d_hidden_};
  if (has_norm()) {
    // The hidden bias feeds a batch-norm, which takes its mean away again: its gradient is exactly zero and is left so, where
    // summing would only collect rounding for LARC to amplify.
    backward_coefficients(sums, output_->convolution.backward_blocks().count(), norm_.gamma, communicator, norm_.values,
                          norm_.d_gamma, norm_.d_beta);
    dy = norm_.gradient(d_hidden_, hidden_->values);
  } else {
    bias_backward(d_hidden_, rows_, v.channels, hidden_->d_bias);
  }
  hidden_->convolution.backward_weights({features}, dy, workspace.products, hidden_->d_weight);
  hidden_->convolution.backward_data(dy, hidden_->weight, workspace.products, d_features, false, Epilogue());
}

void Head::for_each_norm(const std::function<void(Norm&)>& visit) {
  if (hidden_ && has_norm()) visit(norm_);
}

void Head::update_buffers() {
  for_each_norm([](Norm& norm) { norm.update_buffers(); });
}

void Head::for_each_activation(const std::function<void(const std::string&, const float*, int64_t)>& visit) const {
  if (hidden_) visit(hidden_->name, hidden_->values, rows_ * hidden_->convolution.shape().filters);
  visit(output_->name, output_->values, rows_ * dim_);
  for (const Linear& l : scores_) visit("scores of " + l.name, l.values, rows_ * l.convolution.shape().filters);
}

}  // namespace swav
