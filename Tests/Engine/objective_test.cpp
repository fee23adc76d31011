// The seam between trainer and objective: other objectives than SwAV's train a network, and only what they say is saved.
#include <doctest/doctest.h>

#include <cmath>

#include "api/trainer_config.h"
#include "base/status.h"
#include "network_twin.h"
#include "temporary_folder.h"
#include "training/trainer.h"
#include "training_bench.h"

using namespace swav;
using namespace swav::test;

namespace {

// Softmax cross-entropy of scores / temperature with a label for each image, as supervised training has it.
class LabelledImages final : public Objective {
 public:
  explicit LabelledImages(int64_t classes) : classes_(classes) {}
  static constexpr double temperature = 0.5;

  void check(const ObjectiveShape& shape) const override { SWAV_REQUIRE(shape.prototypes.size() == 1, "one set is needed"); }
  void take_state(Arena&, const ObjectiveShape&) override {}
  void take(Arena&, const ObjectiveShape& shape) override { shape_ = shape; }
  void prepare(const HeadOutput&) override {}
  void evaluate(const HeadOutput& output, const swav_step_input&, Communicator&, swav_step_report& report) override {
    float* scores = output.sets[0].scores;
    const int64_t k = shape_.prototypes[0];
    for (int64_t row = 0; row < shape_.rows(); ++row) {
      double normalizer = 0;
      for (int64_t i = 0; i < k; ++i) normalizer += std::exp(double(scores[row * k + i]) / temperature);
      const int64_t label = row % shape_.batch % classes_;
      report.loss -= (double(scores[row * k + label]) / temperature - std::log(normalizer)) / double(shape_.rows());
      for (int64_t i = 0; i < k; ++i) {
        const double p = std::exp(double(scores[row * k + i]) / temperature) / normalizer;
        scores[row * k + i] = float((p - double(i == label)) / (temperature * double(shape_.rows())));
      }
    }
  }
  void finish(const HeadOutput&, const swav_step_input&) override { ++updates; }
  std::vector<StateArray> state() override { return {{"updates", {}, nullptr, &updates}}; }
  std::vector<Setting> settings() const override { return {{"classes", double(classes_)}}; }

  int64_t updates = 0;

 private:
  int64_t classes_;
  ObjectiveShape shape_;
};

// Embeddings of an image's crops towards each other, without prototypes: minus the mean cosine of crop 0 and crop 1.
class CloseCrops final : public Objective {
 public:
  void check(const ObjectiveShape&) const override {}
  void take_state(Arena&, const ObjectiveShape&) override {}
  void take(Arena&, const ObjectiveShape& shape) override { shape_ = shape; }
  bool differentiates_embeddings() const override { return true; }
  void prepare(const HeadOutput&) override {}
  void evaluate(const HeadOutput& output, const swav_step_input&, Communicator&, swav_step_report& report) override {
    const int64_t count = shape_.batch * shape_.dim;  // of a crop
    for (int64_t i = 0; i < count; ++i) {
      report.loss -= double(output.embeddings[i]) * double(output.embeddings[count + i]) / double(shape_.batch);
      output.d_embeddings[i] = -output.embeddings[count + i] / float(shape_.batch);
      output.d_embeddings[count + i] = -output.embeddings[i] / float(shape_.batch);
    }
    std::fill(output.d_embeddings + 2 * count, output.d_embeddings + shape_.rows() * shape_.dim, 0.0f);
  }
  void finish(const HeadOutput&, const swav_step_input&) override {}
  std::vector<StateArray> state() override { return {}; }
  std::vector<Setting> settings() const override { return {}; }

 private:
  ObjectiveShape shape_;
};

TrainerSettings two_crops(int32_t batch = 6) {
  TrainerSettings settings;
  settings.groups = {{2, 16}};
  settings.batch = batch;
  settings.optimizer = {SWAV_OPTIMIZER_ADAMW, 0.9f, 0.001f, 0.9f, 0.999f, 1e-8f, 0.0f};
  return settings;
}

swav_step_report step(Trainer& trainer, const Floats& crops, bool update = true) {
  const float* pointers[] = {crops.data()};
  swav_step_report report;
  trainer.step({pointers, 0.003, false, false, update}, report);
  return report;
}

// The gradient of the whole network along random signs against the slope of `loss`, a function of the twin.
template <class Loss>
void check_slope(const Network& network, const Trainer& trainer, Twin& twin, Loss loss) {
  std::map<std::string, Doubles> direction;
  double along = 0, square = 0;
  Random random(4, Purpose::test);
  for (const TensorEntry& entry : network.parameters().entries()) {
    if (entry.kind != SWAV_TENSOR_PARAMETER) continue;
    for (int64_t i = 0; i < entry.count; ++i) {
      const double g = double(trainer.gradients()[entry.offset + i]);
      direction[entry.name].push_back(random.next_bits() & 1 ? 1 : -1);
      along += g * direction[entry.name].back();
      square += g * g;
    }
  }
  const double h = 1e-8, before = along;
  const auto shift = [&](double by) {
    for (auto& [name, signs] : direction) {
      for (size_t i = 0; i < signs.size(); ++i) twin.tensors[name][i] += by * signs[i];
    }
  };
  shift(h);
  const double up = loss();
  shift(-2 * h);
  const double down = loss();
  shift(h);
  CHECK(std::abs(before - (up - down) / (2 * h)) <= 1e-2 * std::sqrt(square));  // relative_error of gradient_test.cpp
}

}  // namespace

