// Learning from labels: the loss, gradients of layer and backbone, both kinds of batch-norm, two rates, resume, same bits.
#include <cfloat>
#include <cmath>
#include <limits>

#include "classifier_bench.h"
#include "network_twin.h"
#include "objective/label_loss.h"
#include "temporary_folder.h"

using namespace swav;
using namespace swav::test;

namespace {

// weights [classes][dim + 1] on features [rows][dim].
Doubles logits_of(const Doubles& features, const Doubles& weights, int64_t dim, int64_t classes) {
  const int64_t rows = int64_t(features.size()) / dim;
  Doubles logits;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < classes; ++c) {
      double sum = weights[size_t(c * (dim + 1) + dim)];
      for (int64_t d = 0; d < dim; ++d) sum += features[size_t(r * dim + d)] * weights[size_t(c * (dim + 1) + d)];
      logits.push_back(sum);
    }
  }
  return logits;
}

Doubles doubles(const Floats& x) { return Doubles(x.begin(), x.end()); }

// Of a weight after so many steps, each of which rounds sums of some ten products of about 1, as often up as down.
double weight_error(uint64_t steps) { return 10 * double(FLT_EPSILON) * std::sqrt(10 * double(steps)); }

// SGD with momentum in double on features, as torch.optim.SGD states it.
struct LayerTwin {
  Doubles weights, momentum;
  int64_t dim, classes;

  double step(const Floats& values, const std::vector<int32_t>& labels, const swav_classifier_config& c, double rate) {
    const Doubles features = doubles(values);
    const LossTwin loss(logits_of(features, weights, dim, classes), labels, classes, double(c.label_smoothing));
    Doubles gradient(weights.size(), 0.0);
    for (size_t r = 0; r < labels.size(); ++r) {
      for (int64_t k = 0; k < classes; ++k) {
        const double d = loss.gradient[r * size_t(classes) + size_t(k)];
        for (int64_t i = 0; i < dim; ++i) gradient[size_t(k * (dim + 1) + i)] += d * features[r * size_t(dim) + size_t(i)];
        gradient[size_t(k * (dim + 1) + dim)] += d;
      }
    }
    for (size_t i = 0; i < weights.size(); ++i) {
      momentum[i] = double(c.momentum) * momentum[i] + gradient[i] + double(c.weight_decay) * weights[i];
      weights[i] -= rate * momentum[i];
    }
    return loss.loss;
  }
};

// Of the logits of features [rows][dim]: the root of the mean square over the rows, of sums of dim + 1 products and of weights
// that are a weight_error off, as often up as down.
double logit_error(const Floats& values, const LayerTwin& twin, uint64_t steps) {
  double square = 0;
  for (float x : values) square += double(x) * double(x);
  const double dim = double(twin.dim), rows = double(values.size()) / dim, length = std::sqrt(square / rows + 1);
  double largest = 0;
  for (double w : twin.weights) largest = std::max(largest, std::abs(w));
  return length * (weight_error(steps) + std::sqrt(dim + 1) * double(FLT_EPSILON) * largest);
}

}  // namespace

