// Training on several ranks, each a thread of this process with its part of the images, against one process with all of them.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "api/trainer_config.h"
#include "base/status.h"
#include "rank_share.h"
#include "thread_group.h"
#include "training_bench.h"
#include "worse.h"

using namespace swav;
using namespace swav::test;

namespace {

// What some steps leave behind: reports and, by tensor, the first step's gradients and the last values.
struct Outcome {
  std::vector<swav_step_report> reports;
  std::map<std::string, Floats> gradients, values;
};

class Ranks {
 public:
  swav_network_config network;
  swav_trainer_config config;  // of all ranks together
  int steps = 3;

  // order[b]: the image that takes place b of the batch.
  Outcome run(int ranks, const std::vector<int64_t>& order) const {
    std::vector<Outcome> outcomes(static_cast<size_t>(ranks));
    ThreadGroup group(ranks);
    group.run([&](Communicator& member) { outcomes[size_t(member.rank())] = run_rank(member, order); });
    for (const Outcome& other : outcomes) {
      CHECK(other.values == outcomes[0].values);  // the same bits on every rank
      CHECK(other.reports.back().loss == outcomes[0].reports.back().loss);
    }
    return outcomes[0];
  }

 private:
  Outcome run_rank(Communicator& group, const std::vector<int64_t>& order) const {
    swav_trainer_config own = config;
    own.batch = config.batch / group.size();
    own.queue_length = config.queue_length / group.size();
    Network model(network, 1);
    Trainer trainer(model, api::trainer_settings(own), api::objective(own), group);
    Outcome outcome;
    for (int t = 0; t < steps; ++t) {
      std::vector<Floats> crops;
      std::vector<const float*> pointers;
      for (int32_t g = 0; g < config.group_count; ++g) {
        const int64_t side = config.crop_sizes[g], count = config.crop_counts[g], image = side * side * 3;
        const Floats all = normals(uint64_t(1000 + 10 * t + g), count * config.batch * image);
        Floats ordered(all.size());
        for (int64_t v = 0; v < count; ++v) {
          for (int64_t b = 0; b < config.batch; ++b) {
            std::copy_n(all.begin() + (v * config.batch + order[size_t(b)]) * image, image,
                        ordered.begin() + (v * config.batch + b) * image);
          }
        }
        crops.push_back(share_of(ordered, count, config.batch, group.rank(), group.size()));
      }
      for (const Floats& part : crops) pointers.push_back(part.data());
      swav_step_report report;
      trainer.step({pointers.data(), 0.1, false, true, true}, report);
      outcome.reports.push_back(report);
      for (const TensorEntry& entry : model.parameters().entries()) {
        if (entry.kind == SWAV_TENSOR_COUNTER) continue;
        const float* gradient = trainer.gradients() + entry.offset;
        const float* value = static_cast<const float*>(model.parameters().data(entry));
        if (t == 0 && entry.kind == SWAV_TENSOR_PARAMETER) outcome.gradients[entry.name] = {gradient, gradient + entry.count};
        outcome.values[entry.name] = {value, value + entry.count};
      }
    }
    return outcome;
  }
};

// |a - b| / |b|, the largest over the tensors.
double distance(const std::map<std::string, Floats>& a, const std::map<std::string, Floats>& b) {
  double largest = 0;
  for (const auto& [name, values] : b) {
    double difference = 0, norm = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      difference += std::pow(double(a.at(name)[i]) - double(values[i]), 2);
      norm += std::pow(double(values[i]), 2);
    }
    if (!(norm <= 0)) largest = worse(largest, std::sqrt(difference / norm));
  }
  return largest;
}

// The images in another order, as the ranks, move nothing but roundings, and with them the masks of ReLU and pooling that
// hang on a rounding: the worst tensor's gradient moves by 6e-5 to 1e-2 of its norm, as it happens. A sum that is missing or
// counted twice changes it by half of its size or more. Values move further where AdamW divides by little: as far as eight
// times what another order does.
constexpr double rounding = 5e-2;