TEST_CASE("an objective over labels trains a network: its gradients are the slopes of its loss, which falls") {
  const Floats crops = normals(1, 12 * 16 * 16 * 3);
  Network network(small_network(), 1);
  Trainer trainer(network, two_crops(), std::make_unique<LabelledImages>(3));
  const swav_step_report first = step(trainer, crops, false);
  Twin twin(network.description(), network.parameters());
  const auto loss = [&] {
    const Doubles s = twin.scores(twin.embeddings(twin.features(crops, 12, 16, true), true), 0);
    double total = 0;
    for (size_t row = 0; row < 12; ++row) {
      Doubles x(s.begin() + int64_t(row) * 12, s.begin() + int64_t(row + 1) * 12);
      for (double& v : x) v /= LabelledImages::temperature;
      total += (log_sum_exp(x) - x[row % 6 % 3]) / 12;
    }
    return total;
  };
  CHECK(std::abs(first.loss - loss()) < 1e-5);
  check_slope(network, trainer, twin, loss);
  for (int t = 0; t < 30; ++t) step(trainer, crops);
  CHECK(step(trainer, crops).loss < 0.5 * first.loss);
}

TEST_CASE("an objective over embeddings alone trains a network that has no prototypes") {
  const Floats crops = normals(2, 12 * 16 * 16 * 3);
  swav_network_config config = small_network();
  config.head_count = 0;
  Network network(config, 1);
  Trainer trainer(network, two_crops(), std::make_unique<CloseCrops>());
  const swav_step_report first = step(trainer, crops, false);
  Twin twin(network.description(), network.parameters());
  const auto loss = [&] {
    const Doubles z = twin.embeddings(twin.features(crops, 12, 16, true), true);
    double total = 0;
    for (size_t i = 0; i < 6 * 8; ++i) total -= z[i] * z[6 * 8 + i] / 6;
    return total;
  };
  CHECK(std::abs(first.loss - loss()) < 1e-5);
  check_slope(network, trainer, twin, loss);
  for (int t = 0; t < 30; ++t) step(trainer, crops);
  CHECK(step(trainer, crops).loss < -0.9);
}

TEST_CASE("a checkpoint holds the state of whatever objective there is, and belongs to its settings") {
  const TemporaryFolder folder;
  const std::string path = folder / "checkpoint";
  const Floats crops = normals(3, 12 * 16 * 16 * 3);
  Network network(small_network(), 1), other(small_network(), 2);
  auto objective = std::make_unique<LabelledImages>(3);
  Trainer trainer(network, two_crops(), std::move(objective));
  for (int t = 0; t < 3; ++t) step(trainer, crops);
  trainer.save(path, "");

  auto restored = std::make_unique<LabelledImages>(3);
  const LabelledImages& state = *restored;
  Trainer resumed(other, two_crops(), std::move(restored));
  resumed.load(path);
  CHECK(state.updates == 3);
  CHECK(step(resumed, crops).loss == step(trainer, crops).loss);
  CHECK(network.parameters() == other.parameters());

  Trainer different(other, two_crops(), std::make_unique<LabelledImages>(4));
  CHECK_THROWS_WITH_AS(different.load(path), (path + " belongs to other settings: classes: file has 3, this run has 4").c_str(),
                       Error);
}

TEST_CASE("an objective that a network does not suit is refused before anything is allocated") {
  swav_network_config config = small_network();
  config.head_count = 0;
  Network network(config, 1);
  CHECK_THROWS_WITH_AS(Trainer(network, two_crops(), std::make_unique<LabelledImages>(3)), "one set is needed", Error);
  CHECK_THROWS_WITH_AS(Trainer(network, two_crops(), api::objective(small_training())),
                       "the network has no prototypes; swapped prediction needs at least one set", Error);
  config.dim = 0;
  Network headless(config, 1);
  CHECK_THROWS_WITH_AS(Trainer(headless, two_crops(), std::make_unique<CloseCrops>()),
                       "the network has no projection head; training needs embeddings", Error);
}