TEST_CASE("the loss of labels and its gradient are the formula's, with and without smoothing") {
  for (int32_t classes : {1, 2, 15, 16, 17, 1000}) {
    for (float smoothing : {0.0f, 0.1f}) {
      const int64_t rows = 9, most = 11;
      Floats logits = normals(3, most * classes, 5);
      std::vector<int32_t> labels;
      for (int64_t r = 0; r < rows; ++r) labels.push_back(int32_t((r * 7) % classes));
      const LossTwin twin(Doubles(logits.begin(), logits.begin() + rows * classes), labels, classes, double(smoothing));
      int64_t right = 0;
      for (int64_t r = 0; r < rows; ++r) {
        const auto row = logits.begin() + r * classes;
        right += std::max_element(row, row + classes) - row == labels[size_t(r)];
      }
      LabelObjective objective(most, classes, smoothing);
      Arena arena;
      arena.lay_out([&] { objective.take(arena); });
      const LabelLoss found = objective.evaluate(logits.data(), labels.data(), rows, group_of_one());
      // exp is right to 2e-7 (kernel_table.h), and so is a probability to about 4e-7; logits reach 20, whose difference to the
      // largest is rounded to 40 eps.
      const double tolerance = 4e-7 + 40 * double(FLT_EPSILON);
      CHECK(std::abs(found.loss - twin.loss) <= tolerance * std::max(1.0, twin.loss));
      CHECK(found.right == right);
      for (int64_t i = 0; i < rows * classes; ++i)
        CHECK(std::abs(double(logits[size_t(i)]) - twin.gradient[size_t(i)]) <= tolerance / double(rows));
      for (int64_t i = rows * classes; i < most * classes; ++i) CHECK(logits[size_t(i)] == 0);
    }
  }
}

TEST_CASE("a layer on features learns as SGD in double does, batches that are not full as well") {
  swav_classifier_config config = small_classifier();
  config.label_smoothing = 0.1f;
  config.weight_decay = 1e-2f;
  ClassifierBench bench(nullptr, config);
  const Floats start = bench.weights();
  CHECK(*std::max_element(start.begin(), start.end()) > 0);
  LayerTwin twin{doubles(start), Doubles(start.size(), 0.0), config.dim, config.classes};
  for (uint64_t t = 0; t < 10; ++t) {
    Floats values = bench.values(t);
    std::vector<int32_t> labels = bench.labels(t);
    const size_t rows = t % 3 == 0 ? 4 : 6;
    values.resize(rows * size_t(config.dim));
    labels.resize(rows);
    const double rate = t < 5 ? 0.5 : 0.1, tolerance = 2 * logit_error(values, twin, t) + 4e-7;
    const double loss = twin.step(values, labels, config, rate);
    REQUIRE_MESSAGE(bench.step_on(values, labels, 1e9, rate) == SWAV_OK, swav_error_message());
    // The loss has a slope of at most 2 in all logits together; the 4e-7 are those of a probability, above.
    CHECK(std::abs(bench.report.loss - loss) <= tolerance);
  }
  const Floats end = bench.weights();
  for (size_t i = 0; i < end.size(); ++i) CHECK(std::abs(double(end[i]) - twin.weights[i]) <= weight_error(10));
}

