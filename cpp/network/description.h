// What a network is: its layers as data. Every plan (training, inference) walks the same description.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "swav.h"

namespace swav {

// A convolution without bias and the batch-norm behind it; prefix + "weight" is torchvision's key.
struct ConvolutionLayer {
  std::string name;  // "layer1.0.conv1"
  std::string norm;  // "layer1.0.bn1"
  int32_t in = 0, out = 0, kernel = 1, stride = 1, padding = 0;
};

// main: two (basic) or three (bottleneck) convolutions; the sum of the last one and the identity, or its projection.
struct BlockLayer {
  std::vector<ConvolutionLayer> main;
  bool projected = false;
  ConvolutionLayer projection;
};

// A linear layer of the head; name + ".weight" is its key, [out][in].
struct LinearLayer {
  std::string name;  // "projection_head.3"
  int32_t in = 0, out = 0;
};

struct Description {
  swav_network_config config;
  ConvolutionLayer stem;
  bool max_pool = true;
  std::vector<BlockLayer> blocks;
  int32_t feature_dim = 0;
  // One linear layer with a bias, or two with a batch-norm and ReLU between them; none where embeddings have no length.
  std::vector<LinearLayer> projection;
  std::string projection_norm;          // behind the first of two; empty: none
  std::vector<LinearLayer> prototypes;  // of each set; no bias
};

// Throws SWAV_ERROR_ARGUMENT naming the setting that is out of range.
Description describe(const swav_network_config& config);

// "resnet50", "resnet50w2", ...
std::string architecture_name(const swav_network_config& config);

}  // namespace swav
