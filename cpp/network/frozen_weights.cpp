#include "network/frozen_weights.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "ops/batch_norm.h"

namespace swav {
namespace {

constexpr double most_activation = 255, most_weight = 127;

// Scales of a map whose channels reach `largest`; one scale for all of them.
MapScale scale_of(const std::vector<float>& largest) {
  float most = 0;
  for (float x : largest) most = std::max(most, x);
  const float scale = most > 0 ? float(double(most) / most_activation) : 1.0f;
  return {std::vector<float>(largest.size(), scale), std::vector<float>(largest.size(), 0.0f)};
}

// Samples of 8 bits come back exactly: q = 255 * (x * std + mean).
MapScale scale_of(const swav_input_description& input, int32_t channels) {
  MapScale s;
  for (int32_t c = 0; c < channels; ++c) {
    s.scale.push_back(float(1 / (most_activation * double(input.std[c]))));
    s.zero.push_back(float(most_activation * double(input.mean[c])));
  }
  return s;
}

}  // namespace

FrozenWeights::FrozenWeights(const FrozenGraph& graph, Parameters& parameters) : signature_(graph.signature()) {
  allocate(graph);
  for (size_t i = 0; i < steps_.size(); ++i) fill_float(graph.steps()[i], parameters, i + 1 == steps_.size(), steps_[i]);
}

FrozenWeights::FrozenWeights(const FrozenGraph& graph, Parameters& parameters, const ActivationRanges& ranges,
                             const swav_input_description& input)
    : signature_(graph.signature()) {
  allocate(graph);
  scales_.push_back(scale_of(input, graph.maps()[0].channels));
  for (size_t m = 1; m < graph.maps().size(); ++m) {
    // Max-pooling copies integers as they are.
    size_t step = size_t(graph.producer(int(m)));
    if (graph.steps()[step].kind == FrozenStep::Kind::max_pool) step = size_t(graph.producer(graph.steps()[step].sources[0]));
    scales_.push_back(scale_of(ranges.largest[step]));
  }
  for (size_t i = 0; i < steps_.size(); ++i) {
    fill_integer(graph.steps()[i], parameters, i + 1 == steps_.size(), steps_[i]);
  }
}

FrozenWeights::Folded FrozenWeights::fold(const ConvolutionLayer& layer, Parameters& parameters) {
  Folded f{parameters.value(layer.name + ".weight"), layer.in, layer.kernel, {}, {}};
  const float *gamma = parameters.value(layer.norm + ".weight"), *beta = parameters.value(layer.norm + ".bias");
  const float *mean = parameters.value(layer.norm + ".running_mean"), *variance = parameters.value(layer.norm + ".running_var");
  for (int32_t c = 0; c < layer.out; ++c) {
    f.factor.push_back(double(gamma[c]) / std::sqrt(double(variance[c]) + batch_norm_epsilon));
    f.bias.push_back(double(beta[c]) - f.factor.back() * double(mean[c]));
  }
  return f;
}

FrozenWeights::Arrays FrozenWeights::take(const FrozenGraph& graph, const FrozenStep& step, Arena& arena) {
  Arrays arrays;
  if (step.kind == FrozenStep::Kind::max_pool) return arrays;
  const int64_t columns = step.winograd ? step.winograd->columns() : step.convolution->columns();
  arrays.packed = arena.take<char>(step.winograd ? step.winograd->packed_bytes() : step.convolution->packed_bytes());
  arrays.bias = arena.take<float>(columns);
  if (graph.element() == Element::float32 || graph.element() == Element::bfloat16) return arrays;
  arrays.integer_bias = arena.take<int32_t>(columns);
  arrays.scale = arena.take<float>(columns);
  arrays.residual_scale = arena.take<float>(columns);
  return arrays;
}

int64_t FrozenWeights::bytes(const FrozenGraph& graph) {
  Arena count;
  for (const FrozenStep& step : graph.steps()) take(graph, step, count);
  return count.used();
}

void FrozenWeights::allocate(const FrozenGraph& graph) {
  steps_.resize(graph.steps().size());
  arrays_.resize(steps_.size());
  arena_.lay_out([&] {
    for (size_t i = 0; i < steps_.size(); ++i) {
      arrays_[i] = take(graph, graph.steps()[i], arena_);
      steps_[i].packed = arrays_[i].packed;
    }
  });
}

void FrozenWeights::fill_float(const FrozenStep& step, Parameters& parameters, bool last, Step& to) {
  if (step.kind == FrozenStep::Kind::max_pool) return;
  std::vector<Folded> folded;
  for (const ConvolutionLayer* layer : step.layers) folded.push_back(fold(*layer, parameters));
  float* bias = arrays_[size_t(&to - steps_.data())].bias;
  for (size_t f = 0; f < folded[0].bias.size(); ++f) {
    double sum = 0;
    for (const Folded& part : folded) sum += part.bias[f];
    bias[f] = float(sum);
  }
  to.finish.bias = bias;
  to.finish.relu = step.relu;
  to.finish.scales.to_float = last;
  if (step.winograd) {
    step.winograd->pack([&](int64_t filter, int32_t r, int32_t s, int64_t c) { return float(folded[0].at(filter, r, s, c)); },
                        reinterpret_cast<float*>(to.packed));
  } else {
    step.convolution->pack([&](int window, int64_t filter, int32_t r, int32_t s,
                               int64_t c) { return float(folded[size_t(window)].at(filter, r, s, c)); },
                           to.packed);
  }
}

void FrozenWeights::fill_integer(const FrozenStep& step, Parameters& parameters, bool last, Step& to) {
  if (step.kind == FrozenStep::Kind::max_pool) return;
  std::vector<Folded> folded;
  for (const ConvolutionLayer* layer : step.layers) folded.push_back(fold(*layer, parameters));
  const int64_t filters = int64_t(folded[0].bias.size());
  const Arrays& a = arrays_[size_t(&to - steps_.data())];
  std::vector<double> unit(static_cast<size_t>(filters));  // what 1 in the integer sum is worth
  parallel::for_each(filters, [&](int64_t f, int) {
    double most = 0, bias = 0;
    for (size_t i = 0; i < folded.size(); ++i) {
      const Folded& part = folded[i];
      const MapScale& in = scales_[size_t(step.sources[i])];
      bias += part.bias[size_t(f)];
      for (int64_t c = 0; c < part.channels; ++c) {
        for (int64_t t = 0; t < part.kernel * part.kernel; ++t) {
          const double w = part.at(f, 0, int32_t(t), c) * double(in.scale[size_t(c)]);
          most = std::max(most, std::abs(w));
          bias -= w * double(in.zero[size_t(c)]);
        }
      }
    }
    // The second bound keeps the bias, and with it the sum, well inside 32 bits where weights are next to nothing.
    unit[size_t(f)] = std::max({most / most_weight, std::abs(bias) / double(1 << 29), 1e-30});
    a.integer_bias[f] = int32_t(std::lround(bias / unit[size_t(f)]));
    const double out = last ? 1.0 : double(scales_[size_t(step.target)].scale[size_t(f)]);
    a.scale[f] = float(unit[size_t(f)] / out);
    const double identity = step.residual < 0 ? 0.0 : double(scales_[size_t(step.residual)].scale[size_t(f)]);
    a.residual_scale[f] = float(identity / out);
  });
  to.finish.scales = {a.integer_bias, a.scale, a.residual_scale, last};
  step.convolution->pack(
      [&](int window, int64_t filter, int32_t r, int32_t s, int64_t c) {
        const MapScale& in = scales_[size_t(step.sources[size_t(window)])];
        const double w = folded[size_t(window)].at(filter, r, s, c) * double(in.scale[size_t(c)]);
        return float(std::nearbyint(w / unit[size_t(filter)]));
      },
      to.packed);
}

}  // namespace swav