// As in gradient_test.cpp: the slope along random signs of a tensor, each scaled by 1 / |g|, against the gradient's.
TEST_CASE("gradients of a classifier are the slopes of network and layer in double, with batch and with frozen statistics") {
  constexpr double relative_error = 1e-2;  // gradient_test.cpp says why
  for (bool frozen : {false, true}) {
    for (int32_t depth : {18, 50}) {
      CAPTURE(frozen);
      CAPTURE(depth);
      swav_network_config network = small_network(depth, depth == 18 ? SWAV_STEM_SMALL : SWAV_STEM_IMAGENET);
      network.base_width = depth == 18 ? 4 : 2;
      swav_classifier_config config = small_classifier();
      config.frozen_norms = frozen;
      config.size = depth == 18 ? 16 : 37;
      config.label_smoothing = 0.1f;
      ClassifierBench bench(&network, config);
      if (frozen) {  // buffers that are no 0 and 1
        swav_tensor t;
        for (int64_t i = 0; swav_network_tensor(bench.network, i, &t) == SWAV_OK; ++i) {
          const std::string name = t.name;
          if (name.find("running_") == std::string::npos) continue;
          Floats buffer = normals(uint64_t(40 + i), t.count, 0.2);
          if (name.find("running_var") != std::string::npos)
            for (float& x : buffer) x = 1 + std::abs(x);
          set_values(bench.network, name, buffer);
        }
      }
      const Floats images = bench.values(0);
      const std::vector<int32_t> labels = bench.labels(0);
      const Network& inside = *bench.network->network;
      Twin twin(inside.description(), inside.parameters());
      Doubles weights = doubles(bench.weights());
      const int64_t dim = inside.description().feature_dim;
      const auto loss_of = [&](const Floats& pixels) {
        const Doubles features = twin.features(pixels, config.batch, config.size, !frozen);
        return LossTwin(logits_of(features, weights, dim, config.classes), labels, config.classes, 0.1).loss;
      };
      const auto loss = [&] { return loss_of(images); };
      const double now = loss();
      REQUIRE_MESSAGE(bench.step_on(images, labels, 0, 0) == SWAV_OK, swav_error_message());
      // Each layer rounds by an eps, as often up as down, and what follows it amplifies that, batch-norm over few pixels most
      // of all: so many times as the loss in double says where the images are rounded so, of which each layer does its part.
      double square = 0, sum = 0;
      for (uint64_t draw = 0; draw < 4; ++draw) {
        Random random(draw, Purpose::test);
        Floats moved = images;
        for (float& x : moved) x *= random.next_bits() & 1 ? 1 + FLT_EPSILON : 1 - FLT_EPSILON;
        square += std::pow((loss_of(moved) - now) / double(FLT_EPSILON), 2) / 4;
      }
      for (int l = 1; l <= depth; ++l) sum += std::pow(square, double(l) / depth);
      const double tolerance = 3 * double(FLT_EPSILON) * std::sqrt(sum);
      CHECK(tolerance < 1e-4);
      CHECK(std::abs(bench.report.loss - now) <= tolerance);
      const auto check = [&](const std::string& name, Doubles& values, const float* g, size_t stride, size_t skip) {
        double square = 0;
        for (size_t i = 0; i < values.size(); ++i) square += double(g[i]) * double(g[i]);
        const double scale = 1 / std::sqrt(square), h = 1e-8;
        Random random(stride + skip, Purpose::test);
        const Doubles before = values;
        Doubles direction;
        double along = 0;
        for (size_t i = 0; i < values.size(); ++i) {
          direction.push_back(random.next_bits() & 1 ? scale : -scale);
          along += direction[i] * double(g[i]);
        }
        const auto shifted = [&](double step) {
          for (size_t i = 0; i < values.size(); ++i) values[i] = before[i] + step * direction[i];
          return loss();
        };
        const double slope = (shifted(h) - shifted(-h)) / (2 * h);
        values = before;
        CHECK_MESSAGE(std::abs(along - slope) <= relative_error, name, ": the gradient says ", along, ", the slope is ", slope);
      };
      size_t number = 0;
      for (const TensorEntry& entry : inside.parameters().entries()) {
        if (entry.kind != SWAV_TENSOR_PARAMETER || entry.part != Part::backbone) continue;
        if (number++ % (depth == 18 ? 3 : 17) != 0) continue;
        check(entry.name, twin.tensors[entry.name], bench.classifier->classifier.backbone_gradients() + entry.offset, number,
              0);
      }
      // The layer's gradient is weight, then bias; the twin's weights are interleaved.
      Floats layer;
      const float* g = bench.classifier->classifier.layer_gradients();
      for (int64_t c = 0; c < config.classes; ++c) {
        layer.insert(layer.end(), g + c * dim, g + (c + 1) * dim);
        layer.push_back(g[config.classes * dim + c]);
      }
      check("the layer", weights, layer.data(), 1000, 0);
    }
  }
}

TEST_CASE("each part moves at its own rate, and only the backbone of a network does") {
  const swav_network_config network = small_network();
  for (double backbone : {0.0, 0.1}) {
    for (double layer : {0.0, 0.1}) {
      ClassifierBench bench(&network, small_classifier());
      const State before = state_of(bench.network);
      const Floats weights = bench.weights();
      bench.step(0, backbone, layer);
      const State after = state_of(bench.network);
      CHECK((bench.weights() == weights) == (layer == 0));
      CHECK((after.at("layer1.0.conv1.weight") == before.at("layer1.0.conv1.weight")) == (backbone == 0));
      CHECK(after.at("bn1.running_mean") != before.at("bn1.running_mean"));
      for (const char* name : {"projection_head.0.weight", "projection_head.1.running_mean", "prototypes.weight"})
        CHECK(after.at(name) == before.at(name));
    }
  }
}

