#include "network/layer.h"

#include <algorithm>
#include <cmath>

#include "base/stopwatch.h"
#include "network/finite.h"
#include "ops/residual.h"

namespace swav {
namespace {

ConvolutionShape shape_of(const ConvolutionLayer& layer, int64_t images, int32_t height, int32_t width) {
  return {images, height, width, layer.in, layer.out, layer.kernel, layer.stride, layer.padding};
}

}  // namespace

void WorkspaceSize::include(const Convolution& convolution) {
  const ConvolutionShape& s = convolution.shape();
  products = std::max(products, convolution.workspace());
  scratch.include(convolution.scratch());
  include_sums(convolution.forward_blocks().count(), s.filters);
  include_sums(convolution.backward_blocks().count(), s.channels);
}

void WorkspaceSize::include_sums(int64_t blocks, int64_t channels) {
  sums = std::max(sums, blocks * channels);
  scratch.include(batch_norm_scratch(channels));
}

Workspace WorkspaceSize::take(Arena& arena) const {
  Workspace w;
  w.products = arena.take<float>(products);
  for (float** place : {&w.sums.first, &w.sums.second, &w.side_sums.first, &w.side_sums.second})
    *place = arena.take<float>(sums);
  return w;
}

void Norm::bind(Parameters& parameters, const std::string& norm_name, float* gradients) {
  name = norm_name;
  gamma = parameters.value(name + ".weight");
  beta = parameters.value(name + ".bias");
  running_mean = parameters.value(name + ".running_mean");
  running_variance = parameters.value(name + ".running_var");
  tracked = parameters.counter(name + ".num_batches_tracked");
  if (gradients != nullptr) {
    d_gamma = gradients + parameters.entry(name + ".weight").offset;
    d_beta = gradients + parameters.entry(name + ".bias").offset;
  }
}

void Norm::use_running() {
  std::copy(running_mean, running_mean + values.channels, values.mean);
  std::copy(running_variance, running_variance + values.channels, values.variance);
  values.count = HUGE_VAL;  // constants are the mean of infinitely many values
  forward_coefficients(gamma, beta, running_mean, running_variance, values);
}

bool Norm::is_finite() const {
  return first_not_finite(values.mean, values.channels) < 0 && first_not_finite(values.variance, values.channels) < 0;
}

void Norm::update_buffers() {
  update_running(values, running_mean, running_variance);
  ++*tracked;
}

Layer::Layer(const ConvolutionLayer& layer, int64_t images, int32_t height, int32_t width, Convolution::Input input,
             bool direct, Storage storage)
    : convolution_(shape_of(layer, images, height, width), input, direct, storage), name_(layer.name), norm_name_(layer.norm) {}

void Layer::bind(Parameters& parameters, float* gradients) {
  weight_ = parameters.value(name_ + ".weight");
  if (gradients != nullptr) d_weight_ = gradients + parameters.entry(name_ + ".weight").offset;
  norm.bind(parameters, norm_name_, gradients);
}

void Layer::forward(const Operand& x, Statistics statistics, Communicator& communicator, const Workspace& workspace) {
  const Stopwatch watch(seconds.forward);
  if (statistics == Statistics::running) {
    norm.use_running();
    convolution_.forward(x, weight_, workspace.products, y, Epilogue());
    return;
  }
  const int64_t n = convolution_.shape().filters;
  const BlockSums& sums = workspace.sums;
  convolution_.forward(x, weight_, workspace.products, y,
                       [&](int64_t block, int64_t row0, int64_t row1, int64_t c0, int64_t c1) {
                         const int64_t at = block * n + c0;
                         block_moments(y + row0 * n + c0, n, row1 - row0, c1 - c0, sums.first + at, sums.second + at);
                       });
  combine_moments(sums, convolution_.forward_blocks(), communicator, norm.values);
  forward_coefficients(norm.gamma, norm.beta, norm.values.mean, norm.values.variance, norm.values);
}

void Layer::backward_weights(const Operand& x, const Operand& dy, const Workspace& workspace) {
  const Stopwatch watch(seconds.backward_weights);
  convolution_.backward_weights(x, dy, workspace.products, d_weight_);
}

void Layer::backward_data(const Operand& dy, Values dx, bool accumulate, const Workspace& workspace, Epilogue epilogue) {
  const Stopwatch watch(seconds.backward_data);
  convolution_.backward_data(dy, weight_, workspace.products, dx, accumulate, epilogue);
}

void Layer::backward_data_through(Layer& before, const Operand& dy, Values dx, Communicator& communicator,
                                  const Workspace& workspace) {
  const Stopwatch watch(seconds.backward_data);
  const BatchNormValues& v = before.norm.values;
  const int64_t n = v.channels;
  const BlockSums& sums = workspace.sums;
  convolution_.backward_data(dy, weight_, workspace.products, dx, false,
                             [&](int64_t block, int64_t row0, int64_t row1, int64_t c0, int64_t c1) {
                               const int64_t at = row0 * n + c0, sum = block * n + c0;
                               relu_backward(dx + at, before.y + at, n, row1 - row0, c1 - c0, v.scale + c0, v.shift + c0,
                                             v.mean + c0, sums.first + sum, sums.second + sum);
                             });
  before.backward_norm(sums, convolution_.backward_blocks().count(), communicator);
}

void Layer::backward_norm(const BlockSums& sums, int64_t blocks, Communicator& communicator) {
  backward_coefficients(sums, blocks, norm.gamma, communicator, norm.values, norm.d_gamma, norm.d_beta);
}

}  // namespace swav
