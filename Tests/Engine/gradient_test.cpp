// The whole backward: every tensor's gradient is the slope of the same network in double (network_twin.h), codes held fixed.
#include <cmath>
#include <string>

#include "network_twin.h"
#include "training_bench.h"

using namespace swav;
using namespace swav::test;

namespace {

// Loss of the twin for crops of a bench; the codes are found once, at the first call, and then kept.
class TwinLoss {
 public:
  Twin twin;

  TwinLoss(const TrainingBench& bench, const std::vector<Floats>& crops)
      : twin(bench.description(), bench.parameters()), bench_(bench), crops_(crops) {}

  double operator()() {
    const swav_trainer_config& t = bench_.config;
    const swav_network_config& n = bench_.description().config;
    Doubles features;
    for (int32_t g = 0; g < t.group_count; ++g) {
      const Doubles part = twin.features(crops_[size_t(g)], int64_t(t.crop_counts[g]) * t.batch, t.crop_sizes[g], true);
      features.insert(features.end(), part.begin(), part.end());
    }
    const Doubles z = twin.embeddings(features, true);
    double loss = 0;
    for (int32_t h = 0; h < n.head_count; ++h) {
      const Doubles s = twin.scores(z, h);
      if (codes_.size() <= size_t(h)) codes_.push_back(codes_of(s, n.prototypes[h]));
      loss += swapped(s, codes_[size_t(h)], n.prototypes[h]) / n.head_count;
    }
    return loss;
  }

 private:
  // Codes of the assignment crops, one after the other.
  Doubles codes_of(const Doubles& scores, int64_t k) const {
    const int64_t block = bench_.config.batch * k;
    Doubles codes;
    for (int32_t a = 0; a < bench_.config.assign_count; ++a) {
      const auto begin = scores.begin() + bench_.config.assign[a] * block;
      const Doubles q = log_domain_codes(Floats(begin, begin + block), bench_.config.batch, k, 0.05, 3);
      codes.insert(codes.end(), q.begin(), q.end());
    }
    return codes;
  }

  // Mean over assignment crops, other crops and images of the cross-entropy.
  double swapped(const Doubles& scores, const Doubles& codes, int64_t k) const {
    const swav_trainer_config& t = bench_.config;
    const int64_t crops = int64_t(scores.size()) / (t.batch * k);
    double total = 0;
    for (int32_t a = 0; a < t.assign_count; ++a) {
      for (int64_t row = 0; row < crops * t.batch; ++row) {
        if (row / t.batch == t.assign[a]) continue;
        Doubles x;
        for (int64_t i = 0; i < k; ++i) x.push_back(scores[size_t(row * k + i)] / double(t.temperature));
        const double normalizer = log_sum_exp(x);
        for (int64_t i = 0; i < k; ++i)
          total -= codes[size_t((a * t.batch + row % t.batch) * k + i)] * (x[size_t(i)] - normalizer);
      }
    }
    return total / double(t.assign_count * (crops - 1) * t.batch);
  }