TEST_CASE("frozen batch-norms keep their statistics and learn their weights, and images do not see each other") {
  const swav_network_config network = small_network();
  swav_classifier_config config = small_classifier();
  config.frozen_norms = true;
  ClassifierBench bench(&network, config);
  const State before = state_of(bench.network);
  bench.step(0);
  const State after = state_of(bench.network);
  for (const auto& [name, bytes] : before) {
    if (name.find("running") != std::string::npos || name.find("tracked") != std::string::npos) CHECK(after.at(name) == bytes);
  }
  CHECK(after.at("bn1.weight") != before.at("bn1.weight"));
  // The loss of a batch is the mean of those of its images alone.
  swav_classifier_config one = config;
  one.batch = 1;
  ClassifierBench whole(&network, config), alone(&network, one);
  const Floats images = whole.values(3);
  const std::vector<int32_t> labels = whole.labels(3);
  REQUIRE(whole.step_on(images, labels, 0, 0) == SWAV_OK);
  double sum = 0;
  for (int32_t i = 0; i < config.batch; ++i) {
    const Floats image(images.begin() + i * whole.length(), images.begin() + (i + 1) * whole.length());
    REQUIRE(alone.step_on(image, {labels[size_t(i)]}, 0, 0) == SWAV_OK);
    sum += alone.report.loss / config.batch;
  }
  // As above: 18 layers may sum in another order for one image.
  CHECK(std::abs(whole.report.loss - sum) < 3 * 2 * std::sqrt(18.0) * double(FLT_EPSILON));
}

TEST_CASE("a classifier gives the same bits on 1 and on 3 threads") {
  const auto run = [](int32_t threads) {
    const Threads team(threads);
    const swav_network_config network = small_network(50);
    ClassifierBench bench(&network, small_classifier());
    for (uint64_t t = 0; t < 3; ++t) bench.step(t);
    return std::pair(state_of(bench.network), bench.weights());
  };
  CHECK(run(1) == run(3));
}

TEST_CASE("a classifier that is saved and resumed is the one without a break, with and without a network") {
  const TemporaryFolder folder;
  const std::string path = folder / "classifier.safetensors";
  const swav_network_config network = small_network();
  for (const swav_network_config* with : {&network, static_cast<const swav_network_config*>(nullptr)}) {
    ClassifierBench whole(with, small_classifier()), first(with, small_classifier()), second(with, small_classifier(), 9);
    for (uint64_t t = 0; t < 4; ++t) whole.step(t);
    for (uint64_t t = 0; t < 2; ++t) first.step(t);
    REQUIRE(swav_classifier_save(first.classifier, path.c_str(), "two steps") == SWAV_OK);
    second.step(7);
    swav_input_description other{96, {0.1f, 0.2f, 0.3f}, {0.5f, 0.6f, 0.7f}}, found{};
    if (with) REQUIRE(swav_network_describe_input(second.network, &other) == SWAV_OK);
    REQUIRE_MESSAGE(swav_classifier_load(second.classifier, path.c_str()) == SWAV_OK, swav_error_message());
    for (uint64_t t = 2; t < 4; ++t) second.step(t);
    CHECK(second.weights() == whole.weights());
    if (with) CHECK(state_of(second.network) == state_of(whole.network));
    if (with) CHECK((swav_network_input(second.network, &found) == SWAV_OK && found.size == 224));
    char note[32];
    size_t size = 0;
    CHECK(swav_checkpoint_note(path.c_str(), note, sizeof note, &size) == SWAV_OK);
    CHECK(std::string(note) == "two steps");
  }
}

