// What a trainer tells about its last step through the C interface, healthy and sick.
#include <cmath>

#include "training_bench.h"

using namespace swav;
using namespace swav::test;

namespace {

swav_health health_of(TrainingBench& bench) {
  swav_health health;
  REQUIRE_MESSAGE(swav_trainer_health(bench.trainer, &health) == SWAV_OK, swav_error_message());
  return health;
}

}  // namespace

TEST_CASE("health is that of the last step, in its ranges, and an error before the first") {
  TrainingBench bench(small_network(), small_training());
  swav_health health;
  CHECK(swav_trainer_health(bench.trainer, &health) == SWAV_ERROR_ARGUMENT);
  CHECK(std::string(swav_error_message()) == "health is that of the last step, which was not made or failed");
  CHECK(swav_trainer_health(nullptr, &health) == SWAV_ERROR_ARGUMENT);
  for (uint64_t t = 0; t < 3; ++t) bench.step(t);
  health = health_of(bench);
  const swav_step_report& r = bench.report;
  CHECK(health.prototypes == 12);
  CHECK(health.window == 3);
  CHECK(health.perplexity >= 1);
  CHECK(health.perplexity <= 12);
  CHECK(health.dead_prototypes <= 12 - r.prototypes_used);
  CHECK(health.duplicate_prototypes == 0);
  CHECK(health.code_entropy == r.code_entropy);
  CHECK(health.prediction_entropy == r.prediction_entropy);
  CHECK(health.sinkhorn_error == r.sinkhorn_error);
  CHECK(health.similarity == r.similarity);
  CHECK(r.prediction_entropy > 0);
  CHECK(r.prediction_entropy <= 1);
  CHECK(r.sinkhorn_error > 0);
  CHECK(r.sinkhorn_error < 12);
  CHECK(health.embedding_rank > 1);
  CHECK(health.embedding_rank <= 8);
  CHECK(health.embedding_deviation > 0);
  CHECK(health.embedding_deviation <= 1.05);  // unit vectors: 1 but for n / (n - 1)
  CHECK(health.least_deviation <= health.embedding_deviation);
  // One that fails leaves nothing to be asked about, and all else as it was: a calibration stays that of the weights.
  const Floats images = normals(5, 2 * 16 * 16 * 3);
  Floats features(2 * 32), again(2 * 32);
  REQUIRE(swav_network_calibrate(bench.network, images.data(), 2, 16, 16) == SWAV_OK);
  const auto embed = [&](Floats& to) {
    return swav_network_embed_int8(bench.network, SWAV_OUTPUT_FEATURES, images.data(), 2, 16, 16, to.data());
  };
  REQUIRE(embed(features) == SWAV_OK);
  std::vector<Floats> spoilt = bench.crops(3);
  spoilt[0][7] = NAN;
  CHECK(bench.step_on(spoilt) == SWAV_ERROR_NUMERIC);
  CHECK(bench.step_on(bench.crops(3), 1e31) == SWAV_ERROR_ARGUMENT);  // infinite as a float where AdamW begins
  CHECK(swav_trainer_health(bench.trainer, &health) == SWAV_ERROR_ARGUMENT);
  CHECK_MESSAGE(embed(again) == SWAV_OK, swav_error_message());
  CHECK(again == features);
  bench.step(4);
  CHECK(swav_trainer_health(bench.trainer, &health) == SWAV_OK);
}

TEST_CASE("one image in every place: embeddings have rank 1 up to their crops, and all of them are alike") {
  TrainingBench bench(small_network(), small_training());
  std::vector<Floats> crops = bench.crops(0);
  for (size_t g = 0; g < crops.size(); ++g) {
    const size_t image = size_t(bench.config.crop_sizes[g]) * size_t(bench.config.crop_sizes[g]) * 3;
    for (size_t i = image; i < crops[g].size(); ++i) crops[g][i] = crops[g][i % image];
  }
  REQUIRE_MESSAGE(bench.step_on(crops, 0.1, false) == SWAV_OK, swav_error_message());
  const swav_health health = health_of(bench);
  // Rows of 8 numbers scaled to unit norm in float: a sum of squares, a root and a quotient each round by half a unit in the
  // last place.
  CHECK(std::abs(health.similarity - 1) <= 2 * (8 + 2) * 0x1p-24);
  CHECK(health.embedding_rank <= 2.01);  // two resolutions, of which each has one embedding
}