  const TrainingBench& bench_;
  const std::vector<Floats>& crops_;
  std::vector<Doubles> codes_;
};

// A layer's tensors: a convolution with its batch-norm, or a part of the head.
struct LayerTensors {
  std::string name;
  std::vector<TensorEntry> entries;
};

// "layer1.0.bn1" belongs to "layer1.0.conv1", "downsample.1" to "downsample.0".
std::string layer_name(const std::string& tensor) {
  std::string name = tensor.substr(0, tensor.rfind('.'));
  const size_t norm = name.rfind("bn"), side = name.rfind("downsample.1");
  if (norm != std::string::npos) name.replace(norm, 2, "conv");
  if (side != std::string::npos) name.back() = '0';
  return name;
}

std::vector<LayerTensors> layers_of(const Parameters& parameters) {
  std::vector<LayerTensors> layers;
  for (const TensorEntry& entry : parameters.entries()) {
    if (entry.kind != SWAV_TENSOR_PARAMETER) continue;
    const std::string name = layer_name(entry.name);
    if (layers.empty() || layers.back().name != name) layers.push_back({name, {}});
    layers.back().entries.push_back(entry);
  }
  return layers;
}

// The relative error of a gradient in float, after 20 to 53 layers of rounding and of batch-norms over a few dozen values,
// which divide by small deviations: about seven times the largest that was seen. A forgotten or doubled term shows as about 1;
// a value so near to zero that float and double disagree about its ReLU as a few hundredths, so sizes and seeds are such that
// there is none.
constexpr double relative_error = 1e-2;

// Checks the slope of the loss along random signs s of all tensors of a layer, each scaled by 1 / |g|: an error e of one
// gradient g shows as about |e| / |g|, wherever in the tensor it is.
void check_layer(TrainingBench& bench, TwinLoss& loss, const LayerTensors& layer) {
  std::map<std::string, Doubles> directions;
  double along = 0;
  for (const TensorEntry& entry : layer.entries) {
    const Floats g = gradient_of(bench.network, bench.trainer, entry.name);
    double square = 0;
    for (float value : g) square += double(value) * double(value);
    const double scale = 1 / (square > 0 ? std::sqrt(square) : std::sqrt(double(entry.count)));
    Random random(uint64_t(entry.offset), Purpose::test);
    Doubles& direction = directions[entry.name];
    for (int64_t i = 0; i < entry.count; ++i) {
      direction.push_back(random.next_bits() & 1 ? scale : -scale);
      along += direction.back() * double(g[size_t(i)]);
    }
  }
  const std::map<std::string, Doubles> before = loss.twin.tensors;
  const double h = 1e-8;  // small enough to cross hardly a ReLU's corner; the rounding of the loss, 1e-15, over h is 1e-7
  const auto shifted = [&](double step) {
    for (const auto& [name, direction] : directions) {
      for (size_t i = 0; i < direction.size(); ++i) loss.twin.tensors[name][i] = before.at(name)[i] + step * direction[i];
    }
    return loss();
  };
  const double slope = (shifted(h) - shifted(-h)) / (2 * h);
  loss.twin.tensors = before;
  CHECK_MESSAGE(std::abs(along - slope) <= relative_error, layer.name, ": the gradient says ", along, ", the slope is ", slope);
}

// stride: checks every so many layers, of a network that takes long in double.
void check_gradients(const swav_network_config& network, const swav_trainer_config& training, size_t stride = 1) {
  TrainingBench bench(network, training);
  const std::vector<Floats> crops = bench.crops(0);
  REQUIRE_MESSAGE(bench.step_on(crops, 0, false) == SWAV_OK, swav_error_message());
  TwinLoss loss(bench, crops);
  CHECK(std::abs(bench.report.loss - loss()) < 1e-4);
  const std::vector<LayerTensors> layers = layers_of(bench.parameters());
  for (size_t i = 0; i < layers.size(); i += stride) check_layer(bench, loss, layers[i]);
  double square = 0;
  for (const TensorEntry& entry : bench.parameters().entries()) {
    if (entry.kind != SWAV_TENSOR_PARAMETER) continue;
    for (float g : gradient_of(bench.network, bench.trainer, entry.name)) square += double(g) * double(g);
  }
  CHECK(bench.report.gradient_norm == doctest::Approx(std::sqrt(square)).epsilon(1e-6));
}

}  // namespace

TEST_CASE("gradients of ResNet-18 with the small stem are the slopes of the network in double") {
  check_gradients(small_network(18, SWAV_STEM_SMALL, 16), small_training());
}

TEST_CASE(
    "gradients of ResNet-18 with the ImageNet stem, one linear layer as head and three sets of prototypes are the slopes") {
  swav_network_config network = small_network(18, SWAV_STEM_IMAGENET, 0);
  network.head_count = 3;
  network.prototypes[1] = 5;
  network.prototypes[2] = 17;
  swav_trainer_config training = small_training();
  training.crop_sizes[0] = 33;
  training.crop_sizes[1] = 24;
  check_gradients(network, training);
}

TEST_CASE("gradients of ResNet-50 with the ImageNet stem are the slopes of the network in double") {
  swav_network_config network = small_network(50, SWAV_STEM_IMAGENET, 16);
  network.base_width = 2;
  network.channels = 1;
  swav_trainer_config training = small_training();
  training.crop_sizes[0] = 37;
  training.crop_sizes[1] = 33;
  training.batch = 4;
  training.assign_count = 1;
  training.assign[0] = 1;
  check_gradients(network, training);
}

TEST_CASE("gradients of ResNet-50 with the small stem and four input channels are the slopes of the network in double") {
  swav_network_config network = small_network(50, SWAV_STEM_SMALL, 16);
  network.base_width = 2;
  network.channels = 4;
  swav_trainer_config training = small_training();
  training.batch = 4;
  check_gradients(network, training);
}

// Winograd's products are about ten times as far off as direct ones (winograd_test.cpp): 97 / 9 * eps a layer, a few 1e-5 after
// 18 of them, which leaves the bound where it is.
TEST_CASE("gradients of a network wide enough for Winograd's convolutions are the slopes of the network in double") {
  swav_trainer_config training = wide_training();
  training.crop_counts[1] = 0;
  training.group_count = 1;
  training.crop_sizes[0] = 8;
  TrainingBench bench(wide_network(), training);
  CHECK(bench.winograd_layers() >= 4);
  check_gradients(wide_network(), training, 3);
}
