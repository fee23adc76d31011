#include "network/inference.h"

#include <cstring>

#include "base/parallel.h"
#include "base/status.h"
#include "network/finite.h"

namespace swav {
namespace {

int64_t head_plan_bytes(const Description& description, int64_t images) {
  if (description.projection.empty()) return 0;
  Head head(description, images, Head::Purpose::inference);
  WorkspaceSize size;
  head.include(size);
  Arena count;
  size.take(count);
  head.take(count);
  return count.used() + size.scratch.bytes() * parallel::threads();
}

}  // namespace

int64_t frozen_plan_bytes(const Description& description, int64_t images, int32_t height, int32_t width, Element element,
                          bool direct) {
  const FrozenGraph graph(description, images, height, width, element, direct);
  return graph.memory() + graph.scratch().bytes() * parallel::threads() + FrozenWeights::bytes(graph) +
         images * description.feature_dim * int64_t(sizeof(float)) + head_plan_bytes(description, images);
}

int64_t inference_plan_bytes(const Description& description, int64_t images, int32_t height, int32_t width) {
  Backbone backbone(description, images, height, width, Backbone::Purpose::inference);
  WorkspaceSize size;
  backbone.include(size);
  Arena count;
  size.take(count);
  backbone.take(count);
  count.take<float>(images * description.feature_dim);
  return count.used() + size.scratch.bytes() * parallel::threads() + head_plan_bytes(description, images);
}

HeadPlan::HeadPlan(const Description& description, Parameters& parameters, int64_t images)
    : head_(description, images, Head::Purpose::inference) {
  WorkspaceSize size;
  head_.include(size);
  arena_.lay_out([&] {
    workspace_ = size.take(arena_);
    head_.take(arena_);
  });
  const TeamScratch reserved(size.scratch);  // stays in the store of this thread
  head_.bind(parameters, nullptr);
}

void HeadPlan::run(const float* features, Statistics statistics, swav_output output, float* result) {
  const size_t images = size_t(head_.rows());
  head_.forward(features, statistics, group_of_one(), workspace_);
  if (output == SWAV_OUTPUT_EMBEDDINGS) std::memcpy(result, head_.embeddings(), images * size_t(head_.dim()) * sizeof(float));
  if (output == SWAV_OUTPUT_SCORES) {
    head_.forward_scores(workspace_);
    std::memcpy(result, head_.scores(0), images * size_t(head_.prototypes(0)) * sizeof(float));
  }
}

FrozenPlan::FrozenPlan(const Description& description, Parameters& parameters, std::unique_ptr<FrozenBackbone> backbone)
    : backbone_(std::move(backbone)),
      features_(size_t(backbone_->images() * description.feature_dim)),
      description_(description) {
  if (description.config.dim > 0) head_ = std::make_unique<HeadPlan>(description, parameters, backbone_->images());
}

void FrozenPlan::run(const float* images, swav_output output, float* result) {
  if (const int32_t stage = stage_of(output); stage > 0) return run_stage(images, stage, result);
  if (output == SWAV_OUTPUT_FEATURES || output == SWAV_OUTPUT_GRID) {
    return backbone_->run(images, description_.feature_dim, result, {}, output == SWAV_OUTPUT_GRID);
  }
  backbone_->run(images, description_.feature_dim, features_.data());
  head_->run(features_.data(), Statistics::running, output, result);
}

// The later stages are computed as well: this is for looking at features, not for speed.
void FrozenPlan::run_stage(const float* images, int32_t stage, float* result) {
  const size_t last = backbone_->last_step_of(stage);
  const int64_t channels = stage_channels(description_, stage);
  backbone_->run(images, description_.feature_dim, features_.data(), [&](size_t step, const FrozenMap& map) {
    if (step != last) return;
    average_pool(map, channels, result);
    result += map.images * channels;
  });
}

int32_t stage_of(swav_output output) {
  return output >= SWAV_OUTPUT_STAGE1 && output <= SWAV_OUTPUT_STAGE3 ? output - SWAV_OUTPUT_STAGE1 + 1 : 0;
}

int64_t stage_channels(const Description& description, int32_t stage) {
  return description.feature_dim >> (4 - stage);  // each stage has twice the channels of the one before
}

InferencePlan::InferencePlan(const Description& description, Parameters& parameters, int64_t images, int32_t height,
                             int32_t width)
    : images_(images),
      height_(height),
      width_(width),
      backbone_(description, images, height, width, Backbone::Purpose::inference) {
  if (description.config.dim > 0) head_ = std::make_unique<HeadPlan>(description, parameters, images);
  WorkspaceSize size;
  backbone_.include(size);
  arena_.lay_out([&] {
    workspace_ = size.take(arena_);
    backbone_.take(arena_);
    features_ = arena_.take<float>(images * description.feature_dim);
  });
  const TeamScratch reserved(size.scratch);
  backbone_.bind(parameters, nullptr);
}

void InferencePlan::run(const float* images, Statistics statistics, swav_output output, float* result) {
  backbone_.forward(images, statistics, group_of_one(), workspace_, PassBuffers(), features_);
  if (output == SWAV_OUTPUT_FEATURES) {
    if (result != nullptr) std::memcpy(result, features_, size_t(images_ * backbone_.feature_dim()) * sizeof(float));
    if (statistics == Statistics::running) return;
  }
  if (head_) head_->run(features_, statistics, output, result);
}

void InferencePlan::require_finite_moments() {
  auto require = [](const Norm& norm) {
    if (norm.is_finite()) return;
    fail(SWAV_ERROR_NUMERIC, "images and weights are finite, and the batch's moments are not: values grow too large before %s",
         norm.name.c_str());
  };
  backbone_.for_each_norm(require);
  if (head_) head_->head().for_each_norm(require);
}

void InferencePlan::add_moments(double* sums) {
  auto add = [&](Norm& norm) {
    const BatchNormValues& v = norm.values;
    const double unbiased = v.count > 1 ? v.count / (v.count - 1) : 1.0;
    for (int64_t c = 0; c < v.channels; ++c) {
      sums[c] += double(v.mean[c]);
      sums[v.channels + c] += unbiased * double(v.variance[c]);
    }
    sums += 2 * v.channels;
  };
  backbone_.for_each_norm(add);
  if (head_) head_->head().for_each_norm(add);
}

}  // namespace swav
