// What the published method does over whole steps: frozen prototypes, and the queue across a restart.
#include <doctest/doctest.h>

#include <cfloat>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "swav.h"
#include "temporary_folder.h"

namespace {

using Floats = std::vector<float>;

void require(swav_status status) { REQUIRE_MESSAGE(status == SWAV_OK, swav_error_message()); }

// A small network with its trainer: 2 crops of 16 pixels, 8 images, 12 prototypes, a queue of 3 batches.
class Run {
 public:
  static constexpr int32_t batch = 8, prototypes = 12, dim = 6;

  explicit Run(swav_optimizer rule = SWAV_OPTIMIZER_LARC, int32_t queue = 3 * batch) {
    swav_network_config config = swav_network_config_default();
    config.depth = 18;
    config.base_width = 2;
    config.stem = SWAV_STEM_SMALL;
    config.hidden = 8;
    config.dim = dim;
    config.prototypes[0] = prototypes;
    require(swav_network_create(&config, 5, &network_));
    swav_trainer_config settings = swav_trainer_config_default();
    settings.group_count = 1;
    settings.crop_counts[0] = 2;
    settings.crop_sizes[0] = 16;
    settings.batch = batch;
    settings.queue_length = queue;
    settings.optimizer = rule;
    settings.weight_decay = 0.1f;
    require(swav_trainer_create(network_, &settings, &trainer_));
  }
  ~Run() {
    swav_trainer_destroy(trainer_);
    swav_network_destroy(network_);
  }
  Run(const Run&) = delete;

  swav_step_report step(uint64_t number, double rate, bool freeze, bool use_queue = true) {
    swav::Random random(9, swav::Purpose::test, number);
    Floats crops;
    for (int i = 0; i < 2 * batch * 16 * 16 * 3; ++i) crops.push_back(float(random.uniform(-1, 1)));
    const float* pointers[1] = {crops.data()};
    const swav_step_input input{pointers, rate, freeze, use_queue, true};
    swav_step_report report;
    require(swav_trainer_step(trainer_, &input, &report));
    return report;
  }

  Floats tensor(const std::string& name) const {
    swav_network_info info;
    require(swav_network_describe(network_, &info));
    for (int64_t i = 0; i < info.tensor_count; ++i) {
      swav_tensor tensor;
      require(swav_network_tensor(network_, i, &tensor));
      if (name != tensor.name) continue;
      Floats values(size_t(tensor.count));
      require(swav_network_read_tensor(network_, i, values.data(), tensor.count));
      return values;
    }
    FAIL("no tensor ", name);
    return {};
  }
  Floats prototype_rows() const { return tensor("prototypes.weight"); }
  swav_trainer* trainer() const { return trainer_; }

 private:
  swav_network* network_ = nullptr;
  swav_trainer* trainer_ = nullptr;
};

// Length and direction of row k.
double row_norm(const Floats& rows, int k) {
  double sum = 0;
  for (int d = 0; d < Run::dim; ++d) sum += std::pow(double(rows[size_t(k * Run::dim + d)]), 2);
  return std::sqrt(sum);
}

}  // namespace

TEST_CASE("frozen prototypes keep their direction and are only renormalised, under every optimiser") {
  for (const swav_optimizer rule : {SWAV_OPTIMIZER_LARC, SWAV_OPTIMIZER_SGD, SWAV_OPTIMIZER_ADAMW}) {
    Run run(rule);
    const Floats before = run.prototype_rows(), weights = run.tensor("layer4.1.conv2.weight");
    for (uint64_t t = 0; t < 4; ++t) run.step(t, 0.01, true);
    const Floats after = run.prototype_rows();
    CHECK(run.tensor("layer4.1.conv2.weight") != weights);
    for (int k = 0; k < Run::prototypes; ++k) {
      CHECK(std::abs(row_norm(after, k) - 1) < 2 * double(FLT_EPSILON));
      const double norm = row_norm(before, k);
      for (int d = 0; d < Run::dim; ++d) {
        const size_t i = size_t(k * Run::dim + d);
        // Divided by a norm once, and by a norm of 1 up to rounding three times more: 4 eps.
        CHECK(std::abs(double(after[i]) - double(before[i]) / norm) <
              4 * double(FLT_EPSILON) * (std::abs(double(before[i])) / norm));
      }
    }
  }
}

TEST_CASE("the first update of released prototypes has length lr * trust * sqrt(K), without momentum from the freeze") {
  Run run;
  for (uint64_t t = 0; t < 4; ++t) run.step(t, 2.0, true);
  const Floats before = run.prototype_rows();  // of unit norm: the next step's renormalisation changes rounding only
  run.step(4, 2.0, false);
  const Floats after = run.prototype_rows();
  double length = 0;
  for (size_t i = 0; i < after.size(); ++i) length += std::pow(double(after[i]) - double(before[i]), 2);
  // |p| = sqrt(K); a |g + wd p| / (trust |p|) = |g + wd p| / (|g| + wd |p|) <= 1, and >= (|g| - wd |p|) / (|g| + wd |p|).
  const double limit = 2.0 * 0.001 * std::sqrt(double(Run::prototypes));
  CHECK(std::sqrt(length) <= limit * (1 + 1e-3));
  CHECK(std::sqrt(length) > limit * 0.2);  // with momentum of four steps it would be above 1, without LARC far off
}

TEST_CASE("prototypes have unit norm at every forward, and one update past it afterwards") {
  Run run;
  run.step(0, 50.0, false);
  const Floats after = run.prototype_rows();
  double largest = 0;
  for (int k = 0; k < Run::prototypes; ++k) largest = std::max(largest, std::abs(row_norm(after, k) - 1));
  CHECK(largest > 1e-3);
  run.step(1, 0.0, false);  // renormalises, and does not update
  const Floats again = run.prototype_rows();
  for (int k = 0; k < Run::prototypes; ++k) CHECK(std::abs(row_norm(again, k) - 1) < 2 * double(FLT_EPSILON));
}

TEST_CASE("a run restored with a half-full and a full queue continues identically, and uses the queue in the same steps") {
  const swav::test::TemporaryFolder folder;
  for (const uint64_t stop : {2u, 5u}) {
    Run whole, first, second;
    for (uint64_t t = 0; t < stop; ++t) {
      CHECK(whole.step(t, 1.0, t < 1).loss == first.step(t, 1.0, t < 1).loss);
    }
    const std::string path = folder / "checkpoint";
    require(swav_trainer_save(first.trainer(), path.c_str(), nullptr));
    require(swav_trainer_load(second.trainer(), path.c_str(), nullptr));
    for (uint64_t t = stop; t < stop + 4; ++t) {
      const swav_step_report a = whole.step(t, 1.0, false), b = second.step(t, 1.0, false);
      CHECK(a.loss == b.loss);
      CHECK(a.queue_used == b.queue_used);
      CHECK(a.queue_used == (t >= 3));
    }
    CHECK(whole.prototype_rows() == second.prototype_rows());
  }
}

TEST_CASE("a queue that is not full, or not asked for, does not change the step") {
  Run with, without(SWAV_OPTIMIZER_LARC, 0), idle;
  for (uint64_t t = 0; t < 3; ++t) {
    const double loss = with.step(t, 1.0, false).loss;
    CHECK(without.step(t, 1.0, false).loss == loss);
    CHECK(idle.step(t, 1.0, false, false).loss == loss);
  }
  CHECK(with.step(3, 1.0, false).loss != without.step(3, 1.0, false).loss);
  CHECK_FALSE(idle.step(3, 1.0, false, true).queue_used);  // it starts to fill when it is first asked for
}
