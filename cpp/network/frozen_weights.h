// The weights of a frozen network: batch-norm folded in, laid out as its products read them, in floats, bfloat16 or
// integers.
//
// Folding: gamma (W x - mean) / sqrt(variance + eps) + beta = W' x + bias. Integers: an activation x is q * scale with q in
// 0..255, its scale from calibration; the weights of an output channel are integers in -127..127 times one scale, which two
// summed convolutions share.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/arena.h"
#include "network/frozen_graph.h"
#include "network/parameters.h"

namespace swav {

// What calibration saw: for each step of a direct graph, the largest value of each channel of its target.
struct ActivationRanges {
  std::vector<std::vector<float>> largest;
};

// x = (q - zero) * scale for each channel of a map.
struct MapScale {
  std::vector<float> scale, zero;
};

class FrozenWeights {
 public:
  // Floats, or bfloat16.
  FrozenWeights(const FrozenGraph& graph, Parameters& parameters);
  // Integers. input: mean and standard deviation of samples in 0..1.
  FrozenWeights(const FrozenGraph& graph, Parameters& parameters, const ActivationRanges& ranges,
                const swav_input_description& input);

  // What they take for a graph.
  static int64_t bytes(const FrozenGraph& graph);

  struct Step {
    char* packed = nullptr;
    FrozenFinish finish;
  };
  const Step& step(size_t index) const { return steps_[index]; }
  const std::string& signature() const { return signature_; }
  // Of map 0, in integers.
  const MapScale& input_scale() const { return scales_[0]; }

 private:
  // A convolution with its batch-norm: weight [filters][channels][kernel][kernel], w' = weight * factor[filter].
  struct Folded {
    const float* weight;
    int64_t channels, kernel;
    std::vector<double> factor, bias;
    double at(int64_t filter, int32_t r, int32_t s, int64_t channel) const {
      return double(weight[((filter * channels + channel) * kernel + r) * kernel + s]) * factor[size_t(filter)];
    }
  };

  static Folded fold(const ConvolutionLayer& layer, Parameters& parameters);
  struct Arrays {
    char* packed = nullptr;
    float *bias = nullptr, *scale = nullptr, *residual_scale = nullptr;
    int32_t* integer_bias = nullptr;
  };
  static Arrays take(const FrozenGraph& graph, const FrozenStep& step, Arena& arena);
  void allocate(const FrozenGraph& graph);
  void fill_float(const FrozenStep& step, Parameters& parameters, bool last, Step& to);
  void fill_integer(const FrozenStep& step, Parameters& parameters, bool last, Step& to);

  std::string signature_;
  Arena arena_;
  std::vector<Step> steps_;
  std::vector<MapScale> scales_;
  std::vector<Arrays> arrays_;
};

}  // namespace swav
