#include "network/description.h"

#include "base/status.h"

namespace swav {
namespace {

void check(const swav_network_config& c) {
  SWAV_REQUIRE(c.depth == 18 || c.depth == 34 || c.depth == 50, "depth is %d; 18, 34 and 50 are known", c.depth);
  SWAV_REQUIRE(c.width >= 1 && c.width <= 16, "width is %d; 1 to 16 is allowed", c.width);
  SWAV_REQUIRE(c.base_width >= 1 && c.base_width <= SWAV_MAX_BASE_WIDTH, "base_width is %d; 1 to %d is allowed", c.base_width,
               SWAV_MAX_BASE_WIDTH);
  SWAV_REQUIRE(c.stem == SWAV_STEM_IMAGENET || c.stem == SWAV_STEM_SMALL, "stem is %d; 0 (ImageNet) or 1 (small) is allowed",
               int(c.stem));
  SWAV_REQUIRE(c.channels >= 1 && c.channels <= SWAV_MAX_CHANNELS, "channels is %d; 1 to %d is allowed", c.channels,
               SWAV_MAX_CHANNELS);
  SWAV_REQUIRE(c.hidden >= 0 && c.hidden <= SWAV_MAX_HIDDEN, "hidden is %d; 0 to %d is allowed", c.hidden, SWAV_MAX_HIDDEN);
  SWAV_REQUIRE(c.dim >= 0 && c.dim <= SWAV_MAX_DIM, "dim is %d; 0 to %d is allowed", c.dim, SWAV_MAX_DIM);
  SWAV_REQUIRE(c.head_count >= 0 && c.head_count <= SWAV_MAX_HEADS, "head_count is %d; 0 to %d is allowed", c.head_count,
               SWAV_MAX_HEADS);
  SWAV_REQUIRE(c.dim > 0 || c.head_count == 0, "head_count is %d with dim 0; prototypes need embeddings", c.head_count);
  for (int32_t h = 0; h < c.head_count; ++h) {
    SWAV_REQUIRE(c.prototypes[h] >= 2 && c.prototypes[h] <= SWAV_MAX_PROTOTYPES, "prototypes[%d] is %d; 2 to %d is allowed", h,
                 c.prototypes[h], SWAV_MAX_PROTOTYPES);
  }
}

ConvolutionLayer layer(const std::string& prefix, int index, int32_t in, int32_t out, int32_t kernel, int32_t stride) {
  const std::string number = std::to_string(index);
  return {prefix + "conv" + number, prefix + "bn" + number, in, out, kernel, stride, kernel / 2};
}

void describe_head(Description& d) {
  const swav_network_config& c = d.config;
  if (c.dim > 0 && c.hidden == 0) d.projection = {{"projection_head", d.feature_dim, c.dim}};
  if (c.dim > 0 && c.hidden > 0) {
    // Numbered as torch does: Linear, batch-norm, ReLU, Linear, or the same without the second.
    d.projection = {{"projection_head.0", d.feature_dim, c.hidden},
                    {c.plain_head ? "projection_head.2" : "projection_head.3", c.hidden, c.dim}};
    if (!c.plain_head) d.projection_norm = "projection_head.1";
  }
  for (int32_t h = 0; h < c.head_count; ++h) {
    const std::string name = c.head_count == 1 ? "prototypes" : "prototypes.prototypes" + std::to_string(h);
    d.prototypes.push_back({name, c.dim, c.prototypes[h]});
  }
}

}  // namespace

Description describe(const swav_network_config& config) {
  check(config);
  Description d;
  d.config = config;
  const int32_t base = config.base_width * config.width;
  const bool bottleneck = config.depth == 50;
  const int32_t expansion = bottleneck ? 4 : 1;
  const std::vector<int> counts = config.depth == 18 ? std::vector<int>{2, 2, 2, 2} : std::vector<int>{3, 4, 6, 3};
  const bool small = config.stem == SWAV_STEM_SMALL;
  d.stem = small ? ConvolutionLayer{"conv1", "bn1", config.channels, base, 3, 1, 1}
                 : ConvolutionLayer{"conv1", "bn1", config.channels, base, 7, 2, 3};
  d.max_pool = !small;
  int32_t in = base;
  for (int stage = 0; stage < 4; ++stage) {
    const int32_t mid = base << stage, out = mid * expansion;
    for (int i = 0; i < counts[size_t(stage)]; ++i) {
      const std::string prefix = "layer" + std::to_string(stage + 1) + "." + std::to_string(i) + ".";
      const int32_t stride = stage > 0 && i == 0 ? 2 : 1;
      BlockLayer block;
      if (bottleneck) {  // v1.5: the stride sits on the 3x3
        block.main = {layer(prefix, 1, in, mid, 1, 1), layer(prefix, 2, mid, mid, 3, stride), layer(prefix, 3, mid, out, 1, 1)};
      } else {
        block.main = {layer(prefix, 1, in, mid, 3, stride), layer(prefix, 2, mid, mid, 3, 1)};
      }
      if (stride != 1 || in != out) {
        block.projected = true;
        block.projection = {prefix + "downsample.0", prefix + "downsample.1", in, out, 1, stride, 0};
      }
      d.blocks.push_back(std::move(block));
      in = out;
    }
  }
  d.feature_dim = in;
  describe_head(d);
  return d;
}

std::string architecture_name(const swav_network_config& config) {
  std::string name = "resnet" + std::to_string(config.depth);
  if (config.width != 1) name.append("w").append(std::to_string(config.width));
  if (config.base_width != 64) name.append("b").append(std::to_string(config.base_width));
  return name;
}

}  // namespace swav