TEST_CASE("the age of the queue is reported in steps") {
  swav_trainer_config config = small_training();
  config.queue_length = 12;
  TrainingBench bench(small_network(), config);
  for (uint64_t t = 0; t < 5; ++t) {
    bench.step(t);
    CHECK(bench.report.queue_age == std::min<int64_t>(2, int64_t(t)));
    CHECK(health_of(bench).queue_age == bench.report.queue_age);
  }
}

TEST_CASE("a crop that is one pixel of one image in the last stage is refused, where no other rank has more") {
  swav_trainer_config config = small_training();
  config.batch = 1;
  config.crop_counts[1] = 1;
  config.crop_sizes[1] = 8;
  const swav_network_config network_config = small_network();
  swav_network* network = nullptr;
  swav_trainer* trainer = nullptr;
  REQUIRE(swav_network_create(&network_config, 1, &network) == SWAV_OK);
  CHECK(swav_trainer_create(network, &config, &trainer) == SWAV_ERROR_ARGUMENT);
  CHECK(std::string(swav_error_message()).find("crops of 8 pixels are one pixel of one image in the last stage") == 0);
  config.crop_sizes[1] = 9;
  CHECK_MESSAGE(swav_trainer_create(network, &config, &trainer) == SWAV_OK, swav_error_message());
  swav_trainer_destroy(trainer);
  swav_network_destroy(network);
}

TEST_CASE("norms of all tensors: gradients add up to the report's, updates are what moved the values, frozen ones are 0") {
  TrainingBench bench(small_network(), small_training());
  for (bool freeze : {true, false}) {
    const State before = state_of(bench.network);
    bench.step(freeze ? 0 : 1, 0.1, true, false, freeze);
    double square = 0;
    int32_t count = 0;
    swav_tensor_health health;
    for (; swav_trainer_tensor_health(bench.trainer, count, &health) == SWAV_OK; ++count) {
      CAPTURE(health.name);
      square += health.gradient_norm * health.gradient_norm;
      const bool prototypes = std::string(health.name) == "prototypes.weight";
      const Floats now = values_of(bench.network, health.name);
      Floats old(now.size());
      std::memcpy(old.data(), before.at(health.name).data(), old.size() * sizeof(float));
      double moved = 0, value = 0;
      for (size_t i = 0; i < now.size(); ++i) {
        moved += std::pow(double(now[i]) - double(old[i]), 2);
        value += double(now[i]) * double(now[i]);
      }
      // Sums of n squares in double, in two orders.
      CHECK(std::abs(health.value_norm - std::sqrt(value)) <= double(now.size() + 2) * 0x1p-53 * std::sqrt(value));
      if (prototypes) CHECK((health.update_norm == 0) == freeze);
      else CHECK(std::abs(health.update_norm - std::sqrt(moved)) <= 2e-7 * (std::sqrt(value) + health.update_norm) + 1e-9);
    }
    CHECK(std::string(swav_error_message()) ==
          "parameter index is " + std::to_string(count) + "; 0 to " + std::to_string(count - 1) + " is allowed");
    // The squares of roots, added up once more: a root, a square and a sum of `count` round by half a unit in the last place
    // each.
    CHECK(std::abs(std::sqrt(square) - bench.report.gradient_norm) <= (count + 3) * 0x1p-53 * bench.report.gradient_norm);
  }
  bench.step(2, 0.1, false);
  swav_tensor_health health;
  REQUIRE(swav_trainer_tensor_health(bench.trainer, 0, &health) == SWAV_OK);
  CHECK(health.update_norm == 0);
  CHECK(health.gradient_norm > 0);
}