TEST_CASE("a checkpoint of other settings or of something else is refused and changes nothing") {
  const TemporaryFolder folder;
  const std::string path = folder / "classifier.safetensors";
  const swav_network_config network = small_network();
  ClassifierBench bench(&network, small_classifier());
  bench.step(0);
  REQUIRE(swav_classifier_save(bench.classifier, path.c_str(), nullptr) == SWAV_OK);
  swav_classifier_config other = small_classifier();
  other.label_smoothing = 0.5f;
  other.classes = 6;
  ClassifierBench stranger(&network, other, 5);
  const State before = state_of(stranger.network);
  const Floats weights = stranger.weights();
  CHECK(swav_classifier_load(stranger.classifier, path.c_str()) == SWAV_ERROR_FORMAT);
  const std::string message = swav_error_message();
  CHECK_MESSAGE(message.find("classes: file has 5, this run has 6") != std::string::npos, message);
  CHECK_MESSAGE(message.find("label_smoothing") != std::string::npos, message);
  REQUIRE(swav_network_save(bench.network, path.c_str()) == SWAV_OK);
  CHECK(swav_classifier_load(stranger.classifier, path.c_str()) == SWAV_ERROR_FORMAT);
  CHECK(std::string(swav_error_message()).find("holds no classifier's training state") != std::string::npos);
  CHECK(swav_classifier_load(stranger.classifier, (folder / "none").c_str()) == SWAV_ERROR_IO);
  CHECK(state_of(stranger.network) == before);
  CHECK(stranger.weights() == weights);
}

TEST_CASE("a step that fails leaves network, layer and momentum as they were") {
  const swav_network_config network = small_network();
  ClassifierBench bench(&network, small_classifier()), twin(&network, small_classifier());
  bench.step(0);
  twin.step(0);
  const State before = state_of(bench.network);
  Floats images = bench.values(1);
  images[77] = std::numeric_limits<float>::quiet_NaN();
  CHECK(bench.step_on(images, bench.labels(1), 0.1, 0.1) == SWAV_ERROR_NUMERIC);
  images = bench.values(1);
  std::vector<int32_t> labels = bench.labels(1);
  labels[3] = 5;
  CHECK(bench.step_on(images, labels, 0.1, 0.1) == SWAV_ERROR_ARGUMENT);
  CHECK(std::string(swav_error_message()) == "label 3 is 5; 0 to 4 is allowed");
  labels.pop_back();
  CHECK(bench.step_on(images, labels, 0.1, 0.1) == SWAV_ERROR_ARGUMENT);
  CHECK(state_of(bench.network) == before);
  bench.step(2);
  twin.step(2);
  CHECK(state_of(bench.network) == state_of(twin.network));
  CHECK(bench.weights() == twin.weights());
}

TEST_CASE("the plan of a classifier says what its parts take, and a batch that does not fit is refused") {
  const swav_network_config network = small_network();
  ClassifierBench bench(&network, small_classifier());
  swav_memory_plan plan;
  REQUIRE(swav_classifier_memory(bench.classifier, &plan) == SWAV_OK);
  CHECK(plan.parameters + plan.gradients + plan.optimizer + plan.activations + plan.workspace + plan.scratch == plan.total);
  CHECK(plan.gradients == plan.optimizer);
  swav_classifier_config large = small_classifier();
  large.batch = 65536;
  large.size = 4096;
  swav_classifier* none = nullptr;
  CHECK(swav_classifier_create(bench.network, &large, &none) == SWAV_ERROR_MEMORY);
  CHECK(none == nullptr);
}

TEST_CASE("images whose variance no float says end the step, and the network stays as it was") {
  const swav_network_config network_config = small_network();
  ClassifierBench bench(&network_config, small_classifier());
  bench.step(0);
  const State before = state_of(bench.network);
  Floats values = bench.values(1);
  values[7] = 1e22f;
  CHECK(bench.step_on(values, bench.labels(1), 0.05, 0.1) == SWAV_ERROR_NUMERIC);
  CHECK(state_of(bench.network) == before);
}
