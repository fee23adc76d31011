#include "network/network.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/memory.h"
#include "base/status.h"
#include "image/plan.h"
#include "network/finite.h"

namespace swav {
namespace {
constexpr int64_t inference_batch = 32;  // images at a time: bounds the memory whatever the caller passes
constexpr size_t most_plans = 2;         // a full batch and the rest of a set

// Throws where a plan for so many images does not fit, naming the largest number that does.
void require_memory_for(const char* what, int64_t images, int32_t height, int32_t width,
                        const std::function<int64_t(int64_t)>& bytes_of) {
  const int64_t bytes = bytes_of(images), room = memory_room().smallest();
  if (bytes <= room) return;
  const int64_t fits = largest_that_fits(images - 1, room, bytes_of);
  const std::string shape = std::to_string(images) + (images == 1 ? " image of " : " images of ") + std::to_string(width) +
                            " x " + std::to_string(height) + " pixels";
  require_memory(
      bytes, what + shape,
      fits > 0 ? "the largest batch that fits is " + std::to_string(fits) : "not even one fits: smaller ones need less");
}
}  // namespace

// Sums of batch moments over the batches seen, norm after norm in the order of the passes.
class Recalibration {
 public:
  int64_t batches = 0;
  std::vector<double> sums;
  std::unique_ptr<InferencePlan> plan;
};

swav_input_description default_input() {
  const swav_recipe recipe = image::default_recipe();
  swav_input_description input{};
  input.size = 224;
  std::copy(recipe.mean, recipe.mean + SWAV_MAX_CHANNELS, input.mean);
  std::copy(recipe.std, recipe.std + SWAV_MAX_CHANNELS, input.std);
  // A channel that no picture has gets the means of the three.
  for (int c = 3; c < SWAV_MAX_CHANNELS; ++c) input.mean[c] = 0.449f, input.std[c] = 0.226f;
  return input;
}

Network::Network(const Description& description)
    : input(default_input()), description_(description), parameters_(description_) {}

Network::Network(const swav_network_config& config, uint64_t seed) : Network(describe(config)) { parameters_.initialize(seed); }

Network::~Network() = default;

int64_t Network::output_dim(swav_output output) const {
  switch (output) {
    case SWAV_OUTPUT_FEATURES: return description_.feature_dim;
    case SWAV_OUTPUT_EMBEDDINGS:
      SWAV_REQUIRE(config().dim > 0, "this network has no projection head: only features can be computed");
      return config().dim;
    case SWAV_OUTPUT_SCORES:
      SWAV_REQUIRE(config().head_count > 0, "this network has no prototypes: no scores can be computed");
      return config().prototypes[0];
    case SWAV_OUTPUT_STAGE1:
    case SWAV_OUTPUT_STAGE2:
    case SWAV_OUTPUT_STAGE3: return stage_channels(description_, stage_of(output));
    case SWAV_OUTPUT_GRID: return int64_t(description_.feature_dim) * grid_windows;
  }
  fail(SWAV_ERROR_INTERNAL, "an output that is none");
}

std::unique_ptr<Network> Network::copy() const {
  auto copy = std::make_unique<Network>(description_);
  copy->parameters_.assign(parameters_);
  copy->input = input;
  copy->ranges_ = ranges_;
  if (calibrated_version_ == parameters_.version()) copy->calibrated_version_ = copy->parameters_.version();
  return copy;
}

void Network::Frozen::clear() {
  plans.clear();
  weights.clear();
}

std::unique_ptr<FrozenBackbone> Network::freeze(int64_t count, int32_t height, int32_t width, Precision precision,
                                                bool direct) {
  const Element element = element_of(precision);
  require_memory_for("inference on ", count, height, width,
                     [&](int64_t images) { return frozen_plan_bytes(description_, images, height, width, element, direct); });
  auto graph = std::make_unique<FrozenGraph>(description_, count, height, width, element, direct);
  const std::string signature = graph->signature();
  auto& known = frozen(precision).weights;
  for (const auto& weights : known) {
    if (weights->signature() == signature) return std::make_unique<FrozenBackbone>(std::move(graph), weights);
  }
  if (known.size() == most_plans) known.erase(known.begin());
  known.push_back(precision == Precision::int8 ? std::make_shared<const FrozenWeights>(*graph, parameters_, ranges_, input)
                                               : std::make_shared<const FrozenWeights>(*graph, parameters_));
  return std::make_unique<FrozenBackbone>(std::move(graph), known.back());
}

// Drops what was made of other parameters, and integers that were made for another mean and std.
void Network::drop_outdated() {
  if (frozen_version_ != parameters_.version()) {
    for (Frozen& made : frozen_) made.clear();
    require_finite(parameters_);
    frozen_version_ = parameters_.version();
  }
  if (std::memcmp(&frozen_input_, &input, sizeof input) != 0) frozen(Precision::int8).clear();
  frozen_input_ = input;
}

FrozenPlan& Network::plan_for(Precision precision, int64_t count, int32_t height, int32_t width) {
  auto& plans = frozen(precision).plans;
  const auto found =
      std::find_if(plans.begin(), plans.end(), [&](const auto& plan) { return plan->fits(count, height, width); });
  if (found != plans.end()) {
    std::rotate(found, found + 1, plans.end());
  } else {
    if (plans.size() == most_plans) plans.erase(plans.begin());
    plans.push_back(std::make_unique<FrozenPlan>(description_, parameters_, freeze(count, height, width, precision, false)));
  }
  return *plans.back();
}

void Network::require_calibration(const char* what) const {
  if (calibrated_version_ == parameters_.version()) return;
  fail(SWAV_ERROR_ARGUMENT, "%s asked for, and %s; calibrate on some images first", what,
       ranges_.largest.empty() ? "nothing has been calibrated" : "the weights changed after the calibration");
}

void Network::embed(Precision precision, swav_output output, const float* images, int64_t count, int32_t height, int32_t width,
                    float* result) {
  const int64_t dim = output_dim(output), pixels = int64_t(height) * width * config().channels;
  drop_outdated();
  if (precision == Precision::int8) require_calibration("embedding in integers is");
  if (precision != Precision::float32 && stage_of(output) > 0) {
    fail(SWAV_ERROR_UNSUPPORTED, "maps of inner stages are given in float32, and another precision is asked for");
  }
  if (count > 0)
    plan_for(precision, std::min(inference_batch, count), height, width);  // may not fit: before images are looked at
  require_finite_images("images", images, count, height, width, config().channels);
  for (int64_t at = 0; at < count; at += inference_batch) {
    const int64_t batch = std::min(inference_batch, count - at);
    plan_for(precision, batch, height, width).run(images + at * pixels, output, result + at * dim);
    if (first_not_finite(result + at * dim, batch * dim) >= 0) fail_not_finite(images + at * pixels, batch, height, width);
  }
}

// Finite images and weights, and a result that is not: says behind which layer values stop being finite.
void Network::fail_not_finite(const float* images, int64_t count, int32_t height, int32_t width) {
  const std::unique_ptr<FrozenBackbone> backbone = freeze(count, height, width, Precision::float32, true);
  std::vector<float> features(size_t(count * description_.feature_dim));
  std::string layer;
  backbone->run(images, description_.feature_dim, features.data(), [&](size_t step, const FrozenMap& values) {
    if (layer.empty() && !all_finite(values)) layer = backbone->step_name(step);
  });
  fail(SWAV_ERROR_NUMERIC, "images and weights are finite, and what comes out is not: values grow too large behind %s",
       layer.empty() ? "the features, in the projection head" : layer.c_str());
}

void Network::calibrate(const float* images, int64_t count, int32_t height, int32_t width) {
  require_finite_images("images", images, count, height, width, config().channels);
  drop_outdated();
  const int64_t pixels = int64_t(height) * width * config().channels;
  std::vector<float> features(size_t(description_.feature_dim * inference_batch));
  std::unique_ptr<FrozenBackbone> backbone;
  // A calibration that fails changes nothing.
  ActivationRanges found = calibrated_version_ == parameters_.version() ? ranges_ : ActivationRanges();
  for (int64_t at = 0; at < count; at += inference_batch) {
    const int64_t batch = std::min(inference_batch, count - at);
    if (!backbone || backbone->images() != batch) backbone = freeze(batch, height, width, Precision::float32, true);
    backbone->run(images + at * pixels, description_.feature_dim, features.data(), [&](size_t step, const FrozenMap& values) {
      if (found.largest.size() <= step) found.largest.resize(step + 1);
      found.largest[step].resize(size_t(values.channels), 0.0f);
      observe(values, found.largest[step]);
    });
    if (first_not_finite(features.data(), batch * description_.feature_dim) >= 0)
      fail_not_finite(images + at * pixels, batch, height, width);
  }
  ranges_ = std::move(found);
  calibrated_version_ = parameters_.version();
  frozen(Precision::int8).clear();             // of the old ranges
  frozen(Precision::float32).weights.clear();  // those without Winograd, which nothing else needs
}

std::vector<swav_activation_range> Network::activation_ranges() const {
  require_calibration("ranges of activations are");
  // The steps are the same whatever the images.
  const FrozenGraph graph(description_, 1, SWAV_MIN_SIDE, SWAV_MIN_SIDE, Element::float32, true);
  std::vector<swav_activation_range> ranges;
  for (size_t step = 0; step < graph.steps().size(); ++step) {
    const std::vector<const ConvolutionLayer*>& layers = graph.steps()[step].layers;
    const std::vector<float>& largest = ranges_.largest[step];
    if (!layers.empty()) ranges.push_back({layers[0]->name.c_str(), *std::max_element(largest.begin(), largest.end())});
  }
  return ranges;
}

void Network::recalibrate_begin() { recalibration_ = std::make_unique<Recalibration>(); }

void Network::recalibrate_batch(const float* images, int64_t count, int32_t height, int32_t width) {
  SWAV_REQUIRE(recalibration_ != nullptr, "swav_network_recalibrate_begin comes before a batch");
  require_finite(parameters_);
  auto& plan = recalibration_->plan;
  if (!plan || !plan->fits(count, height, width)) {
    plan.reset();
    require_memory_for("recalibration on ", count, height, width,
                       [&](int64_t images) { return inference_plan_bytes(description_, images, height, width); });
    plan = std::make_unique<InferencePlan>(description_, parameters_, count, height, width);
  }
  require_finite_images("images", images, count, height, width, config().channels);
  plan->run(images, Statistics::batch, SWAV_OUTPUT_FEATURES, nullptr);
  plan->require_finite_moments();
  if (recalibration_->sums.empty()) {
    int64_t size = 0;
    for (const TensorEntry& entry : parameters_.entries()) size += entry.kind == SWAV_TENSOR_BUFFER ? entry.count : 0;
    recalibration_->sums.assign(size_t(size), 0.0);
  }
  plan->add_moments(recalibration_->sums.data());
  ++recalibration_->batches;
}

void Network::recalibrate_end() {
  SWAV_REQUIRE(recalibration_ != nullptr && recalibration_->batches > 0, "no batch has been recalibrated");
  const double* sum = recalibration_->sums.data();
  // The passes visit batch-norms in the order of the state dict, where each has its mean before its variance.
  for (const TensorEntry& entry : parameters_.entries()) {
    if (entry.kind != SWAV_TENSOR_BUFFER) continue;
    float* value = static_cast<float*>(parameters_.data(entry));
    for (int64_t i = 0; i < entry.count; ++i) value[i] = float(*sum++ / double(recalibration_->batches));
  }
  recalibration_.reset();
  parameters_.touch();
}

}  // namespace swav