void check_equal(const Ranks& ranks, int count) {
  std::vector<int64_t> in_order, rotated;
  for (int64_t b = 0; b < ranks.config.batch; ++b) {
    in_order.push_back(b);
    rotated.push_back((b * 5 + 3) % ranks.config.batch);
  }
  const Outcome one = ranks.run(1, in_order), other = ranks.run(1, rotated), several = ranks.run(count, in_order);
  const double gradients = distance(other.gradients, one.gradients), values = distance(other.values, one.values);
  REQUIRE(gradients > 0);
  CHECK(gradients < rounding);
  CHECK(distance(several.gradients, one.gradients) < rounding);
  CHECK(distance(several.values, one.values) < std::max(rounding, 8 * values));
  for (size_t t = 0; t < one.reports.size(); ++t) {
    const swav_step_report &a = several.reports[t], &b = one.reports[t];
    CAPTURE(t);
    // Later steps begin where roundings have moved the weights, by up to the hundredth that is allowed above.
    const double allowed = t == 0 ? 1e-4 : 1e-2;
    CHECK(a.loss == doctest::Approx(b.loss).epsilon(allowed));
    CHECK(a.gradient_norm == doctest::Approx(b.gradient_norm).epsilon(allowed));
    CHECK(a.code_entropy == doctest::Approx(b.code_entropy).epsilon(allowed));
    CHECK(a.prediction_entropy == doctest::Approx(b.prediction_entropy).epsilon(allowed));
    CHECK(a.score_spread == doctest::Approx(b.score_spread).epsilon(allowed));
    CHECK(a.epsilon == doctest::Approx(b.epsilon).epsilon(allowed));
    CHECK(a.similarity == doctest::Approx(b.similarity).epsilon(10 * allowed));
    CHECK(std::abs(a.prototypes_used - b.prototypes_used) <= 1);  // a tie may fall to the other side
    CHECK(a.queue_used == b.queue_used);
  }
}

}  // namespace

TEST_CASE("two ranks with half the images each train as one process with all: LARC, two resolutions, a queue in use") {
  Ranks ranks{small_network(), small_training()};
  ranks.config.batch = 8;
  ranks.config.queue_length = 8;
  check_equal(ranks, 2);
}

TEST_CASE("four ranks train as one: several sets of prototypes, an epsilon relative to the spread, AdamW") {
  Ranks ranks{small_network(18, SWAV_STEM_IMAGENET), small_training()};
  ranks.network.head_count = 2;
  ranks.network.prototypes[1] = 5;
  ranks.config.batch = 12;
  ranks.config.crop_sizes[0] = 33;
  ranks.config.crop_sizes[1] = 24;
  ranks.config.codes = {0.5f, true, 1e-3f, 3};
  ranks.config.optimizer = SWAV_OPTIMIZER_ADAMW;
  ranks.config.adam_epsilon = 1e-3f;  // a step of AdamW is the gradient's sign where that is next to nothing
  ranks.steps = 2;
  check_equal(ranks, 4);
}

TEST_CASE("two ranks train as one with Winograd's convolutions") {
  Ranks ranks{wide_network(), wide_training()};
  ranks.config.batch = 16;
  ranks.steps = 2;
  check_equal(ranks, 2);
}

TEST_CASE("a value that is not finite on one rank ends the step on all of them, and leaves all as they were") {
  swav_trainer_config config = small_training();
  ThreadGroup group(2);
  std::string messages[2];
  bool unchanged[2] = {false, false};
  group.run([&](Communicator& member) {
    Network model(small_network(), 1);
    const Parameters before = model.parameters();
    Trainer trainer(model, api::trainer_settings(config), api::objective(config), member);
    Floats large = normals(1, 2 * 6 * 16 * 16 * 3), small = normals(2, 2 * 6 * 8 * 8 * 3);
    if (member.rank() == 1) large[99] = std::numeric_limits<float>::quiet_NaN();
    const float* pointers[] = {large.data(), small.data()};
    swav_step_report report;
    try {
      trainer.step({pointers, 0.1, false, false, true}, report);
    } catch (const Error& error) {
      messages[member.rank()] = error.what();
    }
    unchanged[member.rank()] = model.parameters() == before;
  });
  for (int rank : {0, 1}) {
    CHECK(messages[rank].find("not finite") != std::string::npos);
    CHECK(unchanged[rank]);
  }
}
